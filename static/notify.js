// Browser notifications, loaded only where somebody has switched them on. One tab of all shows each, and only while none is looked at.

import { ended, headline, line } from "./format.js";
import { muted } from "./store.js";

const KEY = "taskline.notify"; // whose choice it is: the next person on this browser makes their own
const SPEAKER = "taskline.speaker"; // the lock of the one tab that shows
const WATCHED = "taskline.watched"; // a lock that all tabs share which are looked at

const { user } = document.documentElement.dataset;
export const chosen = () => localStorage.getItem(KEY) === user;
export const choose = (on) => (on ? localStorage.setItem(KEY, user) : localStorage.removeItem(KEY));

let begun = false;
let speaking = false;
let look = null; // ends the share in WATCHED
const shown = new Map(); // seq: what is on the screen

export function notify(store) {
  if (begun) return;
  begun = true;
  // For as long as the tab lives. Then the browser gives it to another one, so that exactly one has it.
  navigator.locks.request(SPEAKER, () => {
    speaking = true;
    return new Promise(() => {});
  });
  document.addEventListener("visibilitychange", watch);
  watch();
  store.subscribe((state, before) => {
    if (state === before) return;
    for (const { type, seq, task } of state.news) {
      if (type !== "task.deleted" && ended(task) && seq > state.read.seq && !muted(state, task)) tell(seq, task);
    }
    for (const [seq, one] of shown) if (seq <= state.read.seq) one.close();
  });
}

function watch() {
  look?.();
  look = null;
  if (document.hidden) return;
  const until = new Promise((done) => {
    look = done;
  });
  navigator.locks.request(WATCHED, { mode: "shared" }, () => until);
}

async function tell(seq, task) {
  if (!speaking || !chosen()) return;
  const watched = await navigator.locks.request(WATCHED, { ifAvailable: true }, (lock) => !lock);
  if (watched) return;
  let one;
  try {
    one = new Notification(headline(task), { body: line(task), tag: task.id });
  } catch {
    return choose(false); // Chrome on Android shows those of service workers alone
  }
  shown.set(seq, one);
  one.onclose = () => shown.delete(seq);
  one.onclick = () => {
    open(`/tasks/${task.id}`); // a tab of its own: this one may hold a form that is half filled in
    one.close();
  };
}
