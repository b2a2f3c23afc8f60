// The list of all tasks: rows change in place, new tasks wait behind a button, so that nothing shifts under the pointer; and rows are selected, singly and in ranges.

import { fillEnded, put } from "./fill.js";
import { plural } from "./format.js";

// What brings a task into a list of one state.
const ENTERS = { "": ["queued"], queued: ["queued", "retrying"], running: ["started"] };

export function tasks(store) {
  const form = document.querySelector("[data-bulk]");
  const button = document.querySelector("[data-new]");
  const rows = new Map([...document.querySelectorAll("[data-list] > li")].map((row) => [row.dataset.task, row]));
  const chosen = form && select(form, [...rows.values()]);
  const { state: wanted, workload, q } = button.dataset;
  const types = (ENTERS[wanted] ?? [wanted]).map((kind) => `task.${kind}`);
  const fits = (task) => (!workload || task.workload === workload) && task.name.toLowerCase().includes(q.toLowerCase());
  const unseen = new Set();
  store.subscribe((state, before) => {
    if (state.resets !== before.resets) return location.reload(); // the list is of what was before
    for (const [id, row] of rows) {
      const card = state.tasks[id];
      if (card && row.card !== card) fillEnded(row, card);
      row.card = card;
    }
    for (const { type, task } of state.news) {
      if (types.includes(type) && !rows.has(task.id) && fits(task)) unseen.add(task.id);
      if (type !== "task.deleted") continue;
      unseen.delete(task.id);
      const row = rows.get(task.id);
      if (!row) continue;
      row.inert = true;
      put(row, "word", "Deleted");
      row.querySelector("input").checked = false;
      chosen();
    }
    button.hidden = unseen.size === 0;
    put(button, "count", `${unseen.size} new`);
  });
}

// Shift and a click take all between; all that match take the ticks of the rows with them. Answers what tells how many are chosen.
function select(form, rows) {
  const boxes = rows.map((row) => row.querySelector("input"));
  const all = form.elements.all;
  const page = form.querySelector("[data-page-of]");
  const actions = form.querySelectorAll("button");
  const open = () => boxes.filter((box) => !box.closest("[inert]"));
  let last = null;
  const tell = () => {
    const count = boxes.filter((box) => box.checked).length;
    put(form, "chosen", all.checked ? "All that match are selected" : count ? `${plural(count, "task")} selected` : "");
    page.firstElementChild.checked = count > 0 && count === open().length;
    page.firstElementChild.indeterminate = count > 0 && count < open().length;
    for (const action of actions) action.disabled = !all.checked && count === 0;
  };
  const tick = (some, checked) => {
    for (const box of some) box.checked = checked;
  };
  page.hidden = false;
  page.firstElementChild.addEventListener("change", ({ target }) => {
    all.checked = false;
    tick(open(), target.checked);
    tell();
  });
  all.addEventListener("change", () => {
    tick(open(), all.checked);
    tell();
  });
  for (const box of boxes) {
    box.addEventListener("click", ({ shiftKey }) => {
      if (shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        tick(boxes.slice(from, to + 1).filter((one) => !one.closest("[inert]")), box.checked);
      }
      last = box;
      all.checked = false;
      tell();
    });
  }
  // A page that comes from the cache keeps its ticks.
  addEventListener("pageshow", tell);
  tell();
  return tell;
}
