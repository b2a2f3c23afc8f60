"""Three tasks that somebody with nothing yet can start by one press."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.artifacts.files import Files
from app.catalogue import Workload
from app.errors import NotFound
from app.web.static import Static


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A task ready to start. `sample` is a file of `static/examples` that goes into the param of that name."""

    key: str
    title: str
    text: str
    icon: str
    workload: str
    params: Mapping[str, Any]
    sample: tuple[str, str] | None = None  # (param, file)


EXAMPLES: Final = (
    Example(
        key="profile",
        title="Profile a CSV file",
        text="1,200 invented orders: types, gaps, charts and a report to download.",
        icon="file-table",
        workload="csv_profile",
        params={},
        sample=("file", "orders.csv"),
    ),
    Example(
        key="countdown",
        title="Count down from 15",
        text="Watch progress arrive, close the page, and be told at the end.",
        icon="timer",
        workload="countdown",
        params={"seconds": 15},
    ),
    Example(
        key="failure",
        title="See a failure",
        text="A task that fails after 3 seconds: its cause, and what to do.",
        icon="alert",
        workload="countdown",
        params={"seconds": 3, "fail": True},
    ),
)


def offered(workloads: list[Workload]) -> list[Example]:
    """The examples whose workload is known here."""
    known = {one.name for one in workloads}
    return [one for one in EXAMPLES if one.workload in known]


async def prepared(key: str, user_id: int, files: Files, static: Static) -> tuple[Example, dict[str, Any]]:
    """An example and its params; its sample is stored as an upload of the user. Raises `NotFound`."""
    example = next((one for one in EXAMPLES if one.key == key), None)
    if example is None:
        raise NotFound("There is no such example.")
    params = dict(example.params)
    if example.sample:
        param, name = example.sample
        saved = await files.save(user_id, name, "text/csv", _once(static.body(f"examples/{name}")))
        params[param] = str(saved.id)
    return example, params


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
