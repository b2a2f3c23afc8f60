"""The rest of the fault kit: failpoints strike where and when they say, processes are found, answers told from lost connections."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from app.migrate import upgrade
from tests.faults import recovery
from tests.faults.failpoints import Failpoint, Fault, found, install, parse
from tests.faults.metronome import EVERY, FEWEST, Metronome
from tests.faults.migrated import SQLITE, migrate
from tests.faults.names import POINTS, Point
from tests.faults.pace import SHORT, USUAL
from tests.faults.processes import alive, carrying, within
from tests.faults.wire import Lost, Wire
from tests.integration.processes import Service

ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize("name", POINTS)
def test_every_point_still_points_at_something(name: str) -> None:
    for target in POINTS[name].targets:
        assert callable(found(target)[2])


def test_the_product_has_no_word_of_failpoints() -> None:
    for folder in ("app", "workers", "taskline"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search("fail_?point", path.read_text(), re.IGNORECASE), path


def test_the_syntax() -> None:
    asked = parse("after-claim=kill,before-finish=raise@3, after-run=delay:0.5")
    assert asked == [
        Fault("after-claim", "kill"),
        Fault("before-finish", "raise", 0.0, 3),
        Fault("after-run", "delay", 0.5),
    ]
    assert parse("") == []


@pytest.mark.parametrize(
    "wrong",
    [
        "nowhere=kill",
        "after-claim=explode",
        "after-claim",
        "after-claim=delay",
        "after-claim=kill:2",
        "after-claim=kill@x",
    ],
)
def test_what_would_never_happen_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="FAILPOINTS"):
        parse(wrong)


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Something to wrap, found under this module's name."""

    class Product:
        def __init__(self) -> None:
            self.done = 0

        def work(self) -> int:
            self.done += 1
            return self.done

        async def work_slowly(self) -> int:
            return self.work()

    monkeypatch.setitem(sys.modules, "the_product", SimpleNamespace(Product=Product))
    return Product


def points(when: Any) -> dict[str, Point]:
    return {"point": Point(when, ("the_product:Product.work_slowly",))}


@pytest.mark.parametrize(("when", "done"), [("before", 1), ("after", 2)])
async def test_it_strikes_before_or_after_at_the_passage_that_was_named(product: Any, when: str, done: int) -> None:
    install(parse("point=raise@2", points(when)), points(when))
    made = product()
    assert await made.work_slowly() == 1
    with pytest.raises(Failpoint):
        await made.work_slowly()
    assert made.done == done
    assert await made.work_slowly() == done + 1


async def test_two_faults_at_one_point_both_strike(product: Any) -> None:
    install(parse("point=delay:0.1@1,point=raise@2", points("before")), points("before"))
    made, began = product(), time.monotonic()
    assert await made.work_slowly() == 1
    assert time.monotonic() - began >= 0.1
    with pytest.raises(Failpoint):
        await made.work_slowly()


@pytest.mark.parametrize(("action", "number"), [("kill", signal.SIGKILL), ("freeze", signal.SIGSTOP)])
def test_signals_go_to_the_process_itself(monkeypatch: pytest.MonkeyPatch, action: Any, number: int) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, signal_: sent.append((pid, signal_)))
    Fault("after-claim", action).strike()
    assert sent == [(os.getpid(), number)]


SLEEPS: Final = "import time; time.sleep(60)"
LEAVES_A_CHILD: Final = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEPS!r}])
print("worker 0 runs nothing", flush=True)
time.sleep(60)
"""


class Careless(Service):
    """A worker that does not look after its child."""

    patience = 0.3


@pytest.fixture
def careless() -> Iterator[Careless]:
    service = Careless("worker", program=(sys.executable, "-c", LEAVES_A_CHILD))
    service.start()
    yield service
    service.close()


def test_a_process_that_outlives_its_worker_is_noted_and_killed(careless: Careless) -> None:
    [child] = [one for one in carrying(str(careless.folder)) if one.pid != careless.main_pid]
    assert within(child.pid, {careless.main_pid})
    assert not within(child.pid, {child.pid + 1})
    careless.crash()
    [noted] = careless.left_behind
    assert noted.startswith(f"{child.pid} ")
    assert "time.sleep" in noted
    assert not alive(child.pid)


def test_a_killed_tree_leaves_nothing_behind(careless: Careless) -> None:
    careless.kill()
    assert careless.left_behind == []
    assert not list(carrying(str(careless.folder)))


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        assert child.stdout is None
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(child.pid)
    assert alive(os.getpid())


@contextlib.asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[str]:
    """A server that gives each request of a connection the next answer; an empty one: it ends the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


