"""What a task shows for its result: blocks of a closed set, small enough for a page, and always JSON."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from taskline import limits

RESULT_VERSION: Final = 1

Name = Annotated[str, Field(min_length=1, max_length=limits.LONGEST_NAME)]
Label = Annotated[str, Field(max_length=limits.LONGEST_NAME)]
Unit = Annotated[str, Field(max_length=limits.LONGEST_UNIT)]
Text500 = Annotated[str, Field(max_length=limits.LONGEST_CELL)]
Number = Annotated[int | float, Field(allow_inf_nan=False)]
Cell = bool | Number | Text500 | None


class Block(BaseModel):
    """A part of a result; its name is unique among blocks of its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    name: Name


class Text(Block):
    """Markdown, sanitised where it is shown."""

    type: Literal["text"] = "text"
    markdown: Annotated[str, Field(max_length=limits.LONGEST_TEXT)]


class Metric(Block):
    """One figure; `points` are its (step, value) pairs where it was reported several times."""

    type: Literal["metric"] = "metric"
    value: Cell
    unit: Unit | None = None
    points: Annotated[list[tuple[Number, Number | None]], Field(max_length=limits.MOST_POINTS)] | None = None


class Table(Block):
    """The first rows and columns of a table; the totals say how many there were."""

    type: Literal["table"] = "table"
    columns: Annotated[list[Label], Field(max_length=limits.MOST_COLUMNS)]
    rows: Annotated[list[list[Cell]], Field(max_length=limits.MOST_ROWS)]
    total_rows: int
    total_columns: int


class Series(BaseModel):
    """One line, set of bars or dots, or row of a heatmap: a value for each x."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    name: Label
    values: Annotated[list[Number | None], Field(max_length=limits.MOST_POINTS)]


class Chart(Block):
    """A chart of one of four kinds; of a heatmap, each series is a row."""

    type: Literal["chart"] = "chart"
    kind: Literal["line", "bar", "scatter", "heatmap"]
    x: Annotated[list[Number | Label | None], Field(max_length=limits.MOST_POINTS)]
    series: Annotated[list[Series], Field(max_length=limits.MOST_HEATMAP)]
    x_label: Label = ""
    y_label: Label = ""


class Image(Block):
    """An artifact that is shown as a picture."""

    type: Literal["image"] = "image"
    artifact: Name
    alt: Text500


class FileLink(Block):
    """An artifact to download."""

    type: Literal["file"] = "file"
    artifact: Name


AnyBlock = Annotated[Text | Metric | Table | Chart | Image | FileLink, Field(discriminator="type")]


class Result(BaseModel):
    """The whole result. `value` is what the function returned, as JSON; `summary` one line."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    v: Literal[1] = RESULT_VERSION
    value: Any = None
    summary: Annotated[str, Field(max_length=limits.LONGEST_SUMMARY)] | None = None
    blocks: Annotated[list[AnyBlock], Field(max_length=limits.MOST_BLOCKS)] = []
