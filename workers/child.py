"""The child's side of work in a process of its own: `python -m workers.child FD PARENT` reads work from FD, line by line, and answers on it.

Started by exec and kept warm. It serves one workload, dies with its parent, and is interrupted by SIGUSR1.
"""

import ctypes
import functools
import inspect
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import Any, Final

from taskline import File, Workload
from taskline.context import Context
from workers.child_limits import be_modest, hint, keep_to
from workers.child_reports import Channel, Host, Reporter
from workers.interrupts import Interrupts
from workers.invocation import arguments, failure, load, success
from workers.wire import MARK, Ending, Ready, SentFile, Unsuccessful, Work

# What prctl takes.
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38


class Worker:
    """Runs one piece of work after the other in the main thread."""

    def __init__(self, channel: Channel, reporter: Reporter) -> None:
        self._channel = channel
        self._reporter = reporter
        self._interrupts = Interrupts()

    def run(self, work: Work) -> None:
        """Do it, and send its ending after everything that it printed."""
        host = Host(self._channel, self._reporter, work, self._interrupts)
        self._reporter.begin()
        ending = self._ending(work, host)
        host.open = False
        self._reporter.end()
        self._flush(work)
        self._channel.send(ending)

    def _ending(self, work: Work, host: Host) -> Ending:
        retry_on: tuple[str, ...] = ()
        context = Context(host, task_id=work.task_id, attempt=work.attempt, secrets=work.secrets)
        try:
            keep_to(work.allowance, work.remaining_s)
            os.chdir(work.folder)
            os.environ["TMPDIR"] = tempfile.tempdir = str(work.folder)
            with self._interrupts.allowed():
                workload = _loaded(work.target)
                retry_on = workload.retry_on
                checked = arguments(workload, work.params, work.version, {one.id: _file(one) for one in work.files})
                returned = workload.call(context, checked)
                if inspect.iscoroutine(returned):  # of a workload that runs on the worker's loop usually
                    # Here: with asyncio it would be a sixth of the time that a child takes to start, and few need it.
                    from workers.coroutines import completed

                    returned = completed(returned, self._interrupts)
                return success(context, returned)
        except BaseException as error:  # noqa: BLE001  whatever it is, the parent must hear of it
            return _told(error, retry_on)

    def _flush(self, work: Work) -> None:
        # Where the work has closed its output the parent misses the mark; it does not wait long for it.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(1, b"\n" + MARK + str(work.claim).encode() + b"\n")


def _told(error: BaseException, retry_on: tuple[str, ...]) -> Unsuccessful:
    told = failure(error, retry_on)
    return told if told.hint else told.model_copy(update={"hint": hint(error)})


@functools.cache
def _loaded(target: str) -> Workload[..., Any]:
    workload = load(target)
    if workload.warm is not None:
        workload.warm()
    return workload


def _file(sent: SentFile) -> File:
    return File(id=sent.id, name=sent.name, size=sent.size, sha256=sent.sha256, path=sent.path)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what it starts stays where its parent finds it
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # and can be killed: it becomes nobody else
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def main() -> None:
    """Serve until the parent closes the line."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    os.set_inheritable(descriptor, False)  # programs that the work starts must not hold the line open
    be_modest()
    connection = socket.socket(fileno=descriptor)
    channel = Channel(connection)
    worker = Worker(channel, Reporter(channel, parent))
    channel.send(Ready())
    with connection.makefile("rb") as lines:
        for line in lines:
            worker.run(Work.model_validate_json(line))
    os._exit(0)


if __name__ == "__main__":
    main()
