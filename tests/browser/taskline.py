"""The service itself as a server of the tests: embedded, on a free port, its data in a folder of its own."""

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.version import VERSION
from tests.servers.process import Server

ROOT = Path(__file__).parent.parent.parent


class Taskline(Server):
    """`taskline dev`: web, worker and sweeper in one process."""

    name = "Taskline"
    version = VERSION

    def __init__(self, port: int, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(port)
        self._settings = dict(settings or {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        return [sys.executable, "-m", "app.cli", "dev"], {
            "PYTHONPATH": str(ROOT),
            "TASKLINE_HOST": "127.0.0.1",
            "TASKLINE_PORT": str(self.port),
            "TASKLINE_DATA_DIR": str(self.folder / "data"),
            "TASKLINE_LIMIT_SIGN_UPS": "1000/minute",
            "TASKLINE_LIMIT_SIGN_INS": "1000/minute",
            **self._settings,
        }

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return self.main_pid, signal.SIGTERM