OK: Final = b'HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\n{"id":1}'


async def test_a_connection_serves_several_requests() -> None:
    async with answering(OK, OK) as origin:
        wire = Wire("cookie", within=2)
        for _ in range(2):
            answer = await wire.request(origin, "GET", "/")
            assert (answer.status, answer.json()) == (202, {"id": 1})
        await wire.close()


@pytest.mark.parametrize("part", [0, 10, len(OK) - 1])
async def test_half_an_answer_is_no_answer(part: int) -> None:
    async with answering(OK[:part]) as origin:
        wire = Wire("cookie", within=2)
        with pytest.raises(Lost):
            await wire.request(origin, "GET", "/")
        await wire.close()


async def test_silence_is_no_answer_and_nobody_there_is_a_refusal(free_port: int) -> None:
    async with answering(b"HTTP/1.1 202 Accepted\r\n", OK) as origin:
        with pytest.raises(Lost):
            await Wire("cookie", within=0.1).request(origin, "GET", "/")
    with pytest.raises(ConnectionRefusedError):
        await Wire("cookie").request(f"http://127.0.0.1:{free_port}", "GET", "/")


async def test_copies_of_a_migrated_file_have_keys_of_their_own(tmp_path: Path) -> None:
    urls = [f"{SQLITE}{tmp_path / name}" for name in ("first.db", "second.db", "third.db")]
    migrated = []

    def run(url: str) -> None:
        migrated.append(url)
        asyncio.run(upgrade(url))

    for url in urls:
        await asyncio.to_thread(migrate, url, f"kind of {tmp_path}", run)
    assert migrated == urls[:1]
    keys = set()
    for url in urls:
        with contextlib.closing(sqlite3.connect(url.removeprefix(SQLITE))) as db:
            keys |= set(db.execute("SELECT key, value FROM meta WHERE key IN ('epoch', 'event_key')"))
    assert len(keys) == 2 * len(urls)


def test_recoveries_are_kept_shown_and_held_to_their_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "RECORDED", [])
    monkeypatch.setattr(recovery, "METRONOME", Metronome())  # one that does not run stretches nothing
    monkeypatch.setenv("FAULTS_REPORT", str(report := tmp_path / "report.jsonl"))
    for hundredths in range(1, 101):
        recovery.record(5, "arq", hundredths / 100, 1.5)
    with pytest.raises(AssertionError, match=r"row 5 on arq took 2\.00 s"):
        recovery.record(5, "arq", 2.0, 1.5)
    assert len(report.read_text().splitlines()) == 101
    assert recovery.table()[1].split() == ["5", "arq", "101", "0.51", "0.96", "2.00", "1.50"]


def test_the_promised_bound_of_a_dead_worker() -> None:
    assert USUAL.dead_worker() < 15
    assert SHORT.heartbeat <= SHORT.lease / 3


def test_a_bound_is_stretched_by_how_much_slower_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    metronome = Metronome()
    assert metronome.slower(60) == 1.0, "it does not run"
    monkeypatch.setattr(metronome, "tick", lambda: metronome.note(0.02))
    metronome.start()
    try:
        assert metronome.slower(60) == 1.0
        for _ in range(FEWEST):
            metronome.note(0.06)
        assert metronome.slower(0.0) == pytest.approx(3.0), "of too short a time, the last ticks"
        assert 1.0 < metronome.slower(60 * EVERY) < 3.0
    finally:
        metronome.stop()
