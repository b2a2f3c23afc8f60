// What the page asks the server for by itself: to cancel, and why tasks wait.

import { toasts } from "./toasts.js";

const ask = (path, method = "GET") => fetch(`/api/v1/tasks/${path}`, { method, headers: { accept: "application/json" } }).catch(() => null);

// Shown at once, and taken back where the server refuses.
export function cancels(store) {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-cancel]");
    if (!form) return;
    event.preventDefault();
    const id = new URL(form.action).pathname.split("/")[2];
    store.dispatch({ type: "asked-cancel", id, at: new Date().toISOString() });
    const answer = await ask(`${id}/cancel`, "POST");
    if (answer?.status === 202) return;
    store.dispatch({ type: "refused-cancel", id });
    const told = await answer?.json().catch(() => null);
    toasts().show({ head: "Not cancelled", line: told?.detail || "The service does not answer. Try again." });
  });
}

// What a task waits for and how long it takes is told by a module that a page does not load while nothing is in progress and nothing happens.
export function waits(store) {
  let loading;
  const load = () => {
    loading ??= import("./estimates.js").then(
      (module) => module.follow(store, ask),
      () => (loading = null),
    );
  };
  document.querySelector("[data-choose]")?.addEventListener("change", load);
  // The form tells what to expect: that changes with whatever happens.
  store.subscribe(({ news }) => {
    if (!loading && document.querySelector(news.length ? "task-clock, [data-choose]" : "task-clock")) load();
  });
}
