"""Install what the tests need and the machine lacks, by apt where root runs it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.servers.process import ServerError
from tests.servers.programs import PACKAGES, find

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_APT: Final = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")


def install() -> None:
    """Bring every missing program. Raises ServerError with the command to run where that needs somebody else."""
    packages = sorted({package for program, package in PACKAGES.items() if find(program) is None})
    if not packages:
        return
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServerError(
            f"The tests need {', '.join(packages)}. On Debian, install what is missing with: sudo {command}"
        )
    print(f"Installing {', '.join(packages)}", flush=True)
    with _services_stay_off():
        if not _known(packages):
            _run("update")
        _run("install", "-y", "--no-install-recommends", *packages)
    if missing := [program for program in PACKAGES if find(program) is None]:
        raise ServerError(f"{', '.join(missing)} did not come with {command}")


def _known(packages: list[str]) -> bool:
    """Whether apt has lists that know each package."""
    said = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=False).stdout
    return said.count("Candidate: ") == len(packages) and "Candidate: (none)" not in said


def _run(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*_APT, *arguments], env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ServerError(f"apt-get {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """The tests start servers of their own: Debian's must neither start nor hold the usual ports."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
