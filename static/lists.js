// The rows of Home follow the store. Rows are moved and filled, never drawn anew, so that focus and pointer keep their place.

import { clone, counts, fillActive, fillEnded, named, put } from "./fill.js";
import { ended, plural } from "./format.js";
import { active, finished } from "./store.js";

const MOST_FINISHED = 20;

export function home(store) {
  const lists = { active: document.querySelector('[data-list="active"]'), finished: document.querySelector('[data-list="finished"]') };
  if (!lists.active) return;
  const fresh = new Set();
  store.subscribe((state) => {
    for (const { type, task } of state.news) if (ended(task) && type !== "task.deleted") fresh.add(task.id);
    const running = active(state);
    const done = finished(state).slice(0, MOST_FINISHED);
    sync(lists.active, running, state.waits, "row-active", fillActive);
    sync(lists.finished, byEnd(done), {}, "row-ended", (row, card) => {
      fillEnded(row, card);
      row.classList.toggle("fresh", fresh.has(card.id));
    });
    document.querySelector("[data-count]").textContent = counts(running);
    show(running.length + done.length > 0);
    away(store, state);
  });
}

function show(some) {
  const first = document.querySelector("[data-first]");
  if (first) first.hidden = some;
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = Boolean(first) && !some;
    section.querySelector("[data-empty]").hidden = section.querySelector("[data-list]").childElementCount > 0;
  }
}

function away(store, state) {
  const strip = document.querySelector("[data-away]");
  strip.hidden = !state.away;
  if (!state.away) return;
  put(strip, "text", `${plural(state.away, "task")} ended.`);
  strip.querySelector("[data-dismiss]").onclick = () => store.dispatch({ type: "seen" });
}

const byEnd = (cards) => [...cards].sort((a, b) => (a.finished_at < b.finished_at ? 1 : -1));

function sync(list, cards, waits, template, fill) {
  const rows = new Map([...list.children].map((row) => [row.dataset.task, row]));
  const stay = new Set(cards.map(({ id }) => id));
  // Before the others are placed: one that is still in the way would have each row behind it moved.
  for (const [id, row] of rows) if (!stay.has(id)) row.remove();
  let place = null;
  for (const card of cards) {
    const row = rows.get(card.id) || named(clone(template), card);
    const next = place ? place.nextElementSibling : list.firstElementChild;
    if (row !== next) list.insertBefore(row, next);
    // A card is a new object when anything about it changed.
    if (row.card !== card || row.wait !== waits[card.id]) fill(row, card, waits[card.id]);
    row.card = card;
    row.wait = waits[card.id];
    place = row;
  }
}
