// What the page knows, as a value: a pure reducer. Nothing here touches the document, the clock or the network.

import { ended } from "./format.js";

export const EMPTY = Object.freeze({
  epoch: null, // of the log that `seq` counts in
  seq: null, // the last event that was taken in
  tasks: {}, // id: card
  waits: {}, // id: why it has not started
  conn: "idle", // idle, up, down
  down: [], // parts of the service that do not answer
  resets: 0, // how often what was known was replaced as a whole
  caughtUp: null, // events up to this seq had happened before the connection (again) stood
  news: [], // events of this step that people should hear of: {type, seq, task, missed}
  away: 0, // tasks that ended while the connection was down
  read: { seq: 0, head: 0, unread: 0, muted: [] }, // read up to `seq`; `unread` ends from there to `head`; of muted workloads none counts
  ends: [], // the unread ends after `head`, by their seq
});

const MOST_COUNTED = 100; // unread ends; more are said as 99+
const MOST_TASKS = 500; // cards kept; the oldest ended ones go first

export function reduce(state, action) {
  const next = { ...state, news: [] };
  switch (action.type) {
    case "page":
      return {
        ...next,
        epoch: action.epoch,
        seq: action.seq,
        read: action.read ?? state.read,
        tasks: keyed(action.rows.map(({ card }) => card)),
        waits: Object.fromEntries(action.rows.filter(({ wait }) => wait).map(({ card, wait }) => [card.id, wait])),
      };
    case "conn":
      return { ...next, conn: action.conn };
    case "wait":
      return state.tasks[action.id] ? { ...next, waits: { ...state.waits, [action.id]: action.wait } } : next;
    case "asked-cancel": // what the person just did, shown before the server has said so
      return patched(next, action.id, { cancel_requested_at: action.at });
    case "refused-cancel":
      return patched(next, action.id, { cancel_requested_at: null });
    case "seen":
      return { ...next, away: 0 };
    case "frame":
      return frame(next, action.frame);
    default:
      return next;
  }
}

function frame(state, message) {
  switch (message.type) {
    case "welcome":
      // What the first connection brings happened while the page loaded: not missed. A log that starts anew says so by a reset.
      return {
        ...state,
        conn: "up",
        caughtUp: state.conn === "idle" ? null : message.seq,
        epoch: state.epoch ?? message.epoch,
        seq: state.seq ?? message.seq,
      };
    case "status":
      return { ...state, down: message.down };
    case "read":
      // Of two the later has no smaller number in it: they may overtake each other.
      if (message.seq < state.read.seq || message.head < state.read.head) return state;
      return { ...state, read: message, ends: state.ends.filter((seq) => seq > message.head) };
    case "reset":
      return { ...state, resets: state.resets + 1, epoch: message.epoch, seq: message.seq, caughtUp: message.seq, tasks: keyed(message.tasks), waits: {}, read: { ...EMPTY.read, muted: state.read.muted }, ends: [] };
    case "task.progress": {
      const card = state.tasks[message.task_id];
      // Progress of an earlier attempt, or after the end, comes late and says nothing.
      if (!card || card.state !== "running" || card.attempt !== message.attempt) return state;
      return patched(state, message.task_id, { progress: { fraction: message.fraction, message: message.message } });
    }
    default:
      return message.task && typeof message.seq === "number" ? event(state, message) : state;
  }
}

function event(state, { type, seq, task }) {
  if (state.seq !== null && seq <= state.seq) return state; // a repeat
  const tasks = { ...state.tasks };
  const waits = { ...state.waits };
  // Events of a task that was deleted since come with an emptied card.
  const gone = type === "task.deleted" || !task.state;
  if (gone) delete tasks[task.id];
  else tasks[task.id] = task;
  if (gone || task.state !== "queued") delete waits[task.id];
  const missed = state.caughtUp !== null && seq <= state.caughtUp;
  const ends = !gone && ended(task);
  return {
    ...state,
    seq,
    tasks: trimmed(tasks),
    waits,
    news: gone && type !== "task.deleted" ? [] : [{ type, seq, task, missed }],
    away: state.away + (missed && ends ? 1 : 0),
    ends: ends && seq > state.read.head && !muted(state, task) ? [...state.ends, seq].slice(-MOST_COUNTED) : state.ends,
  };
}

function patched(state, id, change) {
  const card = state.tasks[id];
  return card ? { ...state, tasks: { ...state.tasks, [id]: { ...card, ...change } } } : state;
}

const keyed = (cards) => Object.fromEntries(cards.map((card) => [card.id, card]));

function trimmed(tasks) {
  const ids = Object.keys(tasks);
  if (ids.length <= MOST_TASKS) return tasks;
  const oldest = ids.filter((id) => ended(tasks[id])).sort()[0];
  if (oldest === undefined) return tasks;
  const { [oldest]: _, ...left } = tasks;
  return left;
}

// Ids are UUIDv7: their order is the order of submission.
const newestFirst = (a, b) => (a.id < b.id ? 1 : -1);
export const active = (state) => Object.values(state.tasks).filter((card) => !ended(card)).sort(newestFirst);
export const muted = (state, { workload }) => state.read.muted.includes(workload);
export const unread = ({ read, ends }) => read.unread + ends.length;
export const finished = (state) => Object.values(state.tasks).filter(ended).sort(newestFirst);

export class Store {
  #listeners = new Set();

  constructor(state = EMPTY) {
    this.state = state;
  }

  dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    for (const listener of this.#listeners) listener(this.state, before);
  }

  // `listener(state, before)` is called now and after each step.
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.state, this.state);
  }
}
