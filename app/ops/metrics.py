"""Figures for Prometheus, in its text format: what waits and runs, who works, who listens."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.version import VERSION

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
HELP: Final = {
    "taskline_info": "The version that runs.",
    "taskline_tasks": "Tasks that wait or run, by lane and state.",
    "taskline_workers": "Workers that are alive.",
    "taskline_worker_slots": "Tasks that all living workers can run at once, by lane.",
    "taskline_sockets": "Websockets and event streams that this process holds open.",
}

Sample = tuple[str, Mapping[str, str], float]


def exposition(samples: Iterable[Sample]) -> str:
    """The text. A sample is a metric of `HELP`, its labels, and its value."""
    by_name: dict[str, list[str]] = {name: [] for name in HELP}
    for name, labels, value in (("taskline_info", {"version": VERSION}, 1.0), *samples):
        shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
        by_name[name].append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")
    lines = []
    for name, rows in by_name.items():
        lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge", *rows]
    return "\n".join(lines) + "\n"
