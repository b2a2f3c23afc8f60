// What is in progress: why tasks wait and when they start, and how long those that run will still take.

import { put, write } from "./fill.js";
import { about } from "./format.js";
import { active } from "./store.js";

const EVERY = 5000; // ms between looks at why tasks wait
const SOON = 300; // ms after a task came into the line
const MOST = 5; // tasks looked at
const TOLD = 100; // ms after something happened in which rows say how long they still take
const SETTLED = 1500; // ms after something happened in which the service counts anew
const SOONEST = 5000; // ms that a task ran before its end is guessed from how far it is
const OVERDUE = 10; // seconds after which a guess was wrong
const LEAST = 0.05; // fraction done before that; both hold only where the task does not run for longer than usual

export function follow(store, ask) {
  const rows = new Estimates(store);
  store.subscribe(gathered(TOLD, () => rows.tell())); // it looks at all rows
  setInterval(() => rows.tell(), 1000);

  // The place in line is no event, as others' tasks move it: asked for while somebody looks.
  const look = async () => {
    if (document.hidden || store.state.conn !== "up") return;
    const waiting = active(store.state).filter(({ id, state }) => state === "queued" && document.querySelector(`[data-task="${id}"] task-clock`));
    for (const { id } of waiting.slice(-MOST)) {
      const answer = await ask(id);
      if (!answer?.ok) continue;
      const { wait } = await answer.json();
      store.dispatch({ type: "wait", id, wait: wait && held(store.state.waits[id], { ...wait, at: Date.now() }) });
    }
  };
  const soon = gathered(SOON, look);
  setInterval(look, EVERY);
  soon();
  store.subscribe(({ news }) => news.some(({ type }) => type === "task.queued" || type === "task.retrying") && soon());
  if (document.querySelector("[data-choose]")) foresee(store);
}

// What is asked for many times at once is done once, so many ms after the first time.
function gathered(ms, act) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      act();
    }, ms);
  };
}

// What the form says of the wait before a task is started: asked anew when another workload is chosen, when something has happened, and when the page is seen again.
function foresee(store) {
  const ask = async () => {
    if (document.hidden || store.state.conn !== "up") return;
    const answer = await fetch("/start/expected", { headers: { accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    for (const [workload, text] of Object.entries(await answer.json())) {
      const name = CSS.escape(workload);
      const kept = document.querySelector(`template[data-workload="${name}"]`)?.content;
      for (const root of [kept, document.querySelector(`[data-fields="${name}"]`)]) {
        const said = root?.querySelector(".expect span");
        if (said) write(said, text);
      }
    }
  };
  const later = gathered(SETTLED, ask);
  document.querySelector("[data-choose]").addEventListener("change", ask);
  document.addEventListener("visibilitychange", later);
  store.subscribe(({ news }) => news.length && later());
  ask();
  later(); // what has just happened, for which this was loaded, may not be counted yet
}

// For the same reason neither a higher place nor a later start is said than before: what others did meanwhile is no reason that is told.
export function held(before, wait) {
  if (before?.reason !== wait.reason) return wait;
  const place = before.position && before.position < (wait.position ?? Infinity) ? before : wait;
  const { at, estimate_s } = starts(before) < starts(wait) ? before : wait;
  return { ...place, at, estimate_s };
}

// When it likely starts, in ms, by an answer that came at that moment, or with the page; Infinity where nothing tells.
const starts = (wait) => (wait?.estimate_s == null ? Infinity : (wait.at ?? performance.timeOrigin) + wait.estimate_s * 1000);

// When it likely starts or ends: the browser's half of `until_end` in app/tasks/estimates.py. `usual`: seconds that such work takes, where it has a history.
export function due(card, now, wait, usual) {
  if (card.state === "queued") return starts(wait);
  if (card.state !== "running" || card.cancel_requested_at) return Infinity;
  const { fraction } = card.progress;
  const began = +new Date(card.started_at);
  const ran = now - began;
  const tells = ran > usual * 1000 || (ran >= SOONEST && fraction >= LEAST);
  if (tells && fraction > 0 && fraction < 1) return now + (ran * (1 - fraction)) / fraction;
  return ran <= usual * 1000 ? began + usual * 1000 : Infinity;
}

// How long that still is; `left` in seconds.
export function rest(card, left) {
  if (left === Infinity || left < -OVERDUE) return "";
  const waits = card.state === "queued";
  if (left < 1) return waits ? "starts any moment now" : "any moment now";
  return waits ? `starts in ${about(left)}` : `${about(left)} left`;
}

// Keeps for each row when it is due: guessed anew when something is heard, counted down in between.
class Estimates {
  #store;
  #known = new WeakMap(); // row: {card, wait, at}

  constructor(store) {
    this.#store = store;
  }

  tell() {
    const { conn, tasks, waits } = this.#store.state;
    if (document.hidden || conn === "down") return;
    for (const clock of document.querySelectorAll("task-clock")) {
      const row = clock.closest("[data-task]");
      const card = tasks[row.dataset.task];
      if (!card) continue;
      const left = rest(card, (this.#due(row, card, waits[card.id]) - Date.now()) / 1000);
      put(row, "rest", left && `, ${left}`);
    }
  }

  #due(row, card, wait) {
    const known = this.#known.get(row);
    if (known?.card === card && known.wait === wait) return known.at;
    const at = due(card, Date.now(), wait, usual(row, card));
    this.#known.set(row, { card, wait, at });
    return at;
  }
}

// The row says it, or the form that offers the workload.
const usual = (row, { workload }) => row.dataset.usual ?? document.querySelector(`template[data-workload="${CSS.escape(workload)}"]`)?.dataset.usual;
