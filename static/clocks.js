// <task-clock since="…">: the time since then, each second. <time-ago>: how long ago its <time> was, each half minute.
// One timer serves all; while the connection is down they stand still, as what they count may have ended.

import { write } from "./fill.js";
import { ago, duration } from "./format.js";

const shown = new Set();

class Clock extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    this.tick();
  }

  disconnectedCallback() {
    shown.delete(this);
  }
}

class TaskClock extends Clock {
  static observedAttributes = ["since"];
  every = 1;

  attributeChangedCallback() {
    this.tick();
  }

  tick() {
    const since = this.getAttribute("since");
    if (since) write(this, duration((Date.now() - new Date(since)) / 1000));
  }
}

class TimeAgo extends Clock {
  every = 30;

  tick() {
    const time = this.querySelector("time");
    if (time.dateTime) time.textContent = ago(new Date(time.dateTime), new Date());
  }
}

let seconds = 0;
setInterval(() => {
  seconds += 1;
  if (document.hidden || document.documentElement.dataset.conn === "down") return;
  for (const one of shown) if (seconds % one.every === 0) one.tick();
}, 1000);

customElements.define("task-clock", TaskClock);
customElements.define("time-ago", TimeAgo);
