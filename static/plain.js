// What helps on every page, with and without a session.

let keys;

export function plain() {
  for (const list of document.querySelectorAll("[data-submit]")) list.addEventListener("change", () => list.form.requestSubmit());
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  // A link to a field is there to fill it in; to anything else this does nothing.
  document.getElementById(location.hash.slice(1))?.focus();
  document.addEventListener("keydown", (event) => {
    if (document.documentElement.dataset.keys || !"/?ghnt".includes(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) return;
    event.preventDefault();
    // One promise: keys that are pressed while it loads keep their order.
    keys ??= import("./keys.js");
    keys.then(({ pressed }) => pressed(event.key));
  });
}
