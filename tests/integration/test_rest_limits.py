"""What one user may ask for at once: over it, nothing is stored."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.processes import Service
from tests.integration.rest import API, COUNTDOWN, caller, refused

LATER = {**COUNTDOWN, "run_at": "2999-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    one = Service(limit_waiting="3", limit_requests="40/minute")
    try:
        one.start()
        yield one
    finally:
        one.close()


async def test_too_many_waiting_tasks(service: Service) -> None:
    async with caller(service) as ada, caller(service) as bob:
        tasks = [await ada.submit(LATER, key=f"key {number}") for number in range(3)]
        answer = await ada.ask(LATER, key="another")
        refused(answer, 429)
        assert int(answer.headers["retry-after"]) > 0
        assert [card["id"] for card in (await ada.get(f"{API}/tasks")).json()["items"]] == [
            task["id"] for task in reversed(tasks)
        ]
        assert len((await ada.get(f"{API}/events")).json()["items"]) == 3
        # A repeat asks for nothing new, and other users are not concerned.
        assert (await ada.submit(LATER, key="key 0"))["id"] == tasks[0]["id"]
        await bob.submit(LATER)


async def test_too_many_requests(service: Service) -> None:
    async with caller(service) as ada, caller(service) as bob:
        answers: list[httpx.Response] = [await ada.get(f"{API}/me") for _ in range(60)]
        assert answers[0].status_code == 200
        refused(answers[-1], 429)
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        refused(await ada.ask(LATER), 429)
        assert (await bob.get(f"{API}/events")).json()["items"] == []
