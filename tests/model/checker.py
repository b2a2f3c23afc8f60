"""Breadth-first search through every world that can be reached; the first broken promise comes with the shortest way to it."""

from collections import deque
from dataclasses import dataclass

from tests.model.steps import Steps
from tests.model.world import Mode, Phase, Rules, Scene, Slot, State, World


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. `broken` is empty where every promise holds; else `steps` leads to where it does not."""

    worlds: int
    broken: str = ""
    steps: tuple[str, ...] = ()


def search(scene: Scene, rules: Rules) -> Found:
    """Try everything that can happen."""
    steps = Steps(scene, rules)
    start = canonical(scene.begin())
    ways: dict[World, World | None] = {start: None}  # each with the world before it
    before: dict[World, list[World]] = {}  # by steps that have to happen
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for step in steps(world):
            after = canonical(step.world)
            known = after in ways
            broken = step.broken or changed(world, after) or ("" if known else wrong(after))
            if broken:
                return Found(len(ways), broken, told(steps, scene.begin(), [*way(ways, world), after]))
            if not known:
                ways[after] = world
                waiting.append(after)
            if not step.fault:
                before.setdefault(after, []).append(world)
    stuck = without_end(ways, before)
    if stuck is not None:
        return Found(len(ways), "a task never ends", told(steps, scene.begin(), way(ways, stuck)))
    return Found(len(ways))


def canonical(world: World) -> World:
    """Workers are alike: one order stands for all."""
    return world._replace(workers=tuple(sorted(world.workers)))


def wrong(world: World) -> str:
    """The promise that does not hold in a world."""
    for number, task in enumerate(world.tasks):
        if task.ends != (task.state >= State.SUCCEEDED):
            return "a task has ended, and its events do not say so once"
        if task.state is State.SUCCEEDED and not task.kept:
            return "the files of a result are gone"
        claims = [slot.claim for slot in lively(world, number)]
        if len(claims) > 1:
            return "two workers work on one task"
        if claims and claims[0] != task.holder:
            return "work goes on whose claim is gone"
    return ""


def lively(world: World, number: int) -> list[Slot]:
    """The slots in which work on a task goes on."""
    return [
        worker.slot
        for worker in world.workers
        if worker.slot
        and worker.slot.task == number
        and worker.slot.phase in (Phase.WORKS, Phase.DYING)
        # What is frozen does nothing, and what has just been frozen has not looked at its clock yet.
        and worker.mode is not Mode.FROZEN
        and worker.excused != 2
    ]


def changed(old: World, new: World) -> str:
    """The promise that a step breaks."""
    for before, after in zip(old.tasks, new.tasks, strict=True):
        if before is after:
            continue
        if before.state >= State.SUCCEEDED and after.state is not before.state:
            return "a task ends twice"
        if after.attempt != before.attempt + (after.claims - before.claims):
            return "an attempt comes twice"
    return ""


def without_end(ways: dict[World, World | None], before: dict[World, list[World]]) -> World | None:
    """The world nearest to the start from which no steps that have to happen lead to the end of every task."""
    good = {world for world in ways if world.over}
    waiting = list(good)
    while waiting:
        for world in before.get(waiting.pop(), ()):
            if world not in good:
                good.add(world)
                waiting.append(world)
    return next((world for world in ways if world not in good), None)


def way(ways: dict[World, World | None], world: World) -> list[World]:
    """Every world from the start, without it, to this one."""
    passed: list[World] = []
    at: World | None = world
    while at is not None:
        passed.append(at)
        at = ways[at]
    return passed[-2::-1]


def told(steps: Steps, world: World, passed: list[World]) -> tuple[str, ...]:
    """The way in words. It is gone again with the workers in their places, so that each keeps its name."""
    words = []
    for after in passed:
        step = next(step for step in steps(world) if canonical(step.world) == after)
        words.append(step.words)
        world = step.world
    return tuple(words)
