"""The faults that Taskline is held to, by row: what happens, and how long it may take. The tests of a row bear its number in their names."""

from dataclasses import dataclass
from typing import Final

from tests.faults.pace import RECHECK, SLACK, USUAL

_REQUEST: Final = "the client's own pause"
_DEAD: Final = f"lease + sweep + backoff = {USUAL.lease:g} + {USUAL.sweep:g} + 2 = {USUAL.lease + USUAL.sweep + 2:g} s"
_FENCE: Final = f"0.7 × lease = {USUAL.fence:g} s"
_EVENT: Final = f"recheck = {RECHECK:g} s"
_HINT: Final = f"1.2 × poll = {1.2 * USUAL.poll:g} s"
_SOCKET: Final = "the browser's pause, 0.5 to 20 s"
SLACK_TEXT: Final = f"{SLACK:g} s"


@dataclass(frozen=True, slots=True)
class Row:
    """`bound` without the slack that a busy machine needs; a dash where nothing has to recover."""

    number: int
    fault: str
    happens: str
    bound: str = "–"


MATRIX: Final = (
    Row(1, "web killed before the commit", "there is no row; the same key, sent again, makes one task", _REQUEST),
    Row(2, "web killed after the commit, before its 202", "the same key, sent again, gets the one task", _REQUEST),
    Row(3, "web killed before it sent the hint", "a sweep or an idle worker finds the task", _HINT),
    Row(4, "the hint sent, and the web process killed right after", "one run, one result"),
    Row(5, "worker killed (-9) right after its claim", "the lease ends, another worker starts attempt 2", _DEAD),
    Row(6, "worker killed (-9) in the middle of the work", "the same; its child processes end with it", _DEAD),
    Row(7, "worker killed after the end, before it told", "the end is in the log; sockets find it there", _EVENT),
    Row(8, "worker frozen for longer than its lease", "another one runs the task; the sleeper wakes up and writes nothing", _DEAD),
    Row(9, "worker cut off from the database", "it kills its own work before the lease ends, then another one starts it", f"{_FENCE}; {_DEAD}"),
    Row(10, "RabbitMQ killed under load, and back", "nothing is lost; workers poll meanwhile", _HINT),
    Row(11, "RabbitMQ killed right after its queues were made; or never there", "workers poll and finish all", _HINT),
    Row(12, "RabbitMQ takes no messages (disk alarm)", "submits are answered as ever; workers poll", _HINT),
    Row(13, "a queue deleted, or purged, on the broker", "it is declared again, and what has lost its hint is found", _HINT),
    Row(14, "Redis killed, and back", "sockets read the log at the recheck, and live events go on", _EVENT),
    Row(15, "Redis black-holed", "a missing pong gives it away; the same", _EVENT),
    Row(16, "PostgreSQL stopped at once in the middle of a commit", "503, or no answer; the key resolves it", _REQUEST),
    Row(17, "PostgreSQL frozen for longer than a lease", "workers kill their work in time and hand it back; it runs again once the database does", f"{_FENCE}"),
    Row(18, "websocket cut after every Nth byte", "it goes on where it was: no gap, no repeat", _SOCKET),
    Row(19, "a browser stops reading", "closed with 4008; memory stays, others go on"),
    Row(20, "1,000 sockets come back at once", "all catch up", _EVENT),
    Row(21, "a worker's clock is an hour wrong", "no task is reaped early: the database's clock counts"),
    Row(22, "one message delivered 100 times", "one claim"),
    Row(23, "a task that kills its worker each time", "after three lost workers it has failed (`lost`); its neighbours are unharmed"),
    Row(24, "a cancel races the end, again and again", "one terminal state each"),
    Row(25, "the queue's URL changed to the other broker with tasks in flight", "all finish", _HINT),
    Row(26, "rolling restart under load (SIGTERM)", "nothing is lost or run twice; sockets come back with 1012", _SOCKET),
    Row(27, "RabbitMQ's `consumer_timeout` far below a task's length; a task for in 30 days", "one run each, no storm of redeliveries"),
    Row(28, "Redis emptied with arq's jobs in it", "all finish", _HINT),
    Row(29, "work that leaves its interpreter no time", "the heart beats on; nobody reaps it"),
    Row(30, "one task's hint purged under full load", "any other hint starts it in its turn", "30 s"),
    Row(31, "cancel answered, then the worker killed, or an exception", "ends `cancelled`, never started again", _DEAD),
    Row(32, "batches of claims, ends and cancels over the same users", "no deadlock escapes"),
    Row(33, "a client frozen inside an open transaction", "others wait for its locks only so long", "5 s"),
    Row(34, "an older backup restored, browsers connected", "every client gets `reset`", _EVENT),
    Row(35, "two deployments on one Redis and one RabbitMQ", "nothing crosses"),
    Row(36, "the log pruned during a replay, and under a live socket", "`reset`, never a gap"),
    Row(37, "the answer of a claim, or of an end, lost at its commit", "the worker asks the row; nothing fails that did not run, files are kept", _DEAD),
    Row(38, "PostgreSQL frozen for longer than a lease, one attempt allowed", "no task is `lost` while its worker lives", _FENCE),
    Row(39, "a second process on the same SQLite file; a blocked loop in `taskline dev`", "no living task is taken away"),
    Row(40, "a tab suspended, restored from the cache, its phone asleep", "caught up once, and nothing stale", _SOCKET),
)  # fmt: skip
