"""Open pages are told that their own person has read something, in every process, and nobody else's are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.events.fanout import Fanout
from app.web.readers import Readers

ADA, EVE = 1, 2


@pytest.fixture
async def fanout() -> AsyncIterator[Fanout]:
    one = Fanout("memory://", deployment="test", key=b"k" * 32, epoch="e")
    await one.open()
    yield one
    await one.close()


async def test_a_change_is_told_here_and_in_other_processes(fanout: Fanout) -> None:
    here, there, times = Readers(fanout), Readers(fanout), []
    heard_here, heard_there, heard_by_eve = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with here.watching(), there.watching():
        await asyncio.sleep(0)  # it listens from its first step on
        with (
            here.telling(ADA, heard_here.set),
            here.telling(ADA, lambda: times.append(ADA)),
            there.telling(ADA, heard_there.set),
            there.telling(EVE, heard_by_eve.set),
        ):
            await here.changed(ADA)
            assert heard_here.is_set(), "without the way through the broker"
            async with asyncio.timeout(5):
                await heard_there.wait()
            await here.changed(EVE)
            async with asyncio.timeout(5):
                await heard_by_eve.wait()
            assert times == [ADA], "its own signal tells it nothing new"


async def test_nobody_is_told_of_others(fanout: Fanout) -> None:
    readers, heard = Readers(fanout), []
    with readers.telling(ADA, lambda: heard.append(ADA)), readers.telling(EVE, lambda: heard.append(EVE)):
        await readers.changed(EVE)
    assert heard == [EVE]


async def test_a_page_that_has_closed_is_told_nothing(fanout: Fanout) -> None:
    readers, heard = Readers(fanout), []
    with contextlib.suppress(ConnectionError), readers.telling(ADA, lambda: heard.append("first")):
        with readers.telling(ADA, lambda: heard.append("second")):
            await readers.changed(ADA)
        await readers.changed(ADA)
        raise ConnectionError
    await readers.changed(ADA)
    assert heard.count("first") == 2
    assert heard.count("second") == 1
