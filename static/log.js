// <log-view>: wrap and copy.

class LogView extends HTMLElement {
  connectedCallback() {
    const text = this.querySelector("pre");
    if (!text) return;
    this.querySelector("[data-tools]").hidden = false;
    const wrap = this.querySelector("[data-wrap]");
    wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", text.classList.toggle("wrap-lines")));
    const copy = this.querySelector("[data-copy]");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent);
      copy.querySelector("span").textContent = "Copied";
    });
  }
}

customElements.define("log-view", LogView);
