"""Everything that can happen next in a world.

It mirrors app/tasks/postgresql.py, workers/heart.py, workers/runtime.py and workers/sweeper.py.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.model.world import (
    FENCE,
    LEASE,
    MOST_ERRORS,
    MOST_LOST,
    Look,
    Mode,
    Phase,
    Rules,
    Scene,
    Slot,
    State,
    Task,
    Worker,
    World,
)


class Step(NamedTuple):
    """`fault`: nothing that has to happen. `broken`: the promise that the step itself breaks."""

    words: str
    world: World
    fault: bool = False
    broken: str = ""


VERDICTS: Final = {
    Phase.RESULT: "its result",
    Phase.ERROR: "its error",
    Phase.CANCELLED: "that it was cancelled",
    Phase.HAND_BACK: "that it hands the task back",
}


class Steps:
    """The steps of one scene under some rules."""

    def __init__(self, scene: Scene, rules: Rules) -> None:
        self._scene = scene
        self._rules = rules
        self._fence = FENCE if rules.fence_before_lease else LEASE
        self._oldest = self._fence + 1

    def __call__(self, world: World) -> Iterator[Step]:
        for at, worker in enumerate(world.workers):
            name = f"worker {at + 1}"
            reached = worker.linked and world.database
            if worker.mode in (Mode.UP, Mode.LEAVING):
                if slot := worker.slot:
                    yield from self._with_slot(world, at, worker, slot, name, reached=reached)
                elif worker.mode is Mode.LEAVING:
                    yield Step(f"{name} exits", put(world, at, Worker(mode=Mode.DEAD)))
                elif reached:
                    yield from self._idle(world, at, worker, name)
                if worker.mode is Mode.UP and reached and self._rules.reaps:
                    yield from self._reap(world, at, worker, name)
            elif worker.mode is Mode.FROZEN:
                yield Step(f"{name} thaws", put(world, at, worker._replace(mode=Mode.UP, excused=2, contact=0)))
            else:
                yield Step(f"{name} starts anew", put(world, at, Worker()))
            if not worker.linked and worker.mode is not Mode.DEAD:
                yield Step(f"the link of {name} is back", put(world, at, worker._replace(linked=True)))
            if world.faults:
                yield from self._faults(world._replace(faults=world.faults - 1), at, worker, name)
        yield from self._around(world)

    def _around(self, world: World) -> Iterator[Step]:
        if not world.database:
            yield Step("the database is back", world._replace(database=True))
        elif self._scene.cancels:
            yield from self._cancels(world)
        if world.faults:
            less = world._replace(faults=world.faults - 1)
            if world.database and "database" in self._scene.kinds:
                yield Step("the database is away", less._replace(database=False), fault=True)
            if world.hints and "messages" in self._scene.kinds:
                yield Step("a hint is lost", less._replace(hints=world.hints - 1), fault=True)
                yield Step("a hint comes twice", less._replace(hints=world.hints + 1), fault=True)
        if not self._urgent(world):
            yield Step("a tick passes", self._tick(world))

    def _faults(self, less: World, at: int, worker: Worker, name: str) -> Iterator[Step]:
        kinds = self._scene.kinds
        if "die" in kinds and worker.mode is not Mode.DEAD:
            yield Step(f"{name} is killed", put(less, at, Worker(mode=Mode.DEAD)), fault=True)
        if worker.mode is not Mode.UP:
            return
        if "freeze" in kinds:
            yield Step(f"{name} freezes", put(less, at, worker._replace(mode=Mode.FROZEN, look=())), fault=True)
        if "drain" in kinds:
            slot = worker.slot
            if slot and slot.phase is Phase.WORKS:
                slot = slot._replace(phase=Phase.DYING)
            yield Step(
                f"{name} is told to stop",
                put(less, at, worker._replace(mode=Mode.LEAVING, slot=slot, look=())),
                fault=True,
            )
        if "cut" in kinds and worker.linked:
            cut = worker._replace(linked=False, excused=max(1, worker.excused), look=())
            yield Step(f"{name} is cut off", put(less, at, cut), fault=True)

    def _idle(self, world: World, at: int, worker: Worker, name: str) -> Iterator[Step]:
        if worker.look and not worker.look.reaps:
            yield self._take(world, at, worker._replace(look=()), worker.look.task, name)
            return
        due = [
            number
            for number, task in enumerate(world.tasks)
            if task.state is State.QUEUED and not (task.cancelling and self._rules.claim_refuses_cancelled)
        ]
        if worker.look:
            return
        if world.hints and not self._scene.crowded:
            woken = world._replace(hints=world.hints - 1)
            yield Step(
                f"{name} gets a hint", put(woken, at, worker._replace(look=Look(False, due[0]))) if due else woken
            )
        elif self._scene.crowded:
            # There is always a hint, for some task. Our own may be among them.
            if due and (self._rules.hints_name_no_task or world.hints):
                woken = world if self._rules.hints_name_no_task else world._replace(hints=world.hints - 1)
                yield Step(f"{name} gets a hint", put(woken, at, worker._replace(look=Look(False, due[0]))))
        elif due and self._rules.polls:
            yield Step(f"{name} polls", put(world, at, worker._replace(look=Look(False, due[0]))))
        if due and not world.hints and self._scene.broker and not self._scene.crowded:
            yield Step(f"the sweeper of {name} sends a hint", world._replace(hints=1))

    def _take(self, world: World, at: int, worker: Worker, number: int, name: str) -> Step:
        task = world.tasks[number]
        refused = task.cancelling and self._rules.claim_refuses_cancelled
        if self._rules.claim_checks_state and (task.state is not State.QUEUED or refused):
            return Step(f"{name} finds task {number + 1} taken", put(world, at, worker))
        broken = "a task that somebody cancelled starts again" if task.cancelling else ""
        claims = task.claims + 1
        claim = claims if self._rules.claims_take_new_tokens else 1
        taken = task._replace(state=State.RUNNING, claims=claims, attempt=task.attempt + 1, holder=claim, lease=LEASE)
        last = () if self._rules.reap_spares_by_claim else (number, claim)
        worker = worker._replace(slot=Slot(number, claim, Phase.ASKED), last=last)
        return Step(f"{name} claims task {number + 1}", put(change(world, number, taken), at, worker), broken=broken)

    def _with_slot(
        self, world: World, at: int, worker: Worker, slot: Slot, name: str, *, reached: bool
    ) -> Iterator[Step]:
        def then(**changes: object) -> World:
            return put(world, at, worker._replace(slot=slot._replace(**changes)))  # type: ignore[arg-type]

        match slot.phase:
            case Phase.ASKED:
                age = slot.age if self._rules.claim_ages_from_sending else 0
                late = age >= self._fence and self._rules.late_claims_are_not_run
                yield Step(
                    f"{name} hears of its claim" + (", too late" if late else ""),
                    then(phase=Phase.HAND_BACK if late else Phase.WORKS, age=age),
                )
                if world.faults and "answers" in self._scene.kinds:
                    less = world._replace(faults=world.faults - 1)
                    # In doubt it asks under its token; a claim may also be carried out when it has stopped asking.
                    yield Step(
                        f"{name} finds its claim by asking again",
                        put(less, at, worker._replace(slot=slot._replace(phase=Phase.HAND_BACK))),
                        fault=True,
                    )
                    yield Step(f"{name} never hears of its claim", put(less, at, worker._replace(slot=())), fault=True)
            case Phase.WORKS:
                if reached and slot.age:
                    yield from self._beat(world, at, worker, slot, name)
                if self._rules.fences and slot.age >= self._fence:
                    yield Step(f"{name} fences itself", then(phase=Phase.DYING))
                yield Step(f"the work of {name} comes to its result", then(phase=Phase.RESULT))
                if self._scene.errors:
                    yield Step(f"the work of {name} fails", then(phase=Phase.ERROR))
            case Phase.DYING:
                yield Step(
                    f"the work of {name} is gone",
                    then(phase=Phase.HAND_BACK if self._rules.hands_back else Phase.GIVEN_UP),
                )
                if reached and not self._rules.hands_back_after_end:
                    yield self._end(world, at, worker, slot, name, heard=False)
            case Phase.GIVEN_UP:
                if world.tasks[slot.task].holder != slot.claim:
                    yield Step(f"{name} is free", put(world, at, worker._replace(slot=())))
            case _ if reached:
                yield self._end(world, at, worker, slot, name, heard=True)
                if world.faults and "answers" in self._scene.kinds:
                    less = world._replace(faults=world.faults - 1)
                    yield self._end(less, at, worker, slot, name, heard=False)._replace(fault=True)

    def _beat(self, world: World, at: int, worker: Worker, slot: Slot, name: str) -> Iterator[Step]:
        task = world.tasks[slot.task]
        holds = task.holder == slot.claim
        if not holds and self._rules.beats_check_claim:
            if self._rules.missing_claim_ends_work:
                yield Step(f"{name} hears that its claim is lost", put(world, at, worker._replace(slot=(), excused=0)))
            else:
                yield Step(
                    f"{name} beats, and overlooks that its claim is lost",
                    put(world, at, worker._replace(slot=slot._replace(age=0))),
                )
            return
        if not holds and task.state is not State.RUNNING:
            yield Step(f"{name} hears that its task has ended", put(world, at, worker._replace(slot=(), excused=0)))
            return
        phase = Phase.CANCELLED if task.cancelling else slot.phase
        for late in (0, 1):
            age = late if self._rules.beats_age_from_sending else 0
            beaten = worker._replace(slot=slot._replace(phase=phase, age=age), excused=0)
            kept = change(world, slot.task, task._replace(lease=LEASE - late))
            yield Step(f"{name} beats" + (", the answer takes a tick" if late else ""), put(kept, at, beaten))

    def _end(self, world: World, at: int, worker: Worker, slot: Slot, name: str, *, heard: bool) -> Step:
        task, rules = world.tasks[slot.task], self._rules
        words = f"{name} writes {VERDICTS.get(slot.phase, VERDICTS[Phase.HAND_BACK])}" + (
            "" if heard else ", and hears no answer"
        )
        done = worker._replace(slot=(), excused=0) if heard else worker
        holds = task.holder == slot.claim or not rules.finish_checks_claim
        if not (holds and (task.state is State.RUNNING or not rules.finish_checks_state)):
            own = task.state is State.SUCCEEDED and task.claims == slot.claim
            if own and not rules.keeps_files_of_lost_answers:
                world = change(world, slot.task, task._replace(kept=False))
            return Step(f"{words}: no row", put(world, at, done))
        ended = self._outcome(task, slot.phase)
        return Step(words, put(change(world, slot.task, self._closed(ended)), at, done))

    def _outcome(self, task: Task, phase: Phase) -> Task:
        rules = self._rules
        match phase:
            case Phase.RESULT:
                return task._replace(state=State.SUCCEEDED)
            case Phase.CANCELLED:
                return task._replace(state=State.CANCELLED)
            case Phase.ERROR:
                failed = task.errors + 1 >= MOST_ERRORS
                after = (
                    State.CANCELLED
                    if task.cancelling and rules.retry_heeds_cancel
                    else State.FAILED
                    if failed
                    else State.QUEUED
                )
                return task._replace(state=after, errors=task.errors + 1)
            case _:
                after = State.CANCELLED if task.cancelling and rules.release_heeds_cancel else State.QUEUED
                return task._replace(state=after, attempt=task.attempt - (not rules.release_keeps_attempt))

    def _closed(self, task: Task) -> Task:
        told = task.state >= State.SUCCEEDED and self._rules.ends_with_event
        return task._replace(holder=0, lease=0, ends=task.ends + told)

    def _reap(self, world: World, at: int, worker: Worker, name: str) -> Iterator[Step]:
        rules = self._rules
        if worker.look:
            if worker.look.reaps:
                yield self._take_over(world, at, worker._replace(look=()), worker.look.task, name)
            return
        if rules.reap_waits_for_contact and worker.contact < LEASE:
            return
        for number, task in enumerate(world.tasks):
            if self._expired(task, number, worker):
                yield Step(
                    f"the reaper of {name} sees task {number + 1}",
                    put(world, at, worker._replace(look=Look(True, number))),
                )

    def _expired(self, task: Task, number: int, worker: Worker) -> bool:
        mine = worker.slot and worker.slot.phase is not Phase.ASKED and worker.slot[:2] == (number, task.holder)
        if not self._rules.reap_spares_by_claim:
            mine = worker.last == (number, task.holder)
        return task.state is State.RUNNING and task.lease == 0 and not mine

    def _take_over(self, world: World, at: int, worker: Worker, number: int, name: str) -> Step:
        task = world.tasks[number]
        if self._rules.reap_rechecks and not self._expired(task, number, worker):
            return Step(f"the reaper of {name} finds task {number + 1} alive", put(world, at, worker))
        alive = any(
            other.slot
            and other.slot[:2] == (number, task.holder)
            and other.slot.phase is not Phase.ASKED
            and other.mode in (Mode.UP, Mode.LEAVING)
            and not other.excused
            for other in world.workers
        )
        cancelled = task.cancelling and self._rules.reap_heeds_cancel
        after = State.CANCELLED if cancelled else State.FAILED if task.lost + 1 >= MOST_LOST else State.QUEUED
        taken = self._closed(task._replace(state=after, lost=task.lost + 1))
        broken = "a worker is taken for dead that lives" if alive else ""
        return Step(
            f"the reaper of {name} takes task {number + 1}",
            put(change(world, number, taken), at, worker),
            broken=broken,
        )

    def _cancels(self, world: World) -> Iterator[Step]:
        for number, task in enumerate(world.tasks):
            if task.cancelling:
                continue
            if task.state is State.QUEUED or not self._rules.cancel_checks_state:
                ended = self._closed(task._replace(state=State.CANCELLED, cancelling=True))
                yield Step(f"somebody cancels task {number + 1}", change(world, number, ended), fault=True)
            elif task.state is State.RUNNING:
                yield Step(
                    f"somebody cancels task {number + 1}",
                    change(world, number, task._replace(cancelling=True)),
                    fault=True,
                )

    def _urgent(self, world: World) -> bool:
        """Whether something is due that takes less than a tick where nothing hinders it."""
        for worker in world.workers:
            if not worker.slot or worker.mode not in (Mode.UP, Mode.LEAVING):
                continue
            phase, age, reached = worker.slot.phase, worker.slot.age, worker.linked and world.database
            due = phase is Phase.DYING or (
                reached and (age >= 1 if phase <= Phase.WORKS else phase is not Phase.GIVEN_UP)
            )
            if due or (phase is Phase.WORKS and self._rules.fences and age > self._fence):
                return True
        return False

    def _tick(self, world: World) -> World:
        tasks = tuple(task._replace(lease=task.lease - 1) if task.lease else task for task in world.tasks)
        return world._replace(tasks=tasks, workers=tuple(self._older(worker, world) for worker in world.workers))

    def _older(self, worker: Worker, world: World) -> Worker:
        slot = worker.slot
        if slot and slot.phase <= Phase.WORKS and slot.age < self._oldest:
            slot = slot._replace(age=slot.age + 1)
        good = worker.linked and world.database and worker.mode is Mode.UP
        return worker._replace(
            contact=min(LEASE, worker.contact + 1) if good else 0, excused=min(worker.excused, 1), slot=slot, look=()
        )


def put(world: World, at: int, worker: Worker) -> World:
    """The world with another worker in that place."""
    return world._replace(workers=(*world.workers[:at], worker, *world.workers[at + 1 :]))


def change(world: World, number: int, task: Task) -> World:
    """The world with another row."""
    return world._replace(tasks=(*world.tasks[:number], task, *world.tasks[number + 1 :]))
