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

// What a task waits for and how long it takes is told by a module that a page with nothing in progress does not load.
export function waits(store) {
  let loading;
  store.subscribe(() => {
    if (loading || !document.querySelector("task-clock")) return;
    loading = import("./estimates.js").then(
      (module) => module.follow(store, ask),
      () => (loading = null),
    );
  });
}
