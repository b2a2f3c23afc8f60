// Toasts, what screen readers hear, and how much is unread: in the bar, in the title and on the icon.

import { capped, ended, headline } from "./format.js";
import { active, muted, unread } from "./store.js";
import { toasts } from "./toasts.js";

// `own` is the task whose page this is: the page tells its end by itself.
export function news(store, own) {
  const say = document.querySelector("[data-announce]");
  const icon = document.querySelector("link[rel=icon]");
  const bell = document.querySelector("[data-bell]");
  const badge = bell.querySelector("b");
  const [plain, title] = [icon.href, document.title];
  const halves = new Set();
  let shown = "0";
  store.subscribe((state) => {
    for (const { type, task, missed } of state.news) {
      if (type === "task.started") say.textContent = `${task.name} started`;
      if (type === "task.deleted" || !ended(task)) continue;
      halves.delete(task.id);
      if (task.id === own) say.textContent = headline(task);
      else if (!missed && !muted(state, task)) toasts().ended(task);
    }
    for (const { id, name, progress } of active(state)) {
      if (progress.fraction < 0.5 || halves.has(id)) continue;
      halves.add(id);
      say.textContent = `${name} is half done`;
    }
    const count = capped(unread(state));
    if (count === shown) return;
    shown = count;
    const some = count !== "0";
    badge.textContent = count;
    badge.hidden = !some;
    bell.setAttribute("aria-label", some ? `Notifications, ${count} unread` : "Notifications");
    document.title = some ? `(${count}) ${title}` : title;
    icon.href = some ? icon.dataset.dot : plain;
  });
}
