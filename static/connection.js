// The dot, the banner, and the colour of what may be out of date.

import { clock } from "./format.js";

const PATIENCE = 2000; // ms without a connection before the page says so

export function connection(store, live) {
  const { dataset } = document.documentElement;
  const dot = document.querySelector("[data-live]");
  const banner = document.querySelector("[data-banner]");
  const [box] = banner.children;
  const lost = banner.querySelector("[data-lost]");
  const button = banner.querySelector("[data-reconnect]");
  const parts = [...banner.querySelectorAll("[data-away-part]")];
  let known = new Date();
  const say = (conn, word) => {
    dataset.conn = conn;
    dot.firstElementChild.textContent = word;
    show();
  };
  // Without a connection only the database is known of: it refuses every new one.
  const show = () => {
    const off = dataset.conn === "down";
    const { down } = store.state;
    const said = down.includes("database") ? ["database"] : off ? [] : down;
    for (const part of parts) part.hidden = !said.includes(part.dataset.awayPart);
    lost.hidden = !off || said.length > 0;
    button.hidden = !off;
    box.hidden = !off && said.length === 0;
    banner.toggleAttribute("data-shown", !box.hidden);
  };
  const down = () => {
    banner.querySelector("[data-known]").textContent = clock(known);
    say("down", "Reconnecting");
  };
  let timer = setTimeout(down, PATIENCE);
  dot.hidden = false;
  button.addEventListener("click", () => live.now());
  store.subscribe((state, before) => {
    if (state.down !== before.down) show();
    if (state.conn === before.conn) return;
    clearTimeout(timer);
    if (state.conn === "up") return say("up", "Live");
    known = new Date();
    timer = setTimeout(down, PATIENCE);
  });
}
