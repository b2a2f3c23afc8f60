"""Which tasks an address or a form means: the filter of the list of tasks, there and back."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from app.tasks.model import TaskFilter
from app.tasks.states import State

NAMES: Final = ("state", "workload", "q")


def query_of(values: Mapping[str, Any]) -> dict[str, str]:
    """The filter's part of what was sent; a state that is none is left out."""
    query = {name: str(values.get(name) or "").replace("\0", "") for name in NAMES}
    return query if query["state"] in set(State) else {**query, "state": ""}


def filter_of(query: Mapping[str, str]) -> TaskFilter:
    """As the store takes it."""
    state = State(query["state"]) if query["state"] else None
    return TaskFilter(state=state, workload=query["workload"] or None, q=query["q"] or None)


def address(query: Mapping[str, Any]) -> str:
    """The list of these tasks."""
    kept = {name: value for name, value in query.items() if value}
    return f"/tasks?{urlencode(kept)}" if kept else "/tasks"
