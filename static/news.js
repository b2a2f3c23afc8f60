// Toasts, what screen readers hear, and the count in the title and on the icon.

import { ended, headline } from "./format.js";
import { active } from "./store.js";
import { toasts } from "./toasts.js";

// `own` is the task whose page this is: the page tells its end by itself.
export function news(store, own) {
  const say = document.querySelector("[data-announce]");
  const icon = document.querySelector("link[rel=icon]");
  const [plain, title] = [icon.href, document.title];
  const halves = new Set();
  let unread = 0;
  const count = (value) => {
    unread = value;
    document.title = unread ? `(${unread}) ${title}` : title;
    icon.href = unread ? icon.dataset.dot : plain;
  };
  store.subscribe((state) => {
    for (const { type, task, missed } of state.news) {
      if (type === "task.started") say.textContent = `${task.name} started`;
      if (type === "task.deleted" || !ended(task)) continue;
      if (task.id === own) say.textContent = headline(task);
      else if (!missed) toasts().ended(task);
      if (document.hidden) count(unread + 1);
    }
    for (const { id, name, progress } of active(state)) {
      if (progress.fraction < 0.5 || halves.has(id)) continue;
      halves.add(id);
      say.textContent = `${name} is half done`;
    }
  });
  document.addEventListener("visibilitychange", () => document.hidden || count(0));
}
