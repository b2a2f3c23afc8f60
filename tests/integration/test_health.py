"""What orchestrators and monitoring ask."""

import asyncio

import httpx

from tests.integration.people import listening, person
from tests.integration.processes import Service, taskline
from tests.servers import PostgreSQL


async def test_figures_follow_what_goes_on() -> None:
    service = Service(light_slots="1", heavy_slots="3")
    try:
        await asyncio.to_thread(service.start)
        async with person(service.url) as ada, listening(service.url, ada) as heard:
            for _ in range(3):
                await ada.submit(service.url, "countdown", {"seconds": 60})
            await heard.until(lambda self: any(e["type"] == "task.started" for e in self.events))
            text = (await ada.http.get(f"{service.url}/metrics")).text
        assert 'taskline_tasks{lane="light",state="queued"} 2\n' in text
        assert 'taskline_tasks{lane="light",state="running"} 1\n' in text
        assert "taskline_workers 1\n" in text
        assert 'taskline_worker_slots{lane="heavy"} 3\n' in text
        assert "taskline_sockets 1\n" in text
        assert text.endswith("\n")
    finally:
        await asyncio.to_thread(service.close)


async def test_without_the_database_the_process_lives_but_is_not_ready(
    fresh_database_url: str, postgresql: PostgreSQL
) -> None:
    taskline("migrate", database_url=fresh_database_url)
    service = Service("serve", database_url=fresh_database_url)
    try:
        await asyncio.to_thread(service.start)
        async with httpx.AsyncClient(base_url=service.url, timeout=20) as http:
            assert "TASKLINE_QUEUE_URL is memory://, which reaches no other process" in service.said()
            assert (await http.get("/readyz")).json() == {
                "ready": True,
                "parts": {"database": "ok", "queue": "ok", "events": "ok"},
                "down": {},
            }
            await asyncio.to_thread(postgresql.stop)
            assert (await http.get("/healthz")).status_code == 200
            answer = await http.get("/readyz")
            assert answer.status_code == 503
            assert "does not answer" in answer.json()["parts"]["database"]
            assert answer.headers["retry-after"] == "5"
            await asyncio.to_thread(postgresql.start)
            assert (await http.get("/readyz")).status_code == 200, "by itself, at once"
    finally:
        await asyncio.to_thread(postgresql.start)
        await asyncio.to_thread(service.close)
