"""One attempt at a task in a test: calls the function, in the test's own thread where it can."""

import asyncio
import contextlib
import io
import queue
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO
from uuid import UUID

from taskline.calling import Raised, arguments, raised
from taskline.context import Context
from taskline.definition import Workload
from taskline.files import File
from taskline.outcome import result_of
from taskline.results import Result
from taskline.testing.clock import Clock, VirtualLoop
from taskline.testing.host import GRACE, Counted, Host

_UNWIND_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is called, with what."""

    workload: Workload[..., Any]
    params: dict[str, Any]
    files: Mapping[str, File]
    version: int
    secrets: Mapping[str, str]
    task_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned; `artifacts` by name."""

    result: Result
    artifacts: dict[str, bytes]


class Dead:
    """The worker died under it."""


Ending = Returned | Raised | Dead


class Attempt:
    """Runs one call. `exception` is what it raised."""

    def __init__(self, call: Call, host: Host, clock: Clock, folder: Path) -> None:
        self.exception: BaseException | None = None
        self._call = call
        self._host = host
        self._clock = clock
        self._folder = folder
        self._thread: threading.Thread | None = None

    def run(self, *, may_die: bool) -> Ending:
        """Run it to its end, or to the death of its worker."""
        with self._process():
            if self._call.workload.mode != "loop" and not may_die:
                return self._ending(self._plainly)
            # A loop cannot run inside the loop of an asynchronous test, and who dies must stand still without the test doing so.
            ended: queue.SimpleQueue[Ending] = queue.SimpleQueue()
            body = self._on_loop if self._call.workload.mode == "loop" else self._plainly
            self._thread = threading.Thread(target=lambda: ended.put(self._ending(body)), daemon=True)
            self._host.on_death = lambda: ended.put(Dead())
            self._thread.start()
            return ended.get()

    def release(self) -> None:
        """Let what stood still since the worker's death unwind."""
        self._host.released.set()
        if self._thread is not None:
            self._thread.join(_UNWIND_SECONDS)

    def _ending(self, body: Callable[[Context, dict[str, Any]], Any]) -> Ending:
        call = self._call
        context = Context(self._host, task_id=call.task_id, attempt=call.attempt, secrets=call.secrets, strict=True)
        context.gathered = Counted(self._host)
        try:
            if call.workload.warm is not None:
                call.workload.warm()
            checked = arguments(call.workload, call.params, call.version, call.files)
            returned = body(context, checked)
            cuts: list[str] = []
            result = result_of(returned, context.gathered.blocks, cuts)
            if cuts:
                raise ValueError("; ".join(cuts))
            return Returned(result, {offer.name: offer.path.read_bytes() for offer in context.gathered.offers})
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.exception = error
            return raised(error, call.workload.retry_on)

    def _plainly(self, context: Context, checked: dict[str, Any]) -> Any:
        return self._call.workload.call(context, checked)

    def _on_loop(self, context: Context, checked: dict[str, Any]) -> Any:
        loop = VirtualLoop(self._clock)
        try:
            work = loop.run_until_complete(self._watched(self._call.workload.call(context, checked)))
            if not work.done():
                work._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  it swallows its cancellation; a worker leaves it behind too
                raise asyncio.CancelledError
            loop.run_until_complete(_end_others())
            return work.result()
        finally:
            loop.close()

    async def _watched(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """The task of the coroutine, once it has ended or does not heed its end."""
        asked = asyncio.Event()
        work = asyncio.ensure_future(coroutine)
        asking = asyncio.ensure_future(asked.wait())

        def interrupt() -> None:
            work.cancel()
            asked.set()

        self._host.on_ask = interrupt
        try:
            done, _ = await asyncio.wait(
                {work, asking}, timeout=self._host.remaining(), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._host.ask("timeout")
            if not work.done():
                await asyncio.wait({work}, timeout=GRACE)
        finally:
            asking.cancel()
        return work

    @contextlib.contextmanager
    def _process(self) -> Iterator[None]:
        """Of what runs in a process of its own: the attempt's folder is where it works, and what it prints is in its log."""
        if self._call.workload.mode != "process":
            yield
            return
        prints = _Prints(self._host, sys.stdout)
        with contextlib.chdir(self._folder), contextlib.redirect_stdout(prints):
            yield
        prints.end()


class _Prints(io.TextIOBase):
    """Writes where it would have been written, and hands the host each line."""

    def __init__(self, host: Host, beneath: TextIO) -> None:
        self._host = host
        self._beneath = beneath
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._hand(line)
        return self._beneath.write(text)

    def end(self) -> None:
        """Hand over what has no newline behind it."""
        self._hand(self._rest)

    def _hand(self, line: str) -> None:
        if line.strip():
            self._host.printed(line)

    def flush(self) -> None:
        self._beneath.flush()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
