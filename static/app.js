// Begins everything: the store from what the page holds, the websocket, what follows them.

import "./clocks.js";
import "./upload.js";
import { connection } from "./connection.js";
import { localise } from "./fill.js";
import { home } from "./lists.js";
import { Live } from "./live.js";
import { news } from "./news.js";
import { plain } from "./plain.js";
import { startForm } from "./start.js";
import { Store } from "./store.js";
import { cancels, waits } from "./wishes.js";

const { dataset } = document.documentElement;
localise(document);
plain();
// What a single page needs is there before anything happens to it.
const { taskPage } = document.querySelector("[data-page-task]") ? await import("./task.js") : {};
const { tasks } = document.querySelector("[data-new]") ? await import("./tasks.js") : {};

// What the page knows, for what only some pages load.
export const store = dataset.user ? signedIn() : null;

function signedIn() {
  const store = new Store();
  const rows = [...document.querySelectorAll("[data-card]")]
    .map((node) => ({ card: JSON.parse(node.dataset.card), wait: JSON.parse(node.dataset.wait ?? "null") }))
    .filter(({ card }) => card.id);
  const read = JSON.parse(document.querySelector("[data-bell]").dataset.reading ?? "null");
  store.dispatch({ type: "page", seq: dataset.seq === undefined ? null : Number(dataset.seq), epoch: dataset.epoch ?? null, rows, read });
  const live = new Live(store, () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`));
  startForm();
  home(store);
  tasks?.(store);
  news(store, taskPage?.(store));
  connection(store, live);
  cancels(store);
  waits(store);
  live.connect();
  const notify = () => localStorage.getItem("taskline.notify") === dataset.user && import("./notify.js").then((own) => own.notify(store));
  notify();
  addEventListener("storage", notify); // another tab has switched them on
  return store;
}
