// Unit tests of the reducer. Run in the browser by test_store.py: `run()` gives [name, what went wrong or null] for each.

const MINE = "01938b1f-0000-7000-8000-000000000001";
const NEXT = "01938b1f-0000-7000-8000-000000000002";

const card = (state, more = {}) => ({
  id: MINE, name: "Count down", workload: "countdown", state, attempt: 1, max_attempts: 3, progress: { fraction: null, message: "" }, summary: null,
  error: null, cancel_requested_at: null, created_at: "2026-11-24T10:00:00+00:00", started_at: null, finished_at: null, ...more,
});
const event = (type, seq, state, more) => ({ type: "frame", frame: { type, seq, at: "2026-11-24T10:00:00+00:00", task: card(state, more) } });
const frame = (value) => ({ type: "frame", frame: value });
const page = (rows = [], seq = 0) => ({ type: "page", seq, epoch: "e1", rows });
const progress = (fraction, attempt = 1) => frame({ type: "task.progress", task_id: MINE, attempt, fraction, message: "on" });

function equal(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export async function run(store) {
  const { EMPTY, Store, active, finished, reduce, unread } = store;
  const after = (...actions) => actions.reduce(reduce, EMPTY);
  const tests = {
    "a page gives the position, the cards and why they wait"() {
      const state = after(page([{ card: card("queued"), wait: { position: 2 } }, { card: card("running", { id: NEXT }), wait: null }], 7));
      equal([state.seq, state.epoch, Object.keys(state.tasks).length, state.waits], [7, "e1", 2, { [MINE]: { position: 2 } }]);
    },
    "a task goes through its states, and each step is news once"() {
      const steps = [event("task.queued", 1, "queued"), event("task.started", 2, "running"), event("task.succeeded", 3, "succeeded")];
      let state = after(page());
      const heard = [];
      for (const step of steps) {
        state = reduce(state, step);
        heard.push(state.news.map(({ type, missed }) => [type, missed]));
      }
      equal(heard, [[["task.queued", false]], [["task.started", false]], [["task.succeeded", false]]]);
      equal([active(state).length, finished(state).length, state.seq], [0, 1, 3]);
      equal(reduce(state, { type: "seen" }).news, []);
    },
    "which parts are away is known, and changes nothing else"() {
      const state = after(page([{ card: card("running"), wait: null }], 4), frame({ type: "status", down: ["queue"] }));
      equal([state.down, state.seq, active(state).length, state.news], [["queue"], 4, 1, []]);
      equal(reduce(state, frame({ type: "status", down: [] })).down, []);
    },
    "a reset is counted, as pages that hold more than cards load again"() {
      equal(after(page()).resets, 0);
      equal(after(page(), frame({ type: "reset", epoch: "e2", seq: 1, tasks: [] })).resets, 1);
    },
    "an event that comes again changes nothing"() {
      const state = after(page(), event("task.queued", 1, "queued"), event("task.started", 2, "running"), event("task.queued", 1, "queued"));
      equal([state.tasks[MINE].state, state.seq, state.news], ["running", 2, []]);
    },
    "progress counts for the running attempt alone"() {
      const running = [page(), event("task.started", 1, "running", { attempt: 2 })];
      equal(after(...running, progress(0.5, 2)).tasks[MINE].progress, { fraction: 0.5, message: "on" });
      equal(after(...running, progress(0.9, 1)).tasks[MINE].progress.fraction, null);
      equal(after(...running, event("task.failed", 2, "failed"), progress(0.9, 2)).tasks[MINE].state, "failed");
      equal(after(page(), progress(0.5)).tasks, {});
    },
    "the first connection tells what it brings; a later one counts it as missed"() {
      const welcome = (seq) => frame({ type: "welcome", epoch: "e1", seq });
      const first = after(page(), welcome(2), event("task.succeeded", 1, "succeeded"));
      equal([first.conn, first.news[0].missed, first.away], ["up", false, 0]);
      const again = after(page(), welcome(0), { type: "conn", conn: "down" }, welcome(2), event("task.queued", 1, "queued", { id: NEXT }), event("task.failed", 2, "failed"));
      equal([again.news[0].missed, again.away], [true, 1]);
      const live = reduce(again, event("task.succeeded", 3, "succeeded", { id: NEXT }));
      equal([live.news[0].missed, live.away, reduce(live, { type: "seen" }).away], [false, 1, 0]);
    },
    "without a position the first welcome gives it"() {
      const state = after({ type: "page", seq: null, epoch: null, rows: [] }, frame({ type: "welcome", epoch: "e9", seq: 12 }));
      equal([state.seq, state.epoch], [12, "e9"]);
      equal(reduce(state, frame({ type: "welcome", epoch: "other", seq: 40 })).seq, 12);
    },
    "a reset replaces everything"() {
      const state = after(page([{ card: card("running"), wait: null }], 90), frame({ type: "reset", epoch: "e2", seq: 3, tasks: [card("succeeded", { id: NEXT })] }));
      equal([state.epoch, state.seq, Object.keys(state.tasks), state.waits], ["e2", 3, [NEXT], {}]);
      equal(reduce(state, event("task.queued", 4, "queued")).seq, 4);
    },
    "unread is what the page said, and each end after that, once"() {
      const read = { seq: 2, head: 7, unread: 3, muted: ["noise"] };
      const state = after({ ...page([], 5), read }, event("task.succeeded", 6, "succeeded"));
      equal(unread(state), 3); // the page has counted it
      const steps = [event("task.queued", 8, "queued", { id: NEXT }), event("task.failed", 9, "failed", { id: NEXT }), event("task.succeeded", 10, "succeeded", { workload: "noise" })];
      equal(unread(steps.reduce(reduce, state)), 4);
      equal(unread([...steps, ...steps].reduce(reduce, state)), 4);
    },
    "what was read elsewhere is read here, whatever overtakes it"() {
      const state = after(page(), event("task.succeeded", 3, "succeeded"), event("task.failed", 6, "failed", { id: NEXT }));
      equal(unread(state), 2);
      const read = (seq, head, count, muted = []) => frame({ type: "read", seq, head, unread: count, muted });
      const marked = reduce(state, read(3, 5, 0)); // said before the second end was
      equal([unread(marked), marked.seq, marked.news], [1, 6, []]);
      equal(unread(reduce(marked, read(0, 5, 1))), 1);
      equal(unread(reduce(marked, read(3, 4, 9))), 1);
      const early = reduce(marked, read(3, 9, 2)); // has counted an end that has yet to come
      equal(unread(reduce(early, event("task.succeeded", 9, "succeeded"))), 2);
      equal(unread(reduce(early, read(3, 9, 0, ["countdown"]))), 0);
    },
    "a reset forgets how far somebody has read, until it is told anew"() {
      const state = after({ ...page([], 90), read: { seq: 80, head: 90, unread: 4, muted: [] } }, event("task.failed", 91, "failed"), frame({ type: "reset", epoch: "e2", seq: 3, tasks: [] }));
      equal(unread(state), 0);
      equal(unread(reduce(state, frame({ type: "read", seq: 1, head: 3, unread: 1, muted: [] }))), 1);
    },
    "no more unread ends are kept than are counted"() {
      let state = after(page());
      for (let at = 1; at <= 300; at += 1) state = reduce(state, event("task.succeeded", at, "succeeded"));
      equal([state.ends.length, state.ends.at(-1)], [100, 300]);
    },
    "a deleted task goes, and its emptied events with it"() {
      const state = after(page([{ card: card("failed"), wait: null }], 5), frame({ type: "task.deleted", seq: 6, task: { id: MINE } }));
      equal([state.tasks, state.seq, state.news[0].type], [{}, 6, "task.deleted"]);
      const replayed = after(page(), frame({ type: "task.started", seq: 1, task: { id: MINE } }));
      equal([replayed.tasks, replayed.seq, replayed.news], [{}, 1, []]);
    },
    "a cancel shows at once and is taken back when refused"() {
      const asked = after(page([{ card: card("running"), wait: null }]), { type: "asked-cancel", id: MINE, at: "now" });
      equal(asked.tasks[MINE].cancel_requested_at, "now");
      equal(reduce(asked, { type: "refused-cancel", id: MINE }).tasks[MINE].cancel_requested_at, null);
      equal(reduce(asked, { type: "asked-cancel", id: NEXT, at: "now" }).tasks[NEXT], undefined);
    },
    "why a task waits is forgotten once it starts"() {
      const told = after(page([{ card: card("queued"), wait: null }]), { type: "wait", id: MINE, wait: { position: 1 } });
      equal(told.waits[MINE], { position: 1 });
      equal(reduce(told, event("task.started", 1, "running")).waits, {});
      equal(reduce(told, { type: "wait", id: NEXT, wait: { position: 1 } }).waits[NEXT], undefined);
    },
    "unknown frames and actions change nothing"() {
      const state = after(page([{ card: card("running"), wait: null }], 2));
      for (const action of [frame({ type: "pong" }), frame({ type: "error", detail: "x" }), frame({ type: "echo", data: { task: 1 } }), { type: "what" }]) {
        equal(reduce(state, action), state);
      }
    },
    "the reducer leaves its input alone"() {
      const state = after(page([{ card: card("running"), wait: null }]));
      const before = JSON.stringify(state);
      for (const action of [progress(0.4), event("task.succeeded", 1, "succeeded"), { type: "asked-cancel", id: MINE, at: "now" }]) reduce(state, action);
      equal(JSON.stringify(state), before);
    },
    "old ended tasks are let go before the page grows without end"() {
      let state = after(page());
      for (let at = 1; at <= 600; at += 1) state = reduce(state, event("task.succeeded", at, "succeeded", { id: `01938b1f-0000-7000-8000-${String(at).padStart(12, "0")}` }));
      equal([Object.keys(state.tasks).length, finished(state)[0].id.endsWith("600")], [500, true]);
    },
    "listeners hear the state and the one before"() {
      const one = new Store();
      const heard = [];
      one.subscribe((now, before) => heard.push([before.seq, now.seq]));
      one.dispatch(page([], 4));
      one.dispatch(event("task.queued", 5, "queued"));
      equal(heard, [[null, null], [null, 4], [4, 5]]);
    },
  };
  return Object.entries(tests).map(([name, test]) => {
    try {
      test();
      return [name, null];
    } catch (error) {
      return [name, String(error)];
    }
  });
}
