"""What the page of a task says of what started it, and of what follows on it."""

from dataclasses import dataclass
from uuid import UUID

from app.catalogue import Workload
from app.errors import NotFound
from app.resources import Resources
from app.tasks.chain_plans import links
from app.tasks.chains import FollowUp
from app.tasks.model import Task


@dataclass(frozen=True, slots=True)
class Following:
    """A link of the chain that follows. `task_id` where it has started."""

    name: str
    icon: str
    says: str
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What came before, and what comes after."""

    schedule: str  # the name of the one that started it
    before_id: str
    before: str  # the name of the task on whose success it started
    following: list[Following]


async def surroundings(parts: Resources, task: Task) -> Surroundings:
    """Raises `Unavailable`."""
    schedule = await parts.schedule_store.of_task(task.user_id, task.id)
    before = await parts.chains.before(task.user_id, task.id)
    follow = await parts.chains.of(task.user_id, task.id)
    workloads = {one.name: one for one in await parts.catalogue.all()}
    return Surroundings(
        schedule=schedule.name if schedule else "",
        before_id=str(before or ""),
        before=await _name(parts, task.user_id, before) if before else "",
        following=_following(follow, task, workloads) if follow else [],
    )


def _following(follow: FollowUp, task: Task, workloads: dict[str, Workload]) -> list[Following]:
    names = [
        str(
            link.get("name")
            or (workloads[link["workload"]].title if link["workload"] in workloads else link["workload"])
        )
        for link in links(follow.plan)
    ]
    match follow.outcome:
        case "started":
            first = Following(names[0], "arrow-right", "Started", str(follow.next_task_id))
        case "refused":
            first = Following(names[0], "alert", f"Not started: {follow.note}")
        case "dropped":
            first = Following(names[0], "ban", f"Not started. {follow.note}")
        case _ if task.state.terminal:
            first = Following(names[0], "clock", follow.note or "Starts in a moment")
        case _:
            first = Following(names[0], "clock", "Starts when this task has succeeded")
    return [first, *(Following(name, "clock", "After that") for name in names[1:])]


async def _name(parts: Resources, user_id: int, task_id: UUID) -> str:
    try:
        return (await parts.store.get(user_id, task_id)).name
    except NotFound:
        return ""
