"""A host for workloads that are called in the test's own process."""

from pathlib import Path


class Here:
    """Keeps what is reported: progress in `said`, lines of the log in `lines`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.said: list[tuple[float | None, str]] = []
        self.lines: list[str] = []

    def progress(self, fraction: float | None, message: str) -> None:
        self.said.append((fraction, message))

    def log(self, level: str, text: str) -> None:
        self.lines.append(text)

    def folder(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def cancelled(self) -> bool:
        return False

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def remaining(self) -> float:
        return 60
