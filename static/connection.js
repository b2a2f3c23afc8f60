// The dot, the banner, and the colour of what may be out of date.

import { clock } from "./format.js";

const PATIENCE = 2000; // ms without a connection before the page says so

export function connection(store, live) {
  const { dataset } = document.documentElement;
  const dot = document.querySelector("[data-live]");
  const banner = document.querySelector("[data-banner]");
  let known = new Date();
  const say = (conn, word) => {
    dataset.conn = conn;
    dot.firstElementChild.textContent = word;
    banner.hidden = conn === "up";
  };
  const down = () => {
    banner.querySelector("[data-known]").textContent = clock(known);
    say("down", "Reconnecting");
  };
  let timer = setTimeout(down, PATIENCE);
  dot.hidden = false;
  banner.querySelector("[data-reconnect]").addEventListener("click", () => live.now());
  store.subscribe(({ conn }, before) => {
    if (conn === before.conn) return;
    clearTimeout(timer);
    if (conn === "up") return say("up", "Live");
    known = new Date();
    timer = setTimeout(down, PATIENCE);
  });
}
