// Fills the markup that the server made: text, icons, clocks. `data-x` names the slots; nothing here parses HTML.

import { ago, clock, instant, lead, line, look, percent, took } from "./format.js";

export const slot = (root, name) => root.querySelector(`[data-x="${name}"]`);

// A row out of view keeps the text that it was last drawn with: so it is changed, not replaced by another, which would be kept as well.
export function write(node, text) {
  if (node.textContent === text) return;
  if (text && node.firstChild?.data && !node.firstElementChild) node.firstChild.data = text;
  else node.textContent = text;
}

export function put(root, name, text) {
  const node = slot(root, name);
  if (node) write(node, text);
}

export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export function setIcon(root, name) {
  const use = root.querySelector("use");
  use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${name}`);
}

// What a fresh clone says once and for all.
export function named(row, card) {
  row.dataset.task = card.id;
  slot(row, "bar")?.setAttribute("aria-label", card.name);
  put(row, "name", card.name);
  put(row, "workload", document.querySelector(`template[data-workload="${CSS.escape(card.workload)}"]`)?.dataset.title ?? card.workload);
  for (const node of row.querySelectorAll('[data-x="of"]')) node.textContent = ` ${card.name}`;
  for (const link of row.querySelectorAll("a")) link.href = `/tasks/${card.id}`;
  for (const form of row.querySelectorAll("form")) form.action = `/tasks/${card.id}/cancel`;
  return row;
}

const reason = (wait) => (wait?.reason === "line" ? "Starts when a worker is free" : wait?.message || "");

export function fillActive(row, card, wait) {
  const bar = slot(row, "bar");
  const waiting = card.state === "queued";
  bar.classList.toggle("waiting", waiting);
  if (waiting) bar.value = 0;
  else if (percent(card) === null) bar.removeAttribute("value");
  else bar.value = card.progress.fraction * 100;
  put(row, "lead", lead(card, wait));
  put(row, "message", waiting ? reason(wait) : card.progress.message || "");
  put(row, "kind", waiting ? "waiting" : "elapsed");
  slot(row, "clock").setAttribute("since", (waiting ? card.created_at : card.started_at) ?? "");
  const button = row.querySelector("[data-cancel] button");
  if (button) button.disabled = Boolean(card.cancel_requested_at);
}

export function fillEnded(row, card) {
  status(row, card);
  put(row, "line", line(card) || (card.state === "running" ? card.progress.message : ""));
  put(row, "took", took(card));
  put(row, "percent", card.state === "running" && percent(card) !== null ? ` ${percent(card)}%` : "");
  const time = slot(row, "ended");
  time.dateTime = card.finished_at || card.created_at;
  time.textContent = ago(new Date(time.dateTime), new Date());
}

export function status(root, card) {
  const { word, icon, tone } = look(card);
  put(root, "word", word);
  for (const node of root.querySelectorAll('[data-x="tone"], [data-x="pill"]')) {
    node.className = `${node.dataset.x === "pill" ? "pill" : "st"} ${tone}`;
    setIcon(node, icon);
  }
}

export function counts(cards) {
  const running = cards.filter((card) => card.state === "running").length;
  const waiting = cards.length - running;
  return [running && `${running} running`, waiting && `${waiting} waiting`].filter(Boolean).join(", ");
}

// The reader's own time zone in the place of the server's UTC.
export function localise(root) {
  for (const time of root.querySelectorAll('time[data-x="at"]')) time.textContent = instant(new Date(time.dateTime));
  for (const time of root.querySelectorAll("time[data-clock]")) time.textContent = clock(new Date(time.dateTime));
}
