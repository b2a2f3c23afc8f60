// What helps on every page, with and without a session.

export function plain() {
  for (const button of document.querySelectorAll("[data-reveal]")) {
    const input = document.getElementById(button.dataset.reveal);
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.textContent = shown ? "Hide" : "Show";
      button.setAttribute("aria-pressed", shown);
    });
  }
  for (const list of document.querySelectorAll("[data-submit]")) list.addEventListener("change", () => list.form.requestSubmit());
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
  const search = document.getElementById("q");
  if (location.hash === "#q") search?.focus();
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    if (search) search.focus();
    else document.querySelector("a[href='/tasks#q']")?.click();
  });
}
