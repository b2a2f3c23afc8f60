"""What a task reports through its Context: results cut to their limits, progress that never falls, nothing that kills the work."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from taskline import Cancelled, Context, Rejected, RetryLater
from taskline.outcome import result_of
from taskline.plain import plain
from taskline.results import Chart, Metric, Result, Series, Table, Text


class Host:
    """A host that keeps what it hears."""

    def __init__(self, folder: Path) -> None:
        self.said: list[tuple[float | None, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.asked = False
        self.slept: list[float] = []
        self._folder = folder

    def progress(self, fraction: float | None, message: str) -> None:
        self.said.append((fraction, message))

    def log(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def folder(self) -> Path:
        return self._folder

    def cancelled(self) -> bool:
        return self.asked

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def remaining(self) -> float:
        return 12.0


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def ctx(host: Host) -> Context:
    return made(host)


def made(host: Host, *, strict: bool = False) -> Context:
    return Context(host, task_id=uuid4(), attempt=2, secrets={"TOKEN": "t"}, strict=strict)


# --- progress --------------------------------------------------------------------------------------------------------


def test_tracked_steps_say_where_they_are(ctx: Context, host: Host) -> None:
    assert list(ctx.track("abcd", "letter")) == list("abcd")
    assert host.said == [
        (0.0, "Letter 1 of 4"),
        (0.25, "Letter 2 of 4"),
        (0.5, "Letter 3 of 4"),
        (0.75, "Letter 4 of 4"),
    ]


def test_phases_and_nested_steps_refine_each_other(ctx: Context, host: Host) -> None:
    with ctx.phase("Reading", share=0.2):
        ctx.progress(0.5)
        ctx.step(3, 4, "three of four")
    for _ in ctx.track(range(2), "outer"):
        for _ in ctx.track(range(2), "inner"):
            pass
    assert [round(fraction or 0, 9) for fraction, _ in host.said] == [0.0, 0.1, 0.15, 0.2, 0.2, 0.4, 0.6, 0.6, 0.8]
    assert [message for _, message in host.said[:3]] == ["Reading", "Reading", "three of four"]


def test_what_has_no_length_has_no_fraction(ctx: Context, host: Host) -> None:
    assert list(ctx.track((letter for letter in "ab"), "letter")) == ["a", "b"]
    assert list(ctx.track((letter for letter in "ab"), "letter", total=2)) == ["a", "b"]
    assert host.said == [(None, "Letter 1"), (None, "Letter 2"), (0.0, "Letter 1 of 2"), (0.5, "Letter 2 of 2")]


async def test_asynchronous_steps_are_tracked_too(ctx: Context, host: Host) -> None:
    async def letters() -> AsyncIterator[str]:
        for letter in "ab":
            await asyncio.sleep(0)
            yield letter

    assert [letter async for letter in ctx.atrack(letters(), "letter", total=2)] == ["a", "b"]
    assert host.said == [(0.0, "Letter 1 of 2"), (0.5, "Letter 2 of 2")]


ACTIONS = st.recursive(
    st.tuples(st.just("progress"), st.floats(-1, 2) | st.none()) | st.tuples(st.just("step"), st.integers(0, 5)),
    lambda inner: (
        st.tuples(st.just("phase"), st.floats(0, 1.2) | st.none(), st.lists(inner, max_size=3))
        | st.tuples(st.just("track"), st.integers(0, 3), st.lists(inner, max_size=3), st.booleans())
    ),
    max_leaves=12,
)


@given(st.lists(ACTIONS, max_size=4))
def test_the_fraction_never_falls_whatever_is_nested(actions: list[Any]) -> None:
    host = Host(Path("/nowhere"))
    act(made(host, strict=True), actions)
    fractions = [fraction for fraction, _ in host.said if fraction is not None]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)


def act(ctx: Context, actions: list[Any]) -> None:
    for action in actions:
        match action:
            case ("progress", fraction):
                ctx.progress(fraction, "going")
            case ("step", done):
                ctx.step(done, 4)
            case ("phase", share, inner):
                with ctx.phase("phase", share):
                    act(ctx, inner)
            case ("track", many, inner, leaves_early):
                for _ in ctx.track(range(many), "item"):
                    act(ctx, inner)
                    if leaves_early:
                        break


def heard_at_the_fourth_step(ctx: Context, host: Host) -> None:
    for step in ctx.track(range(9)):
        assert step < 3
        host.asked = step == 2


def test_a_cancel_is_heard_at_each_step(ctx: Context, host: Host) -> None:
    with pytest.raises(Cancelled):
        heard_at_the_fourth_step(ctx, host)
    assert ctx.cancelled
    with pytest.raises(Cancelled):
        ctx.check_cancelled()
    assert not isinstance(Cancelled(), Exception)


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_naming_a_result_again_replaces_it_in_its_place(ctx: Context) -> None:
    ctx.metric("loss", 3, unit="bits")
    ctx.text("note", "first")
    ctx.metric("loss", 2.5)
    assert ctx.gathered.blocks == [Metric(name="loss", value=2.5), Text(name="note", markdown="first")]


def test_a_metric_with_steps_keeps_its_course_and_drops_points_evenly(ctx: Context) -> None:
    for step in range(5_000):
        ctx.metric("loss", step * 2, step=step)
    (block,) = ctx.gathered.blocks
    assert isinstance(block, Metric)
    assert block.points is not None
    assert (block.value, block.points[0], block.points[-1]) == (9_998, (0, 0), (4_999, 9_998))
    assert 1_000 <= len(block.points) <= 2_000


def test_tables_show_what_fits_and_say_the_rest(ctx: Context, host: Host) -> None:
    rows = ({f"c{place}": place for place in range(60)} | {"text": "x" * 600} for _ in range(1_000))
    ctx.table("wide", rows)
    (block,) = ctx.gathered.blocks
    assert isinstance(block, Table)
    assert (len(block.rows), len(block.columns), block.total_rows, block.total_columns) == (200, 50, 1_000, 61)
    assert host.lines == [("warning", "table 'wide' shows 50 of 61 columns")]
    ctx.table("long cells", [{"a": "x" * 600, "b": math.nan, "3": None}])
    block = ctx.gathered.blocks[-1]
    assert isinstance(block, Table)
    assert (block.columns, len(str(block.rows[0][0])), block.rows[0][1:]) == (["a", "b", "3"], 500, [None, None])


def test_charts_are_thinned_and_gaps_stay_gaps(ctx: Context, host: Host) -> None:
    ctx.chart("line", "line", x=range(10_000), y={"up": range(10_000), "gap": [math.nan] * 10_000}, x_label="step")
    (block,) = ctx.gathered.blocks
    assert isinstance(block, Chart)
    assert (len(block.x), block.x[0], block.x[-1], block.x_label) == (2_000, 0, 9_999, "step")
    assert [(one.name, len(one.values)) for one in block.series] == [("up", 2_000), ("gap", 2_000)]
    assert set(block.series[1].values) == {None}
    assert host.lines == [("warning", "chart 'line' shows 2,000 of 10,000 points of 2 of 2 series")]


def test_a_heatmap_has_a_row_for_each_y(ctx: Context) -> None:
    ctx.chart("heat", "heatmap", x=["a", "b"], y=["c", "d"], z=[[1, Decimal("0.5")], [None, Fraction(1, 4)]])
    (block,) = ctx.gathered.blocks
    assert isinstance(block, Chart)
    assert [(one.name, one.values) for one in block.series] == [("c", [1, 0.5]), ("d", [None, 0.25])]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (lambda ctx: ctx.chart("c", "pie", x=[1], y=[1]), "no chart of kind 'pie'"),
        (lambda ctx: ctx.chart("c", "bar", x=[1, 2], y=[1]), "has 1 values for 2 places"),
        (lambda ctx: ctx.chart("c", "bar", x=[1], y=["one"]), "'one' is not a number"),
        (lambda ctx: ctx.chart("c", "heatmap", x=[1], y=[1]), "a heatmap takes"),
        (lambda ctx: ctx.table("t", [3]), "int"),
        (lambda ctx: ctx.text("", "no name"), "name"),
        (lambda ctx: ctx.progress("half"), "is not a number"),
        (lambda ctx: ctx.progress(math.nan), "nan says nothing"),
        (lambda ctx: ctx.step(1, "2"), "unsupported operand"),
        (lambda ctx: ctx.phase("half", share="half").__enter__(), "is not a number"),
        (lambda ctx: list(ctx.track("ab", total="many")), "invalid literal"),
        (lambda ctx: ctx.metric("m", 10**400, step=1), "int too large"),
        (lambda ctx: ctx.log("a line", level="warn"), "there is no level 'warn' of a log: take one of debug, info"),
        (lambda ctx: ctx.artifact("../x", b""), "is no name for an artifact"),
        (lambda ctx: ctx.artifact("x", "/no/such/file"), "there is no file"),
        (lambda ctx: ctx.image("a/b.png", b""), "is no name for an artifact"),
    ],
)
def test_a_report_that_makes_no_sense_is_logged_and_raises_where_tests_ask_for_it(
    host: Host, report: Callable[[Context], None], said: str
) -> None:
    report(made(host))
    assert host.lines[0][0] == "warning"
    assert said in host.lines[0][1]
    with pytest.raises((ValueError, TypeError, OverflowError, AttributeError)):
        report(made(host, strict=True))


def test_artifacts_lie_in_the_tasks_folder_however_they_came(ctx: Context, tmp_path: Path) -> None:
    folder = tmp_path / "attempt"
    folder.mkdir()
    ctx = made(Host(folder))
    inside, outside = folder / "in.csv", tmp_path / "out.csv"
    inside.write_text("in")
    outside.write_text("out")
    ctx.artifact("in.csv", inside)
    ctx.artifact("renamed.csv", str(outside))
    ctx.artifact("bytes.json", b"{}")
    ctx.image("dot.png", b"png", alt="A dot")
    assert [
        (one.name, one.media_type, one.path.read_bytes(), one.path.is_relative_to(folder))
        for one in ctx.gathered.offers
    ] == [
        ("in.csv", "text/csv", b"in", True),
        ("renamed.csv", "text/csv", b"out", True),
        ("bytes.json", "application/json", b"{}", True),
        ("dot.png", "image/png", b"png", True),
    ]
    assert [block.type for block in ctx.gathered.blocks] == ["file", "file", "file", "image"]


def test_the_rest_of_the_context(ctx: Context, host: Host) -> None:
    assert ctx.fencing_token == (ctx.task_id, 2)
    assert (ctx.remaining(), ctx.secret("TOKEN")) == (12.0, "t")
    with pytest.raises(KeyError, match="OTHER is not declared"):
        ctx.secret("OTHER")
    ctx.sleep(3)
    ctx.log("x" * 5_000, level="error")
    assert host.slept == [3]
    assert (host.lines[0][0], len(host.lines[0][1])) == ("error", 2_000)


def test_a_line_of_no_known_level_is_kept_as_information(ctx: Context, host: Host) -> None:
    for number in range(3):
        ctx.log(f"line {number}", level="warn")  # type: ignore[arg-type]
    assert [level for level, _ in host.lines] == ["warning", "info", "info", "info"]
    assert host.lines[-1] == ("info", "line 2")


def test_what_no_json_holds_is_replaced(ctx: Context, host: Host) -> None:
    ctx.log("log \udc80\0")
    ctx.progress(0.5, "progress \udc80\0")
    ctx.metric("metric \udc80", "value \udc80")
    assert (host.lines, host.said) == ([("info", "log \ufffd\ufffd")], [(0.5, "progress \ufffd\ufffd")])
    assert ctx.gathered.blocks == [Metric(name="metric \ufffd", value="value \ufffd")]
    returned = {"\udc80": ["\udc81", "\0", "\\u0000"]}
    assert result_of(returned, [], []).value == {"\ufffd": ["\ufffd", "\ufffd", "\\u0000"]}


def test_numbers_of_other_libraries_are_told_as_plain_ones(ctx: Context, host: Host) -> None:
    with ctx.phase("all", share=Decimal("0.5")):  # type: ignore[arg-type]
        ctx.progress(Fraction(1, 2))  # type: ignore[arg-type]
        ctx.step(Decimal(3), Decimal(4))  # type: ignore[arg-type]
    assert [(fraction, type(fraction)) for fraction, _ in host.said] == [(0.0, float), (0.25, float), (0.375, float)]
    assert host.lines == []


# --- what is returned ------------------------------------------------------------------------------------------------


class Size(BaseModel):
    rows: int
    share: float


@pytest.mark.parametrize(
    ("returned", "value", "types", "summary"),
    [
        (None, None, [], None),
        ("", "", [], None),
        ("First line\n\nand more", "First line\n\nand more", ["text"], "First line"),
        ("\n" + "x" * 300, "\n" + "x" * 300, ["text"], "x" * 199 + "…"),
        (3, 3, ["metric"], "3"),
        (True, True, ["metric"], "True"),
        (math.nan, None, ["metric"], "None"),
        ({"rows": 2, "share": math.inf}, {"rows": 2, "share": None}, ["metric", "metric"], "rows: 2, share: None"),
        (Size(rows=2, share=0.5), {"rows": 2, "share": 0.5}, ["metric", "metric"], "rows: 2, share: 0.5"),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2}], ["table"], "2 rows"),
        ({"nested": {"a": 1}}, {"nested": {"a": 1}}, [], None),
        ([1, 2], [1, 2], [], None),
    ],
)
def test_what_is_returned_is_shown(returned: Any, value: Any, types: list[str], summary: str | None) -> None:
    result = result_of(returned, [], [])
    assert (result.v, result.value, [block.type for block in result.blocks], result.summary) == (
        1,
        value,
        types,
        summary,
    )


def test_a_block_of_ones_own_stays_instead_of_a_returned_one() -> None:
    own = Metric(name="rows", value=3, unit="k")
    assert result_of({"rows": 3_000, "columns": 2}, [own], []).blocks == [Metric(name="columns", value=2), own]


def test_a_result_keeps_to_its_size() -> None:
    cuts: list[str] = []
    texts = [Text(name=f"t{place}", markdown="x" * 20_000) for place in range(130)]
    result = result_of({"big": "x" * 300_000}, texts, cuts)
    assert result.value is None
    assert len(result.blocks) == 100
    assert len(result.model_dump_json()) < 2_200_000
    assert any("KiB" in said for said in cuts)
    assert any("shows 100 of 131 blocks" in said for said in cuts)


@pytest.mark.parametrize("letter", ["x", "語"])
def test_one_table_keeps_to_its_size_too(ctx: Context, host: Host, letter: str) -> None:
    rows = [{f"c{place}": letter * 500 for place in range(50)} for _ in range(300)]
    ctx.table("large", rows)
    (block,) = ctx.gathered.blocks
    assert isinstance(block, Table)
    shown, size = len(block.rows), len(block.model_dump_json().encode())
    assert size <= 1_100_000 < size / shown * (shown + 3), "not fewer rows than fit"
    assert (block.total_rows, host.lines) == (
        300,
        [("warning", f"table 'large' shows the first {shown} of 300 rows: more would be larger than 1 MiB")],
    )
    cuts: list[str] = []
    assert len(result_of(rows, [block], cuts).model_dump_json().encode()) < 2_300_000


def test_one_block_that_is_too_large_is_left_out() -> None:
    cuts: list[str] = []
    labels: list[int | float | str | None] = ["語" * 200] * 2_000
    chart = Chart(name="c", kind="bar", x=labels, series=[Series(name="語" * 200, values=[1 / 3] * 2_000)] * 100)
    result = result_of(None, [chart], cuts)
    assert (result.blocks, len(cuts)) == ([], 1)
    assert "shows 0 of 1 blocks" in cuts[0]


@dataclass
class Thing:
    at: datetime


class Scalar:
    def item(self) -> float:
        return 0.5


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=3)
    | st.dates()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=()), max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_anything_becomes_json_and_any_result_crosses_the_wire(value: Any) -> None:
    json.dumps(plain(value), allow_nan=False)
    result = result_of(value, [], [])
    assert Result.model_validate_json(result.model_dump_json()) == result


def test_known_types_keep_their_meaning() -> None:
    assert plain({"t": Thing(datetime(2026, 1, 2, tzinfo=UTC)), "s": Scalar(), "x": {1}, "o": object}) == {
        "t": {"at": "2026-01-02T00:00:00Z"},
        "s": 0.5,
        "x": [1],
        "o": "<class 'object'>",
    }


class NoColumns(Rejected):
    """This file has
    no columns.
    """


def test_an_error_says_its_docstring_unless_told_otherwise() -> None:
    assert (NoColumns().message, NoColumns("Row 3", hint="h").message, NoColumns(hint="h").hint) == (
        "This file has no columns.",
        "Row 3",
        "h",
    )
    assert RetryLater(after=3).after == 3
    assert RetryLater().message == "The task could not be done now and is tried again."
