// What the page asks the server for by itself: to cancel, and why tasks wait.

import { active } from "./store.js";
import { toasts } from "./toasts.js";

const EVERY = 5000; // ms between looks at why tasks wait
const SOON = 300; // ms after a task came into the line
const MOST = 5; // tasks looked at

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

// The place in line is no event: others' tasks move it. Asked for while somebody looks.
export function waits(store) {
  const look = async () => {
    if (document.hidden || store.state.conn !== "up") return;
    const waiting = active(store.state).filter(({ id, state }) => state === "queued" && document.querySelector(`[data-task="${id}"] task-clock`));
    for (const { id } of waiting.slice(-MOST)) {
      const answer = await ask(id);
      if (answer?.ok) store.dispatch({ type: "wait", id, wait: (await answer.json()).wait });
    }
  };
  setInterval(look, EVERY);
  store.subscribe(({ news }) => news.some(({ type }) => type === "task.queued" || type === "task.retrying") && setTimeout(look, SOON));
}
