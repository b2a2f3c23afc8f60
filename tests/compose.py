"""compose.yml as a value, and what its services would do, done by plain processes."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "compose.yml").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]


def make_secrets(folder: Path) -> dict[str, str]:
    """Do what the service `secrets` does, in `folder` instead of /secrets; the texts of all files there, by path."""
    for volume in SERVICES["secrets"]["volumes"]:
        (folder / volume.partition(":/secrets/")[2]).mkdir(exist_ok=True)
    script = SERVICES["secrets"]["command"][0].replace("/secrets", str(folder))
    subprocess.run([sys.executable, "-I", "-c", script], check=True)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def environment(service: str, folder: Path) -> dict[str, str]:
    """The variables that a service gets where nothing is set outside, with its secrets in `folder`."""
    variables: Mapping[str, str | None] = SERVICES[service].get("environment", {})
    return {name: value.replace("/secrets", str(folder)) for name, value in variables.items() if value is not None}
