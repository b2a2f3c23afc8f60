// <toast-list>: at most three at once, more are merged into one. Success stays for 12 s of visible time, a failure until it is dismissed.

import { clone, put, setIcon, slot } from "./fill.js";
import { headline, line, look, plural } from "./format.js";

const STAYS = 12_000; // ms
const STEP = 250; // ms
const MOST = 3;

class ToastList extends HTMLElement {
  // Tell that a task ended.
  ended(card) {
    const { icon, tone } = look(card);
    this.show({ head: headline(card), line: line(card), icon, tone, href: `/tasks/${card.id}`, stays: card.state !== "failed" });
  }

  show({ head, line: text = "", icon = "alert", tone = "bad", href = "", stays = false }) {
    if (this.childElementCount >= MOST) return this.#merge();
    const toast = clone("toast");
    put(toast, "head", head);
    put(toast, "line", text);
    slot(toast, "tone").classList.add(tone);
    setIcon(toast, icon);
    slot(toast, "link").hidden = !href;
    if (href) slot(toast, "link").href = href;
    this.#add(toast, stays);
  }

  #merge() {
    const last = this.lastElementChild;
    last.tasks = (last.tasks ?? 1) + 1;
    last.left = STAYS;
    put(last, "head", `${plural(last.tasks, "more task")} ended`);
    put(last, "line", "");
    slot(last, "link").href = "/tasks";
  }

  #add(toast, stays) {
    toast.left = STAYS;
    const timer = setInterval(() => {
      if (stays && !document.hidden && !toast.matches(":hover, :focus-within")) toast.left -= STEP;
      if (toast.left <= 0) away();
    }, STEP);
    const away = () => {
      clearInterval(timer);
      toast.remove();
    };
    toast.querySelector("[data-dismiss]").addEventListener("click", away);
    this.append(toast);
  }
}

customElements.define("toast-list", ToastList);

export const toasts = () => document.querySelector("toast-list");
