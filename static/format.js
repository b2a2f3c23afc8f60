// How times and sizes read: the browser's half of app/web/wording.py and app/web/cards.py.

const STATES = {
  queued: { word: "Waiting", icon: "clock", tone: "off" },
  running: { word: "Running", icon: "running", tone: "run" },
  succeeded: { word: "Finished", icon: "check", tone: "ok" },
  failed: { word: "Failed", icon: "alert", tone: "bad" },
  cancelled: { word: "Cancelled", icon: "ban", tone: "off" },
};
const CANCELLING = { word: "Cancelling", icon: "ban", tone: "warn" };

export const ended = (card) => card.state === "succeeded" || card.state === "failed" || card.state === "cancelled";

export const look = (card) => (card.state === "running" && card.cancel_requested_at ? CANCELLING : STATES[card.state]);

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, left] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(left)}` : `${minutes}:${two(left)}`;
}

export function length(seconds) {
  if (seconds < 0.1) return "under 0.1 s";
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

export function about(seconds) {
  if (seconds < 20) return "a few seconds";
  if (seconds < 55) return `about ${Math.round(seconds / 10) * 10} s`;
  if (seconds < 90) return "about 1 min";
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}

export function ago(then, now) {
  const seconds = Math.max(0, (now - then) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 84600) return `${Math.max(1, Math.round(seconds / 3600))} h ago`;
  const days = Math.max(1, Math.round(seconds / 86400));
  if (seconds < 7 * 86400) return days === 1 ? "yesterday" : `${days} days ago`;
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function instant(moment, now = new Date()) {
  const clock = moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (moment.toDateString() === now.toDateString()) return `Today, ${clock}`;
  return `${moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })}, ${clock}`;
}

export const clock = (moment) => moment.toLocaleTimeString("en-GB");

export function size(count) {
  for (const [step, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count >= step) return `${(count / step).toFixed(count / step >= 10 ? 0 : 1)} ${unit}B`;
  }
  return `${count} B`;
}

export function ordinal(position) {
  const end = [11, 12, 13].includes(position % 100) ? "th" : { 1: "st", 2: "nd", 3: "rd" }[position % 10] || "th";
  return `${position}${end}`;
}

export const capped = (count) => (count < 100 ? `${count}` : "99+");

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// One line that says what came of a task.
export function line(card) {
  if (card.state === "succeeded") return card.summary || "";
  if (card.state === "failed" && card.error) return [card.error.message, card.error.hint].filter(Boolean).join(" ");
  if (card.state === "cancelled") return percent(card) ? `You cancelled this at ${percent(card)}%.` : "You cancelled this.";
  return "";
}

// Cut, not rounded: 100 % is said only of what is whole.
export const percent = (card) => (card.progress.fraction === null ? null : Math.floor(card.progress.fraction * 100));

export function lead(card, wait) {
  const { word } = look(card);
  if (card.state === "queued") return wait?.position ? `${ordinal(wait.position)} in line` : word;
  return card.state !== "running" || card.cancel_requested_at || percent(card) === null ? word : `${percent(card)}%`;
}

export const took = (card) =>
  card.started_at && card.finished_at ? `took ${length((new Date(card.finished_at) - new Date(card.started_at)) / 1000)}` : "";

export const headline = (card) =>
  ({ succeeded: `${card.name} is ready`, failed: `${card.name} failed`, cancelled: `${card.name} was cancelled` })[card.state];
