// The page of notifications: the reader's own days, what changes while it is open, and the switch for browser notifications.

import { store } from "./app.js";
import { clone, put, slot } from "./fill.js";
import { ended } from "./format.js";
import { choose, chosen, notify } from "./notify.js";
import { muted, unread } from "./store.js";

const DAY = { day: "numeric", month: "short", year: "numeric" };
const rows = [...document.querySelectorAll("[data-notice]")];

days();
if (store) follow();
if (store && "Notification" in window && navigator.locks) consent(document.querySelector("[data-notify]"));

// The server sorts by days in UTC.
function days() {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  const sections = [];
  let last = null;
  for (const row of rows) {
    const at = new Date(row.querySelector("time").dateTime);
    const day = at.toDateString();
    if (day !== last) {
      sections.push(clone("day"));
      const word = { [today.toDateString()]: "Today", [yesterday.toDateString()]: "Yesterday" }[day];
      put(sections.at(-1), "day", word ?? at.toLocaleDateString("en-GB", DAY));
    }
    last = day;
    slot(sections.at(-1), "list").append(row);
  }
  document.querySelector("[data-days]").replaceChildren(...sections);
}

// What is new waits behind a button, so that nothing shifts under the pointer.
function follow() {
  const button = document.querySelector("[data-new-notices]");
  const form = document.querySelector("[data-mark]");
  const fresh = new Set();
  store.subscribe((state, before) => {
    if (state.resets !== before.resets) return location.reload(); // the list is of what was before
    for (const { type, task } of state === before ? [] : state.news) {
      if (type === "task.deleted") {
        fresh.delete(task.id);
        for (const row of rows) if (row.dataset.notice === task.id) row.inert = true;
      } else if (ended(task) && !muted(state, task)) fresh.add(task.id);
    }
    button.hidden = fresh.size === 0;
    put(button, "count", `${fresh.size} new`);
    for (const row of rows) if (Number(row.dataset.seq) <= state.read.seq) read(row);
    if (form) form.hidden = unread(state) === 0;
  });
}

function read(row) {
  row.classList.remove("fresh");
  slot(row, "unread").hidden = true;
}

function consent(card) {
  const [text, button] = [card.querySelector("p"), card.querySelector("button")];
  const on = () => chosen() && Notification.permission === "granted";
  const show = () => {
    button.textContent = on() ? "Stop notifying me" : "Notify me";
    text.textContent = on()
      ? "When a task ends while no page of Taskline is in view, your system shows it."
      : Notification.permission === "denied"
        ? "This browser blocks notifications of this site. Allow them in its settings for the site, then press again."
        : "Hear of the end of a task also while no page of Taskline is in view. The browser asks you first.";
  };
  button.addEventListener("click", async () => {
    choose(!on() && (await Notification.requestPermission()) === "granted");
    if (chosen()) notify(store);
    show();
  });
  addEventListener("storage", show);
  show();
  card.hidden = false;
}
