// The form that starts a task: changes with the workload, sends without leaving the page, shows each field's error.

import { toasts } from "./toasts.js";

export function startForm() {
  const form = document.querySelector("form[data-start]");
  if (!form) return;
  const choose = document.querySelector("[data-choose]");
  choose?.addEventListener("change", () => swap(form, choose.value));
  // A tab that comes back keeps what was chosen in the list, but not the fields that belonged to it.
  if (choose && choose.value !== form.elements.workload.value) swap(form, choose.value);
  const then = form.querySelector("[data-then]");
  then?.addEventListener("change", () => follow(form, then.value));
  if (then && then.value !== form.querySelector("[data-then-fields]").dataset.thenFields) follow(form, then.value);
  // Times are meant on the reader's own clock, unless another zone was chosen.
  const zone = form.querySelector("[data-zone]");
  if (zone?.value === "UTC") zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  form.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.requestSubmit());
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    send(form);
  });
}

const markup = (kind, workload) => document.querySelector(`template[data-${kind}="${CSS.escape(workload)}"]`);

// What follows on success brings its own fields; nothing brings none.
function follow(form, workload) {
  const place = form.querySelector("[data-then-fields]");
  const none = document.createElement("div");
  none.dataset.thenFields = "";
  none.hidden = true;
  place.replaceWith(markup("then-workload", workload)?.content.cloneNode(true) ?? none);
}

function swap(form, workload) {
  const template = markup("workload", workload);
  form.querySelector("[data-fields]").replaceWith(template.content.cloneNode(true));
  form.elements.workload.value = workload;
  form.elements.name.placeholder = template.dataset.title;
}

async function send(form) {
  const button = form.querySelector("button.primary");
  button.disabled = true;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { accept: "application/json" } }).catch(() => null);
  button.disabled = false;
  if (answer?.status === 401) return location.assign("/login");
  const told = await answer?.json().catch(() => null);
  clear(form);
  if (answer?.status === 202) return started(form, told);
  if (answer?.status === 201) return location.assign(told.links.page);
  const placed = Object.entries(told?.errors || {}).filter(([name, text]) => mark(form, name, text));
  if (!placed.length) toasts().show({ head: "Not started", line: told ? `${told.detail} ${told.hint ?? ""}` : "The service does not answer. Try again." });
}

function started(form, told) {
  if (form.elements.retry_of) return location.assign(told.links.page);
  // Back to the defaults, an uploaded file included: the next task is another one, and its form too.
  form.elements.key.value = `${Date.now()}-${Math.random()}`;
  form.elements.name.value = "";
  swap(form, form.elements.workload.value);
  form.elements["then.workload"].value = "";
  follow(form, "");
}

function mark(form, name, text) {
  const control = form.elements[`p.${name}`] || form.elements[`upload.${name}`] || form.elements[name];
  const field = (control?.closest ? control : control?.[0])?.closest(".f");
  if (!field) return false;
  const note = document.createElement("p");
  note.className = "err";
  note.textContent = text;
  note.setAttribute("role", "alert");
  field.append(note);
  control.setAttribute?.("aria-invalid", "true");
  control.focus?.();
  return true;
}

function clear(form) {
  for (const note of form.querySelectorAll(".err")) note.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
}
