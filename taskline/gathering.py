"""Gathers what a task shows and offers while it runs. Naming something again replaces it."""

import mimetypes
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from taskline import limits
from taskline.blocks import chart_block, metric_block, table_block, text_block
from taskline.plain import clean, cut
from taskline.results import AnyBlock, FileLink, Image, Metric

OFFERED: Final = ".offered"  # the folder, inside the attempt's own, of artifacts that came as bytes or from elsewhere


@dataclass(frozen=True, slots=True)
class Offer:
    """A file to download: a path inside the attempt's folder."""

    name: str
    media_type: str
    path: Path


class Gathered:
    """Blocks and artifacts so far. `complain` hears of what was cut or cannot be shown."""

    def __init__(self, folder: Callable[[], Path], complain: Callable[[Exception | str], None]) -> None:
        self._folder = folder
        self._complain = complain
        self._blocks: dict[tuple[str, str], AnyBlock] = {}
        self._offers: dict[str, Offer] = {}

    @property
    def blocks(self) -> list[AnyBlock]:
        """In the order in which they were first named."""
        return list(self._blocks.values())

    @property
    def offers(self) -> list[Offer]:
        """The artifacts, in the order in which they were first named."""
        return list(self._offers.values())

    def text(self, name: str, markdown: str) -> None:
        self._add(lambda cuts: text_block(name, str(markdown), cuts))

    def metric(self, name: str, value: Any, unit: str | None, step: float | None) -> None:
        earlier = self._blocks.get(("metric", name))
        self._add(
            lambda cuts: metric_block(name, value, unit, step, earlier if isinstance(earlier, Metric) else None, cuts)
        )

    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        self._add(lambda cuts: table_block(name, rows, cuts))

    def chart(
        self,
        name: str,
        kind: str,
        x: Sequence[Any],
        y: Sequence[Any] | Mapping[str, Sequence[Any]],
        z: Sequence[Sequence[Any]] | None,
        labels: tuple[str, str],
    ) -> None:
        self._add(lambda cuts: chart_block(name, kind, x, y, z, labels, cuts))

    def artifact(self, name: str, content: Path | str | bytes, media_type: str | None) -> None:
        if self._offer(name, content, media_type):
            self._add(lambda _: FileLink(name=name, artifact=name))

    def image(self, name: str, source: Path | str | bytes, alt: str, media_type: str | None) -> None:
        if self._offer(name, source, media_type):
            self._add(lambda _: Image(name=name, artifact=name, alt=cut(alt or name, limits.LONGEST_CELL)))

    def _add(self, make: Callable[[list[str]], AnyBlock]) -> None:
        cuts: list[str] = []
        try:
            block = make(cuts)
        except (ValidationError, TypeError, ValueError, OverflowError, AttributeError) as error:
            self._complain(error)
            return
        self._blocks[block.type, block.name] = block
        for said in cuts:
            self._complain(said)

    def _offer(self, name: str, content: Path | str | bytes, media_type: str | None) -> bool:
        try:
            check_artifact_name(name)
            path = self._kept(name, content)
        except (ValueError, OSError) as error:
            self._complain(error)
            return False
        guessed = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._offers[name] = Offer(name, cut(guessed, limits.LONGEST_NAME), path)
        return True

    def _kept(self, name: str, content: Path | str | bytes) -> Path:
        """Where the artifact lies inside the attempt's folder; it is copied there where it lies elsewhere, or under a name that cannot be told."""
        folder = self._folder().resolve()
        if not isinstance(content, bytes):
            path = Path(content).resolve()
            if not path.is_file():
                raise ValueError(f"artifact {name!r}: there is no file {content}")
            if path.is_relative_to(folder) and clean(str(path)) == str(path):
                return path
        kept = folder / OFFERED / name
        kept.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            kept.write_bytes(content)
        else:
            shutil.copyfile(content, kept)
        return kept


def check_artifact_name(name: str) -> None:
    """Raises `ValueError` unless `name` is a plain file name of at most 200 characters."""
    if (
        not name
        or len(name) > limits.LONGEST_NAME
        or name in (".", "..")
        or any(sign in "/\\" or not sign.isprintable() for sign in name)
    ):
        raise ValueError(
            f"{name!r} is no name for an artifact: take a plain file name of at most {limits.LONGEST_NAME} characters"
        )
