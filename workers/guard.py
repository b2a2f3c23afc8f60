"""What child processes start themselves outlives a worker that is killed: the kernel ends the children alone. A shell beside the worker ends the rest."""

import contextlib
import logging
import subprocess
from collections.abc import Iterable
from typing import Final

log = logging.getLogger(__name__)

# Each line names all groups of processes that there are. The end of its input is the worker's end, however that came. Signals to a whole service are not
# for it: it would miss the end. What has left its group is known by the mark in its environment ($1).
SCRIPT: Final = """trap '' HUP INT TERM
while read -r line; do groups=$line; done
for group in $groups; do kill -9 "-$group"; done
for look in 1 2 3 4 5; do
  left=$(grep -lsz "^$1" /proc/[0-9]*/environ | cut -d / -f 3)
  [ -n "$left" ] || break
  kill -9 $left
done
"""


class Guard:
    """One a worker. Does nothing where there is no shell. `mark`: how the variable begins that the environment of each child holds."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._shell: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Start it."""
        try:
            self._shell = subprocess.Popen(
                ("/bin/sh", "-c", SCRIPT, "guard", self._mark),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            log.warning("programs that tasks start would outlive a kill of this worker: %s", error)

    def tell(self, groups: Iterable[int]) -> None:
        """These are all groups now."""
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(f"{' '.join(map(str, groups))}\n".encode())

    def close(self) -> None:
        """Let it go, once no child is left."""
        if self._shell is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
            self._shell.wait()
