// The one websocket: connects where the page's position left off, and comes back by itself; also after the tab, the browser or the whole machine slept.

const SOONEST = 500; // ms before a new try
const FIRST = 2000; // ms before the first one at most; twice as long each time
const LATEST = 20_000; // ms between tries at most
const QUIET = 25_000; // ms without a frame before the server is asked for one
const DEAF = 5_000; // ms for its answer
const PATIENCE = 10_000; // ms for a new connection to stand
const PULSE = 5_000; // ms between looks at the clock: timers stand still while the machine sleeps, the clock does not
const SLEPT = 15_000; // ms without a pulse: the connection may be dead without a sign
const REFUSED = 5_000; // ms between tries at most while the service answers that it cannot
const NEVER_AGAIN = new Set([4001]); // the session ended
const SLOWLY = new Set([4009, 4013]); // too many sockets, too many frames: a quick return would only repeat it

export class Live {
  #store;
  #socket = null;
  #tries = 0;
  #timer = 0;
  #watch = 0;
  #most = LATEST;
  #began = 0;
  #asleep = false;
  #leave;

  // `leave()` is called once the session has ended.
  constructor(store, leave) {
    this.#store = store;
    this.#leave = leave;
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
    // A page that is put away keeps no connection, and hears nothing: what it missed comes when it is shown again.
    addEventListener("pagehide", () => this.#sleep());
    addEventListener("pageshow", (event) => event.persisted && this.#wake());
    document.addEventListener("freeze", () => this.#sleep());
    document.addEventListener("resume", () => this.#wake());
    let pulse = Date.now();
    setInterval(() => {
      const slept = Date.now() - pulse > SLEPT;
      pulse = Date.now();
      if (slept) this.now();
    }, PULSE);
  }

  #sleep() {
    this.#asleep = true;
    this.#drop();
    if (this.#store.state.conn === "up") this.#store.dispatch({ type: "conn", conn: "down" });
  }

  #wake() {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.now();
    this.#check(); // the session may have ended in another tab, and this page be somebody's who has left
  }

  // Connect at once unless connected; a person, the network or a woken page asks for it.
  now() {
    if (this.#asleep) return;
    const connecting = this.#socket?.readyState === WebSocket.CONNECTING && Date.now() < this.#began + DEAF;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask();
    else if (!connecting) {
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
    url.search = new URLSearchParams({ status: 1, read: 1, ...(seq === null ? {} : { after: seq, epoch }) });
    const socket = new WebSocket(url, "taskline.v1");
    this.#socket = socket;
    this.#began = Date.now();
    this.#lost(PATIENCE);
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#tries = 0;
      this.#most = LATEST;
      this.#listen();
      const frame = JSON.parse(data);
      // Somebody else has logged in meanwhile: this page shows what is not theirs.
      if (frame.type === "welcome" && frame.user.username !== document.documentElement.dataset.user) return location.reload();
      this.#store.dispatch({ type: "frame", frame });
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
  }

  #closed(code) {
    clearTimeout(this.#watch);
    this.#socket = null;
    if (this.#store.state.conn !== "down") this.#store.dispatch({ type: "conn", conn: "down" });
    if (NEVER_AGAIN.has(code)) return this.#leave();
    if (code === 1006 && this.#tries > 0) this.#check();
    const most = SLOWLY.has(code) ? LATEST : Math.min(this.#most, FIRST * 2 ** this.#tries);
    const least = SLOWLY.has(code) ? LATEST / 2 : SOONEST;
    this.#tries += 1;
    this.#timer = setTimeout(() => this.connect(), least + Math.random() * (most - least));
  }

  // A refused handshake does not say why: ask whether the session still stands, and whether the service can tell.
  async #check() {
    const answer = await fetch("/api/v1/me", { headers: { accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) return this.#leave();
    const away = answer?.status === 503;
    this.#most = away ? REFUSED : LATEST;
    if (away && this.#store.state.conn !== "up") this.#store.dispatch({ type: "frame", frame: { type: "status", down: ["database"] } });
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
    this.#lost(DEAF);
  }

  // Take the connection for dead unless a frame comes within so many ms.
  #lost(within) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.#drop();
      this.#closed(1006);
    }, within);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    // To close one that is still connecting would be told as an error.
    if (socket?.readyState === 0) socket.onopen = () => socket.close();
    else socket?.close();
  }
}
