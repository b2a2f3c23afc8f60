// The operator page while it is open: asks for the figures every few seconds, and puts them where the server has put them before.

import { clone, put, slot } from "./fill.js";
import { ago, clock, instant, length, plural } from "./format.js";

const EVERY = 5000;
const PATIENCE = 10000;
const page = document.querySelector("[data-operator]");
const number = (value) => value.toLocaleString("en");
const seconds = (value) => (value === null ? "–" : length(value));
const pair = (middle, high) => (middle === null ? "–" : `${length(middle)} / ${length(high)}`);
const sum = (items, name) => items.reduce((all, one) => all + one[name], 0);
let timer;

document.addEventListener("visibilitychange", () => document.hidden || look());
again();

function again() {
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return; // its coming back asks again
  const answer = await fetch("/api/v1/operator", { headers: { accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) }).catch(() => null);
  if (answer?.status === 404) return location.reload(); // no longer an operator
  const seen = answer?.ok ? await answer.json().catch(() => null) : null;
  slot(page, "stale").hidden = seen !== null;
  if (seen) show(seen);
  again();
}

function show(seen) {
  const alive = seen.workers.filter((one) => one.alive).length;
  const time = slot(page, "now");
  time.dateTime = seen.at;
  time.textContent = clock(new Date(seen.at));
  slot(page, "no-workers").hidden = alive > 0;
  slot(page, "no-queues").hidden = seen.queues.length > 0;
  slot(page, "some-queues").hidden = seen.queues.length === 0;
  slot(page, "none-listed").hidden = seen.workers.length > 0;
  slot(page, "no-failures").hidden = seen.failures.length > 0;
  put(page, "all-waiting", number(sum(seen.queues, "waiting")));
  put(page, "all-running", number(sum(seen.queues, "running")));
  put(page, "all-workers", number(alive));
  chart(seen.minutes);
  list("queues", "queue", seen.queues, (one) => `${one.lane} ${one.workload}`, queue);
  list("workers", "worker", seen.workers, (one) => one.id, worker);
  list("failures", "cause", seen.failures, (one) => one.key, cause);
}

// Rows stay where they are, so that neither focus nor selection is lost; only what is new comes in, and only what is gone leaves.
function list(name, template, items, key, fill) {
  const root = page.querySelector(`[data-list="${name}"]`);
  const rows = new Map([...root.children].map((row) => [row.dataset.key, row]));
  let before = null;
  for (const one of items) {
    const row = rows.get(key(one)) ?? clone(template);
    rows.delete(key(one));
    row.dataset.key = key(one);
    fill(row, one);
    const place = before ? before.nextElementSibling : root.firstElementChild;
    if (row !== place && !row.contains(document.activeElement)) root.insertBefore(row, place);
    before = row;
  }
  for (const row of rows.values()) row.remove();
}

function queue(row, one) {
  const paused = one.paused_at !== null;
  put(row, "title", one.title);
  put(row, "workload", one.workload);
  put(row, "lane", one.lane);
  put(row, "waiting", number(one.waiting));
  put(row, "oldest", seconds(one.oldest_s));
  put(row, "running", number(one.running));
  put(row, "later", number(one.later));
  put(row, "wait", pair(one.wait_p50_s, one.wait_p95_s));
  put(row, "run", pair(one.run_p50_s, one.run_p95_s));
  put(row, "who", one.paused_by ? `Paused by ${one.paused_by}` : "Paused");
  slot(row, "paused").hidden = slot(row, "resume").hidden = !paused;
  slot(row, "pause").hidden = paused;
  for (const input of row.querySelectorAll("input")) input.value = one.workload;
  of(row, one.title);
}

function worker(row, one) {
  const lanes = one.lanes.map(({ lane, slots, running }) => `${lane} ${number(running)} of ${number(slots)}`).join(", ");
  const runs = one.running.map(({ workload, number: count }) => `${workload} × ${number(count)}`).join(", ");
  put(row, "name", `${one.host}, process ${one.pid}`);
  put(row, "busy", runs ? `${lanes}: ${runs}` : lanes);
  put(row, "can", `Can run ${one.workloads.join(", ") || "nothing"}`);
  put(row, "left", one.left_out.map(({ source, reason }) => `Left out: ${source}: ${reason}`).join("\n"));
  slot(row, "left").hidden = one.left_out.length === 0;
  slot(row, "alive").hidden = !one.alive;
  slot(row, "silent").hidden = one.alive;
  put(row, "seen", `heartbeat ${length(one.seen_s)} ago`);
}

function cause(row, one) {
  put(row, "title", one.title);
  put(row, "kind", one.kind);
  put(row, "message", one.message);
  put(row, "number", plural(one.number, "task"));
  slot(row, "last").dateTime = one.last_at;
  put(row, "last", ago(new Date(one.last_at), new Date()));
  slot(row, "retry").href = `/operator?retry=${one.key}#retry`;
  of(row, `${one.title}: ${one.message}`);
}

function of(row, text) {
  for (const node of row.querySelectorAll('[data-x="of"]')) node.textContent = ` ${text}`;
}

// The same drawing as the template's: a minute is a group of its title, the ground, and a bar a kind of end.
function chart(minutes) {
  const all = (one) => one.succeeded + one.failed + one.cancelled;
  const highest = Math.max(1, ...minutes.map(all));
  const ends = number(minutes.reduce((sofar, one) => sofar + all(one), 0));
  const root = slot(page, "chart");
  put(page, "highest", number(highest));
  put(page, "all-ends", ends);
  root.setAttribute("aria-label", `Ends a minute in the last hour. ${ends} in all.`);
  minutes.forEach((one, place) => {
    const [title, , ...bars] = root.children[place].children;
    title.textContent = `${instant(new Date(one.at))}: ${one.succeeded} succeeded, ${one.failed} failed, ${one.cancelled} cancelled`;
    let top = 100;
    [one.succeeded, one.failed, one.cancelled].forEach((count, kind) => {
      const height = (100 * count) / highest;
      top -= height;
      bars[kind].setAttribute("y", top.toFixed(2));
      bars[kind].setAttribute("height", height.toFixed(2));
    });
  });
}
