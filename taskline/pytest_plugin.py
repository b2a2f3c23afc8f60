"""Taskline's pytest plug-in: the fixture `tasks`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskline.testing import Harness


@pytest.fixture
def tasks() -> "Iterator[Harness]":
    """Runs workloads without a server: `tasks.run(workload, params)`."""
    # Here, since pytest loads this module wherever Taskline is installed, for tests that never ask for it too.
    from taskline.testing import Harness

    with Harness() as harness:
        yield harness
