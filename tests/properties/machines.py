"""Running a state machine of hypothesis against real databases, all of it on one loop."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from app.tasks.states import State
from tests.contracts.task_databases import task_database


@dataclass
class Known:
    """What a model knows of a task."""

    user_id: int
    state: State = State.QUEUED
    attempt: int = 0
    errors: int = 0
    lost: int = 0
    cancelling: bool = False
    token: UUID | None = None
    worker: UUID | None = None
    events: list[str] = field(default_factory=lambda: ["task.queued"])


def check(
    kind: type[RuleBasedStateMachine],
    url: str,
    connections: Collection[str],
    *,
    examples: int,
    steps: int,
    phases: Collection[Phase] = tuple(Phase),
) -> None:
    """Run `examples` of `kind`, whose class gets the `loop` and, by each name in `connections`, the tasks of `url` over connections of its own.

    Prints the steps of a failure, and the line (`@reproduce_failure`) that brings them again.
    """
    with asyncio.Runner() as loop:
        stack = AsyncExitStack()
        try:
            opened = {name: loop.run(stack.enter_async_context(task_database(url))) for name in connections}
            machine = type("Machine", (kind,), {"loop": loop, **opened})
            chosen = settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                print_blob=True,
                phases=phases,
            )
            run_state_machine_as_test(machine, settings=chosen)
        finally:
            loop.run(stack.aclose())
