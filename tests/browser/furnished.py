"""A person with something of everything: tasks in each state, files, schedules and notifications, for what looks at all pages."""

import asyncio
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from PIL import Image
from playwright.async_api import APIRequestContext

from app.assets import static_dir

SLOTS: Final = 2  # light ones, of the service: what comes after two countdowns waits
SETTINGS: Final = {"TASKLINE_LIGHT_SLOTS": str(SLOTS)}
PATIENCE: Final = 120.0  # seconds
BROKEN: Final = b"day,visitors,sales\n2026-10-01,412,1290.50\n2026-10-02,398,1187.25,left over\n"


async def furnish(request: APIRequestContext, countdowns: tuple[float, float] = (3600, 3600)) -> dict[str, str]:
    """Fill the account that `request` is logged in to; the addresses of its tasks' pages, by what they show.

    `countdowns`: seconds for which the two tasks run that are not to end.
    """
    orders = (static_dir() / "examples" / "orders.csv").read_bytes()
    before, after = (
        await upload(request, "orders-may.csv", orders),
        await upload(request, "orders-june.csv", _later(orders)),
    )
    pictures, broken = await upload(request, "shop.zip", _pictures()), await upload(request, "visitors.csv", BROKEN)
    ended = {
        "thumbnails": await start(request, "make_thumbnails", "Pictures of the shop", {"file": pictures}),
        "compared": await start(request, "compare_csv", "Orders, May against June", {"before": before, "after": after}),
        "failed": await start(request, "csv_profile", "Visitors of October", {"file": broken}),
        "finished": await start(request, "csv_profile", "Orders of June", {"file": after}),
    }
    for address in ended.values():
        await over(request, address)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0).isoformat()
    scheduled = await start(request, "countdown", "Before the meeting", {"seconds": 5}, run_at=tomorrow)
    cancelled = await start(request, "countdown", "Not needed", {"seconds": 5}, run_at=tomorrow)
    await _post(request, f"/api/v1{cancelled}/cancel")
    chained = await start(
        request,
        "countdown",
        "Nightly clean-up",
        {"seconds": countdowns[0]},
        then={"workload": "countdown", "params": {"seconds": 1}, "name": "And its report"},
    )
    running = await start(request, "countdown", "Tea for everybody", {"seconds": countdowns[1]})
    for address in (chained, running):
        await _until(request, address, "running")
    waiting = await start(request, "countdown", "After the others", {"seconds": 30})
    for cron, name, paused in (("0 9 * * MON-FRI", "Every morning", False), ("0 3 1 * *", "First of the month", True)):
        schedule = {
            "workload": "countdown",
            "params": {"seconds": 5},
            "name": name,
            "cron": cron,
            "zone": "Europe/Berlin",
        }
        made = await _post(request, "/api/v1/schedules", schedule)
        if paused:
            answer = await request.patch(f"/api/v1/schedules/{made['id']}", data={"paused": True})
            assert answer.ok, await answer.text()
    return {
        **ended,
        "cancelled": cancelled,
        "scheduled": scheduled,
        "chained": chained,
        "running": running,
        "waiting": waiting,
    }


async def start(request: APIRequestContext, workload: str, name: str, params: Mapping[str, Any], **more: Any) -> str:
    """Start a task; the address of its page."""
    made = await _post(request, "/api/v1/tasks", {"workload": workload, "name": name, "params": dict(params), **more})
    return f"/tasks/{made['id']}"


async def over(request: APIRequestContext, address: str) -> None:
    """Wait until a task has ended, however it did."""
    await _until(request, address, "succeeded", "failed", "cancelled")


async def _until(request: APIRequestContext, address: str, *states: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await (await request.get(f"/api/v1{address}")).json())["state"] not in states:  # noqa: ASYNC110  REST gives no sign
            await asyncio.sleep(0.1)


async def _post(request: APIRequestContext, address: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = await request.post(address, data=dict(body or {}))
    assert answer.ok, await answer.text()
    made: dict[str, Any] = await answer.json()
    return made


async def upload(request: APIRequestContext, name: str, content: bytes) -> str:
    """Upload a file; its id."""
    answer = await request.post(
        "/api/v1/files", multipart={"file": {"name": name, "mimeType": "application/octet-stream", "buffer": content}}
    )
    assert answer.ok, await answer.text()
    return str((await answer.json())["id"])


def _later(orders: bytes) -> bytes:
    """The table a month later: some rows gone, some changed, some new."""
    header, *rows = orders.decode().splitlines()
    kept = [
        f"{row.removesuffix(',no')},yes" if at % 60 == 0 and row.endswith(",no") else row
        for at, row in enumerate(rows[20:])
    ]
    last = int(rows[-1].partition(",")[0])
    new = [f"{last + at},{row.partition(',')[2]}" for at, row in enumerate(rows[:35], 1)]
    return "\n".join([header, *kept, *new]).encode() + b"\n"


def _pictures() -> bytes:
    """A zip of pictures: skies from dawn to dusk."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for at, name in enumerate(("dawn", "morning", "noon", "afternoon", "evening", "dusk")):
            sky = Image.linear_gradient("L").resize((640, 480))
            bright = 1 - abs(at - 2.5) / 4
            picture = Image.merge(
                "RGB",
                [
                    sky.point(lambda value, part=part: int((255 - value) * part[0] + value * part[1]))
                    for part in (
                        (0.9 - bright / 2, 0.95),
                        (0.4 + bright / 4, 0.75 * bright + 0.2),
                        (0.6 * bright + 0.3, bright),
                    )
                ],
            )
            content = io.BytesIO()
            picture.save(content, "JPEG")
            archive.writestr(f"{name}.jpg", content.getvalue())
    return packed.getvalue()
