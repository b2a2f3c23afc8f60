"""Runs workloads in tests: no server, no waiting. With pytest, the fixture `tasks` is a `Harness`.

```python
def test_it_counts(tasks: Harness) -> None:
    run = tasks.run(countdown, {"seconds": 3}, crash_at=2)
    assert (run.state, run.attempts, run.value) == ("succeeded", 2, "Counted 3 seconds.")
```
"""

from taskline.testing.harness import Harness
from taskline.testing.run import Run
from taskline.testing.submission import NotAccepted

__all__ = ["Harness", "NotAccepted", "Run"]
