"""`taskline doctor`: ask every part whether it works, and say what to do where it does not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from app.errors import TasklineError
from app.resources import open_resources
from app.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True)
class Finding:
    """What one part said. `well` is False where something has to be done."""

    part: str
    well: bool
    said: str

    def __str__(self) -> str:
        return f"{'ok' if self.well else 'PROBLEM':<8} {self.part:<10} {self.said}"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every part in turn, as a process with these settings would find it. Without a database nothing else can be asked."""
    try:
        settings.check_serving()
    except SettingsError as error:
        yield Finding("settings", well=False, said=str(error))
    else:
        yield Finding("settings", well=True, said="the service may be served with them")
    try:
        async with open_resources(settings.model_copy(update={"database_pool": 2})) as resources:
            yield Finding("database", well=True, said="answers, and its schema is this version's")
            yield await _ask("queue", resources.queue.ping)
            yield await _ask("events", resources.fanout.ping)
            workers = await resources.catalogue.workers()
            yield Finding(
                "workers",
                well=bool(workers),
                said=f"{len(workers)} at work" if workers else "none at work; start one with: taskline worker",
            )
            for worker in workers:
                for one in worker.left_out:
                    said = f"{one.source} is left out by the worker {worker.host}, process {worker.pid}: {one.reason}"
                    yield Finding("plug-in", well=False, said=said)
    except TasklineError as error:
        yield Finding("database", well=False, said=_sentence(error))


async def _ask(part: str, ping: Callable[[], Awaitable[None]]) -> Finding:
    try:
        await ping()
    except TasklineError as error:
        return Finding(part, well=False, said=_sentence(error))
    return Finding(part, well=True, said="answers")


def _sentence(error: TasklineError) -> str:
    return f"{error.detail} {error.hint}" if error.hint else error.detail
