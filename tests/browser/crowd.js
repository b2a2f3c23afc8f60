// Stands in for the page's websocket, so that what is measured is the page alone: many tasks that live at once, each told of in turn.

const STEP = 0.02; // of a task, for each progress that is told
const WORDS = ["Reading", "Counting", "Fitting models", "Writing"];
let socket = null;
let seq = 0;
let made = 0;
let turn = 0;
const live = [];

const tell = (frame) => socket.onmessage({ data: JSON.stringify(frame) });
const event = (type, task) => tell({ type, seq: (seq += 1), at: new Date().toISOString(), task });
const breath = () => new Promise((done) => setTimeout(done));

window.WebSocket = class {
  static CONNECTING = 0;
  static OPEN = 1;
  readyState = 0;

  constructor() {
    socket = this;
    setTimeout(() => {
      this.readyState = 1;
      const { user, epoch, ...page } = document.documentElement.dataset;
      seq = Number(page.seq);
      tell({ type: "welcome", user: { username: user }, seq, epoch });
    });
  }

  send() {
    tell({ type: "pong" });
  }

  close() {
    this.readyState = 3;
  }
};

function begin() {
  made += 1;
  const now = new Date().toISOString();
  const id = `ffffffff-0000-7000-8000-${String(made).padStart(12, "0")}`;
  const links = { self: `/api/v1/tasks/${id}`, page: `/tasks/${id}`, events: `/api/v1/tasks/${id}/events`, cancel: `/api/v1/tasks/${id}/cancel` };
  const queued = {
    id, links, name: `Task ${made} of the crowd`, workload: "countdown", state: "queued", attempt: 0, max_attempts: 3,
    progress: { fraction: null, message: null }, summary: null, error: null, retry_of: null, cancel_requested_at: null,
    created_at: now, run_at: null, started_at: null, finished_at: null,
  };
  event("task.queued", queued);
  const card = { ...queued, state: "running", attempt: 1, started_at: now, progress: { fraction: 0, message: null } };
  event("task.started", card);
  return card;
}

function end(card) {
  event("task.succeeded", { ...card, state: "succeeded", finished_at: new Date().toISOString(), summary: "Counted 50 steps." });
}

// One task moves on; one that is done ends, and another begins in its place.
function step() {
  const at = turn++ % live.length;
  const card = live[at];
  const fraction = card.progress.fraction + STEP;
  if (fraction >= 1) {
    end(card);
    live[at] = begin();
    return;
  }
  card.progress = { fraction, message: `${WORDS[turn % WORDS.length]}, part ${Math.round(fraction / STEP)} of ${1 / STEP}` };
  tell({ type: "task.progress", task_id: card.id, attempt: 1, ...card.progress });
}

window.crowd = {
  // So many tasks that live, each at another place of its way, after so many that have ended.
  async gather(count, ended) {
    for (let one = 0; one < ended; one += 1) {
      end(begin());
      await breath();
    }
    while (live.length < count) {
      const card = begin();
      card.progress = { fraction: live.length / count, message: null };
      live.push(card);
      await breath();
    }
  },
  // So many steps, as fast as the page takes them.
  async hurry(steps) {
    for (let one = 0; one < steps; one += 1) {
      step();
      await breath();
    }
  },
  // So many steps a second, for so many seconds; how many that were.
  walk(perSecond, seconds) {
    return new Promise((done) => {
      const began = performance.now();
      let told = 0;
      const timer = setInterval(() => {
        while (told < ((performance.now() - began) / 1000) * perSecond && told < perSecond * seconds) {
          step();
          told += 1;
        }
        if (told < perSecond * seconds) return;
        clearInterval(timer);
        done(told);
      }, 1000 / perSecond);
    });
  },
};
