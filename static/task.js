// The page of one task: progress, state and timeline as they happen. What needs the result is drawn by the server, so the end loads the page again.

import { clone, fillActive, put, slot, status } from "./fill.js";
import { clock, ended, headline } from "./format.js";

const ENDED = "taskline.ended"; // what is said of the end once the page that shows it is there
const WORDS = { "task.started": "Started", "task.retrying": "Waits for another attempt", "task.cancelling": "Cancel asked for" };

export function taskPage(store) {
  const page = document.querySelector("[data-page-task]");
  const id = page.dataset.pageTask;
  document.querySelector("[data-announce]").textContent = sessionStorage.getItem(ENDED);
  sessionStorage.removeItem(ENDED);
  const bar = page.querySelector(".task[data-task]");
  store.subscribe((state, before) => {
    const card = state.tasks[id];
    // What replaced all that was known does not hold it: it ended long ago, or was never there.
    if (bar && !card && state.resets !== before.resets) return location.reload();
    if (bar && card && ended(card)) {
      sessionStorage.setItem(ENDED, headline(card));
      return location.reload();
    }
    // What follows starts a moment after the end: the page then leads to it.
    if (page.querySelector("[data-then-waits]") && state.news.some(({ type }) => type === "task.queued")) return location.reload();
    for (const { type, task } of state.news.filter((one) => one.task.id === id)) {
      if (type === "task.deleted") return location.assign("/tasks");
      step(type, task);
    }
    if (card && bar) {
      status(page, card);
      fillActive(bar, card, state.waits[id]);
      if (card.state === "queued") put(bar, "message", ""); // the page has the reason above
      if (card.attempt) put(page, "attempt", `Attempt ${card.attempt} of ${card.max_attempts}`);
      const reason = slot(page, "reason");
      if (reason) {
        reason.hidden = card.state !== "queued";
        if (state.waits[id]) reason.textContent = state.waits[id].message;
      }
      const cancel = page.querySelector("[data-cancel] button");
      if (cancel) cancel.disabled = Boolean(card.cancel_requested_at);
    }
  });
  return id;
}

function step(type, task) {
  if (!WORDS[type]) return;
  const row = clone("row-step");
  put(row, "word", WORDS[type]);
  put(row, "at", clock(new Date(type === "task.started" ? task.started_at : Date.now())));
  document.querySelector("[data-timeline]").append(row);
}
