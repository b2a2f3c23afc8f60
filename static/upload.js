// <file-drop>: sends a file as soon as it is chosen or dropped, with its progress; the form then carries only its id.
// Without this script the same file input goes with the form.

import { put, setIcon, slot } from "./fill.js";
import { size } from "./format.js";

class FileDrop extends HTMLElement {
  #request = null;

  connectedCallback() {
    if (this.input) return;
    this.input = this.querySelector("input[type=file]");
    this.bar = this.querySelector("progress");
    this.what = this.querySelector(".what");
    const pick = slot(this, "pick");
    // A hidden control cannot say that it is needed: the browser would refuse the form without a word.
    this.needed = this.input.required;
    this.input.required = false;
    this.input.hidden = true;
    this.what.hidden = pick.hidden = false;
    if (this.classList.contains("done")) pick.textContent = "Replace";
    pick.addEventListener("click", () => (this.busy ? this.#request.abort() : this.input.click()));
    this.input.addEventListener("change", () => this.input.files[0] && this.send(this.input.files[0]));
    for (const kind of ["dragenter", "dragover"]) this.addEventListener(kind, (event) => this.#over(event, true));
    for (const kind of ["dragleave", "drop"]) this.addEventListener(kind, (event) => this.#over(event, false));
    this.addEventListener("drop", (event) => event.dataTransfer.files[0] && this.send(event.dataTransfer.files[0]));
    // Before the form's own script, whichever of the two came first.
    this.closest("form").addEventListener("submit", (event) => this.#hold(event), true);
  }

  get busy() {
    return this.#request !== null;
  }

  send(file) {
    this.#request?.abort();
    const request = new XMLHttpRequest();
    this.#request = request;
    this.#show(file.name, "Sending", "Cancel", "upload");
    this.bar.hidden = false;
    this.bar.value = 0;
    request.upload.onprogress = ({ loaded, total }) => {
      this.bar.value = (loaded / total) * 100;
      put(this, "state", `${Math.floor(this.bar.value)}% of ${size(total)}`);
    };
    request.onloadend = () => this.#ended(request, file);
    request.open("POST", "/api/v1/files");
    request.setRequestHeader("accept", "application/json");
    request.responseType = "json";
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  }

  #ended(request, file) {
    if (request !== this.#request) return;
    this.#request = null;
    this.bar.hidden = true;
    // The id goes with the form in the place of the file.
    this.input.value = "";
    if (request.status === 201) {
      this.#id().value = request.response.id;
      this.classList.add("done");
      this.#show(request.response.name, size(file.size), "Replace", "circle-check");
      this.dispatchEvent(new CustomEvent("uploaded", { bubbles: true }));
    } else {
      const { errors, detail, hint } = request.response ?? {};
      const why = errors?.file || detail || "The upload did not get through.";
      this.querySelector("input[type=hidden]")?.remove();
      this.classList.remove("done");
      this.#show(file.name, `${why} ${hint || "Choose it again."}`, "Choose", "alert");
    }
  }

  #id() {
    const found = this.querySelector("input[type=hidden]");
    if (found) return found;
    const made = document.createElement("input");
    made.type = "hidden";
    made.name = this.input.dataset.idName;
    this.prepend(made);
    return made;
  }

  #show(name, state, action, icon) {
    put(this, "file", name);
    put(this, "state", state);
    put(this, "pick", action);
    setIcon(this, icon);
  }

  #over(event, inside) {
    event.preventDefault();
    this.classList.toggle("over", inside);
  }

  #hold(event) {
    if (!this.isConnected) return;
    if (this.busy) {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.addEventListener("uploaded", () => event.target.requestSubmit(), { once: true });
    } else if (this.needed && !this.querySelector("input[type=hidden]")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      put(this, "state", "Choose a file first.");
      slot(this, "pick").focus();
    }
  }
}

customElements.define("file-drop", FileDrop);
