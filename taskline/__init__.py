"""What an author of workloads imports.

```python
from taskline import Context, workload

@workload
def countdown(ctx: Context, seconds: int = 10) -> str:
    \"\"\"Count down, one second at a time.\"\"\"
    for _ in ctx.track(range(seconds), "second"):
        ctx.sleep(1)
    return f"Counted {seconds} seconds."
```
"""

from taskline.context import Context
from taskline.decorator import workload
from taskline.definition import Workload
from taskline.errors import Cancelled, DefinitionError, Fail, Rejected, RetryLater
from taskline.fields import Accept, Ui
from taskline.files import File

__all__ = [
    "Accept",
    "Cancelled",
    "Context",
    "DefinitionError",
    "Fail",
    "File",
    "Rejected",
    "RetryLater",
    "Ui",
    "Workload",
    "workload",
]
