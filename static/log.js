// <log-view>: the log of a task's runs, each attempt apart. While the task runs it asks for new lines; wrap, copy, follow.

import { clone, put, slot } from "./fill.js";
import { clock, plural } from "./format.js";

const EVERY = 1500; // ms between two questions
const MOST = 1000; // lines of an attempt that are shown

class LogView extends HTMLElement {
  connectedCallback() {
    slot(this, "tools").hidden = false;
    for (const button of this.querySelectorAll("[aria-pressed]")) {
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
        this.#toEnd();
      });
    }
    const copy = slot(this, "copy");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText([...this.querySelectorAll("pre")].map((log) => log.textContent).join("\n"));
      copy.lastElementChild.textContent = "Copied";
    });
    if (this.dataset.lines) this.#ask();
  }

  async #ask() {
    this.#toEnd();
    const answer = document.hidden ? null : await fetch(`${this.dataset.lines}?after=${this.dataset.after}`).catch(() => null);
    const { items, next } = answer?.ok ? await answer.json() : { items: [], next: this.dataset.after };
    this.dataset.after = next;
    for (const line of items) this.#add(line);
    setTimeout(() => this.#ask(), EVERY);
    this.#toEnd();
  }

  #add({ attempt, at, level, text }) {
    let part = this.querySelector(`[data-attempt="${attempt}"]`);
    if (!part) {
      slot(this, "none").hidden = true;
      part = clone("log-attempt");
      part.dataset.attempt = attempt;
      put(part, "name", `Attempt ${attempt}`);
      this.querySelector(".cb").append(part);
    }
    const line = clone("log-line");
    put(line, "at", clock(new Date(at)));
    put(line, "text", text);
    line.className = level;
    const log = part.querySelector("pre");
    log.append(line);
    if (log.children.length > MOST) log.firstElementChild.remove();
    put(part, "count", plural(log.children.length, "line"));
  }

  // The newest line comes into view, where somebody follows.
  #toEnd() {
    const log = [...this.querySelectorAll("pre")].at(-1);
    if (log && this.querySelector('[data-x="follow"][aria-pressed="true"]')) log.scrollTop = log.scrollHeight;
  }
}

customElements.define("log-view", LogView);
