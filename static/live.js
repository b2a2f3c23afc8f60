// The one websocket: connects where the page's position left off, and comes back by itself.

const SOONEST = 500; // ms before a new try
const FIRST = 2000; // ms before the first one at most; twice as long each time
const LATEST = 20_000; // ms between tries at most
const QUIET = 25_000; // ms without a frame before the server is asked for one
const DEAF = 8_000; // ms for its answer
const NEVER_AGAIN = new Set([4001]); // the session ended
const SLOWLY = new Set([4009, 4013]); // too many sockets, too many frames: a quick return would only repeat it

export class Live {
  #store;
  #socket = null;
  #tries = 0;
  #timer = 0;
  #watch = 0;
  #leave;

  // `leave()` is called once the session has ended.
  constructor(store, leave) {
    this.#store = store;
    this.#leave = leave;
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
    addEventListener("pagehide", () => this.#drop());
    addEventListener("pageshow", (event) => event.persisted && this.now());
  }

  // Connect at once unless connected; a person, the network or a woken page asks for it.
  now() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask();
    else {
      this.#drop();
      this.#tries = 0;
      this.connect();
    }
  }

  connect() {
    clearTimeout(this.#timer);
    const { seq, epoch } = this.#store.state;
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (seq !== null) url.search = new URLSearchParams({ after: seq, epoch });
    const socket = new WebSocket(url, "taskline.v1");
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#tries = 0;
      this.#listen();
      this.#store.dispatch({ type: "frame", frame: JSON.parse(data) });
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
  }

  #closed(code) {
    clearTimeout(this.#watch);
    this.#socket = null;
    if (this.#store.state.conn !== "down") this.#store.dispatch({ type: "conn", conn: "down" });
    if (NEVER_AGAIN.has(code)) return this.#leave();
    if (code === 1006 && this.#tries > 0) this.#check();
    const most = SLOWLY.has(code) ? LATEST : Math.min(LATEST, FIRST * 2 ** this.#tries);
    const least = SLOWLY.has(code) ? LATEST / 2 : SOONEST;
    this.#tries += 1;
    this.#timer = setTimeout(() => this.connect(), least + Math.random() * (most - least));
  }

  // A refused handshake does not say why: ask whether the session still stands.
  async #check() {
    const answer = await fetch("/api/v1/me", { headers: { accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) this.#leave();
  }

  #listen() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#ask(), QUIET);
  }

  // A sleeping phone or a lost network closes nothing: silence after a ping is the only sign.
  #ask() {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send('{"type":"ping"}');
    this.#watch = setTimeout(() => {
      this.#drop();
      this.#closed(1006);
    }, DEAF);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }
}
