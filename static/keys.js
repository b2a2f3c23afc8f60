// What single keys do. Loaded when the first of them is pressed, and by the account page for its button.

const PAIR = 1500; // ms for the second key of two

const { user } = document.documentElement.dataset;
const dialog = document.getElementById("keys");
let began = -PAIR; // when g was pressed

export function pressed(key) {
  const second = performance.now() - began < PAIR;
  began = key === "g" ? performance.now() : -PAIR;
  if (key === "?") show();
  else if (key === "h" && second) location.assign("/");
  else if (!user) return;
  else if (key === "t" && second) location.assign("/tasks");
  else if (key === "/") reach("q", "/tasks");
  else if (key === "n") reach("w", "/");
}

// A field of this page, or of the page that has it, which then focuses it.
function reach(id, page) {
  const field = document.getElementById(id);
  if (field) field.focus();
  else location.assign(`${page}#${id}`);
}

async function show() {
  await styled();
  if (!dialog.open) dialog.showModal(); // Escape closes it, and the focus returns, by itself
}

let style;
const styled = () => (style ??= new Promise((done) => {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("keys.css", import.meta.url);
  link.onload = link.onerror = done;
  document.head.append(link);
}));

for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", show);
}
