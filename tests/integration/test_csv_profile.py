"""csv_profile on real files: its figures against the standard library's, its refusals, its memory."""

import asyncio
import csv
import io
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskline import Context, File, Rejected
from tests.integration.hosts import Here
from workers.assignment import Assignment, LocalFile, Outcome, Stop
from workers.describe import describe, sources
from workers.execution import Execution
from workers.workloads import csv_profile
from workers.workloads.csv_reading.sheet import MISSING


class Profiled:
    """What one run gave."""

    def __init__(self, content: bytes, folder: Path) -> None:
        path = folder / f"{uuid4().hex}.csv"
        path.write_bytes(content)
        self.host = Here(folder / uuid4().hex)
        context = Context(self.host, task_id=uuid4(), attempt=1, secrets={}, strict=True)
        self.summary = csv_profile(
            context, File(id="f", name="data.csv", size=len(content), sha256="0" * 64, path=path)
        )
        offers = {offer.name: offer.path for offer in context.gathered.offers}
        self.report = offers["report.html"].read_text(encoding="utf-8")
        self.document: dict[str, Any] = json.loads(offers["profile.json"].read_text(encoding="utf-8"))
        self.blocks = context.gathered.blocks

    def column(self, name: str) -> dict[str, Any]:
        return next(one for one in self.document["columns"] if one["name"] == name)


def test_a_small_file_is_profiled_whole(tmp_path: Path) -> None:
    rows = [
        "when,city,price,ok,code",
        "2026-01-01,Ghent,1.5,true,007",
        '2026-01-03,"Paris, F",,false,008',
        "2026-01-02,Ghent,2.5,true,009",
        "2026-01-02,Ghent,2.5,true,009",
    ]
    got = Profiled("\n".join(rows).encode(), tmp_path)
    assert got.summary == "4 rows, 5 columns; price is missing in 25.0 %"
    assert {one["name"]: one["kind"] for one in got.document["columns"]} == {
        "when": "date",
        "city": "text",
        "price": "number",
        "ok": "true or false",
        "code": "text",
    }
    assert got.document["repeated_rows"] == 1
    assert (got.column("when")["first"], got.column("when")["last"]) == ("2026-01-01", "2026-01-03")
    assert got.column("city")["frequent"] == [{"value": "Ghent", "count": 3}, {"value": "Paris, F", "count": 1}]
    assert (got.column("price")["missing"], got.column("price")["distinct"]) == (1, 2)
    assert [(block.type, block.name) for block in got.blocks if block.type != "file"] == [
        ("metric", "Rows"),
        ("metric", "Columns"),
        ("metric", "Missing values"),
        ("metric", "Repeated rows"),
        ("table", "What stands out"),
        ("table", "Columns"),
        ("table", "Numbers"),
        ("table", "Dates"),
        ("table", "Categories and texts"),
        ("chart", "Missing values"),
        ("table", "Missing together"),
        ("chart", "Distribution of when"),
        ("chart", "Distribution of price"),
        ("chart", "Most frequent in city"),
        ("chart", "Most frequent in ok"),
        ("chart", "Most frequent in code"),
    ]
    fractions = [fraction for fraction, _ in got.host.said if fraction is not None]
    assert fractions == sorted(fractions)
    assert "Column 3 of 5: price" in [message for _, message in got.host.said]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_newlines_are_found(
    tmp_path: Path, delimiter: str, encoding: str, newline: str
) -> None:
    special = "Zoë\x8d" if encoding == "latin-1" else "Zoë"  # a character that Windows-1252 does not have
    lines = [["name", "größe", "note"], [special, "1", "a"], ["Jürgen", "2", f"x{delimiter}y"], ["Åse", "3", ""]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(lines)
    got = Profiled(text.getvalue().encode(encoding), tmp_path)
    assert [one["name"] for one in got.document["columns"]] == ["name", "größe", "note"]
    assert {one["value"] for one in got.column("name")["frequent"]} == {special, "Jürgen", "Åse"}
    assert {one["value"] for one in got.column("note")["frequent"]} == {"a", f"x{delimiter}y"}
    assert got.column("größe")["numbers"]["mean"] == 2


def test_empty_rows_are_passed_over(tmp_path: Path) -> None:
    got = Profiled(b"\n\na,b\n\n1,2\n\n3,4\n\n", tmp_path)
    assert (got.document["rows"], got.column("b")["numbers"]["low"]) == (2, 2)


def test_lines_that_end_in_different_ways_are_read(tmp_path: Path) -> None:
    got = Profiled(b"a,b\r\n1,2\n3,4\r5,6\r\n", tmp_path)
    assert (got.document["rows"], got.column("b")["numbers"]["high"]) == (3, 6)


@pytest.mark.parametrize(
    ("values", "kind", "high"),
    [
        (["1", "-20", "+3"], "whole number", 3),
        (["1", "2.5", "1e3", ".5"], "number", 1000),
        (["1,234.5", "12"], "number (1,234.5)", 1234.5),
        (["1.234,5", "0,25"], "number (1.234,5)", 1234.5),
        (["5 %", "12.5%"], "percentage", 12.5),
        (["007", "8"], "text", None),
        (["12345678901234567890"], "text", None),
        (["yes", "No"], "yes or no", None),
        (["TRUE", "false"], "true or false", None),
        (["2026-02-28", "2026-02-29"], "text", None),
        (["2026-02-28T10:00:00", "2026-02-27 11:30"], "date and time", None),
        (["31.12.2026", "1.1.2026"], "date (31.12.2026)", None),
        (["31/12/2026"], "date (31/12/2026)", None),
        (["12/31/2026"], "date (12/31/2026)", None),
        (["inf", "1"], "text", None),
        (["", "NA", "null"], "empty", None),
    ],
)
def test_what_a_column_holds_is_recognised(tmp_path: Path, values: list[str], kind: str, high: float | None) -> None:
    lines = "\n".join(f'{place};"{value}"' for place, value in enumerate(values))
    got = Profiled(f"n;v\n{lines}\n".encode(), tmp_path).column("v")
    assert got["kind"] == kind
    assert (got["numbers"]["high"] if "numbers" in got else None) == high


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "This file is empty.", None),
        (b"\n\n \n", "This file is empty.", None),
        (b"\xef\xbb\xbf", "This file is empty.", None),
        (b"a,b,c\n", "This file has a header in row 1 and no rows below it.", "Add the rows, or choose another file."),
        (b"a,b,c", "This file has a header in row 1 and no rows below it.", "Add the rows, or choose another file."),
        (b"a,b,a\n1,2,3\n", "Row 1 names 1 column more than once: “a”.", "Give every column a name of its own."),
        (b",,\n1,2,3\n", "Row 1 is empty: it should name the columns.", None),
        (
            b"a,b,c\n1,2,3\n4,5\n6,7,8\n",
            "Row 3 has 2 values, but the header names 3 columns.",
            "Mend this row in the file, and upload it again. It begins: 4,5",
        ),
        (
            b'a,b,c\n"x\ny",2,3\n4,5,6,7\n',
            "Row 3 has 4 values, but the header names 3 columns.",
            "Mend this row in the file, and upload it again. It begins: 4,5,6,7",
        ),
        (
            b"\n\na\n1,2,3\n",
            "Row 4 has 3 values, but the header names 1 column.",
            "Mend this row in the file, and upload it again. It begins: 1,2,3",
        ),
        (
            b'a,b,c\n1,2,3\n1,"2"x,3\n',
            "Row 3, column “b”: a quotation mark is not closed, or something follows the closing one.",
            'Mend this row in the file, and upload it again. It begins: 1,"2"x,3',
        ),
        (
            b'a,b,c\n1,2,3\n1,"2,3\n4,5,6\n',
            "Row 3, column “b”: a quotation mark is not closed, or something follows the closing one.",
            'Mend this row in the file, and upload it again. It begins: 1,"2,3 4,5,6',
        ),
        (b"a,b\n1," + b"x" * 3_000_000 + b"\n", "Row 2 is longer than 2,000,000 bytes.", None),
        (
            b"a,b\n1,2\n\x00\x01\x02,3\n",
            "Row 3 holds a byte (0x00) that no text has.",
            "Export the file as CSV in UTF-8.",
        ),
        (
            b"PK\x03\x04" + bytes(100),
            "This is an Excel workbook or another zip archive, not a CSV file.",
            "Open it where it was made and export it as CSV.",
        ),
        (bytes(range(256)) * 10, "Row 1 holds a byte (0x00) that no text has.", "Export the file as CSV in UTF-8."),
        (
            "a,b\n1,2\n".encode("utf-16")[:-1],
            "The text cannot be read after row 1: it is no UTF-16 there.",
            "Save the file again as UTF-8.",
        ),
        (
            ",".join(f"c{place}" for place in range(1001)).encode(),
            "Row 1 names 1,001 columns; 1,000 are taken at most.",
            None,
        ),
    ],
)
def test_what_cannot_be_profiled_is_rejected_and_the_row_is_named(
    tmp_path: Path, content: bytes, message: str, hint: str | None
) -> None:
    with pytest.raises(Rejected) as refused:
        Profiled(content, tmp_path)
    assert refused.value.message == message
    if hint is not None:
        assert refused.value.hint is not None
        assert refused.value.hint.startswith(hint)


def test_a_bad_row_deep_in_a_large_file_is_named_exactly(tmp_path: Path) -> None:
    lines = [f"{place},value {place},{place / 7:.3f}" for place in range(400_000)]
    lines[345_678] = "345678,value"
    with pytest.raises(Rejected) as refused:
        Profiled(("id,name,share\n" + "\n".join(lines)).encode(), tmp_path)
    assert refused.value.message == "Row 345,680 has 2 values, but the header names 3 columns."


def test_names_and_values_are_escaped_in_the_report(tmp_path: Path) -> None:
    got = Profiled(b'<script>alert(1)</script>,b&b\n<img src=x>,1\n<img src=x>,2\n"""quoted""",\n', tmp_path)

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            assert not {"href", "src", "onclick", "style"} & {name for name, _ in attrs}

    tags = Tags()
    tags.feed(got.report)
    assert not {"script", "img", "link", "iframe"} & tags.seen
    assert "&lt;script&gt;" in got.report


# --- against the standard library ------------------------------------------------------------------------------------

WORDS = st.text(alphabet="abcÄé ,;|\"\n\t'0", max_size=6).filter(
    lambda text: text.strip() == text and text not in MISSING
)
WHOLE = st.integers(-(2**53), 2**53)
REAL = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))


@st.composite
def tables(draw: st.DrawFn) -> list[list[Any]]:
    """Rows of a column of each kind; None is missing."""
    columns = [WHOLE, REAL, WORDS, REAL]
    return draw(st.lists(st.tuples(*(st.none() | column for column in columns)).map(list), min_size=1, max_size=40))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_figures_are_those_of_the_standard_library(
    tmp_path: Path, rows: list[list[Any]], delimiter: str, newline: str, quoting: Any
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerow(["whole", "real", "word", "other"])
    writer.writerows(
        [
            ["" if value is None else f"{value:.6f}" if isinstance(value, float) else value for value in row]
            for row in rows
        ]
    )
    got = Profiled(text.getvalue().encode(), tmp_path)
    assert got.document["rows"] == len(rows)
    for place, name in enumerate(["whole", "real", "word", "other"]):
        values = [row[place] for row in rows if row[place] not in (None, "")]
        column = got.column(name)
        assert (column["missing"], column["filled"]) == (len(rows) - len(values), len(values))
        if name == "word":
            counts = Counter(values)
            assert column["distinct"] == len(counts)
            assert {one["value"]: one["count"] for one in column["frequent"]}.items() <= counts.items()
            assert sum(one["count"] for one in column["frequent"]) == sum(many for _, many in counts.most_common(10))
        elif values:
            compare(column, values)
    if got.document["correlations"] is not None:
        compare_correlations(got.document["correlations"], rows)


def compare(column: dict[str, Any], values: Sequence[float]) -> None:
    numbers = column["numbers"]
    assert (numbers["low"], numbers["high"]) == (min(values), max(values))
    assert column["distinct"] == len({f"{value:.6f}" for value in values})
    assert (numbers["zeros"], numbers["negatives"]) == (
        sum(value == 0 for value in values),
        sum(value < 0 for value in values),
    )
    size = max(map(abs, values)) or 1.0
    assert numbers["mean"] == pytest.approx(statistics.fmean(values), rel=1e-9, abs=size * 1e-9)
    if len(values) > 1:
        assert numbers["sd"] == pytest.approx(statistics.stdev(map(float, values)), rel=1e-6, abs=size * 1e-6)
        cuts = statistics.quantiles(map(float, values), n=20, method="inclusive")
        expected = {"0.05": cuts[0], "0.25": cuts[4], "0.5": cuts[9], "0.75": cuts[14], "0.95": cuts[18]}
        for part, value in expected.items():
            assert numbers["quantiles"][part] == pytest.approx(value, rel=1e-9, abs=size * 1e-9)
    assert sum(column["histogram"]["counts"]) == len(values)
    assert len(column["histogram"]["labels"]) == len(column["histogram"]["counts"]) <= 25


def compare_correlations(known: dict[str, Any], rows: list[list[Any]]) -> None:
    places = {"whole": 0, "real": 1, "word": 2, "other": 3}
    for name, line in zip(known["names"], known["rows"], strict=True):
        for other, value in zip(known["names"], line, strict=True):
            if "word" in (name, other):  # words that all look like numbers
                continue
            pairs = [
                (float(row[places[name]]), float(row[places[other]]))
                for row in rows
                if row[places[name]] is not None and row[places[other]] is not None
            ]
            spread = min(
                (statistics.pstdev(side) / (max(map(abs, side)) or 1) for side in zip(*pairs, strict=True)), default=0
            )
            # Where a column hardly varies, the last bits decide: nobody's coefficient means anything then.
            if len(pairs) > 1 and spread > 1e-4:
                assert value == pytest.approx(statistics.correlation(*zip(*pairs, strict=True)), abs=1e-4)


def test_a_wide_file_is_profiled_whole(tmp_path: Path) -> None:
    lines = [",".join(f"name {place}" for place in range(300))]
    lines += [",".join(str(row * place) if place % 50 == 0 else "x" for place in range(300)) for row in range(3_000)]
    got = Profiled("\n".join([*lines, lines[-1], lines[-2]]).encode(), tmp_path)
    assert (got.document["rows"], got.document["repeated_rows"], len(got.document["columns"])) == (3_002, 2, 300)
    assert got.column("name 250")["numbers"]["high"] == 250 * 2_999
    assert got.document["correlations"]["names"] == [f"name {place}" for place in range(0, 300, 50)]
    # The first does not vary; the others lie in tables of their own, whose rows must meet each other.
    assert got.document["correlations"]["rows"][1] == [None, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_the_largest_numbers_have_figures(tmp_path: Path) -> None:
    got = Profiled(b"a,b\n1e99,1\n-9e98,2\n3e97,3\n", tmp_path)
    assert got.column("a")["numbers"]["high"] == 1e99
    huge = Profiled(b"a,b\n" + b"\n".join(b"%d%s.5,1" % (place + 1, b"0" * 15) for place in range(30)), tmp_path)
    assert sum(huge.column("a")["histogram"]["counts"]) == 30


# --- large, in a real child ------------------------------------------------------------------------------------------


class Silent:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.first = asyncio.Event()

    def progress(self, fraction: float | None, message: str) -> None:
        self.messages.append(message)
        self.first.set()


@pytest.fixture(scope="module")
async def execution() -> AsyncIterator[Execution]:
    execution = Execution(await describe(sources()))
    execution.open()
    yield execution
    await execution.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of more than 100 MB whose figures are known: 1,600,000 rows of which every 8th lacks its price."""
    path = tmp_path_factory.mktemp("large") / "large.csv"
    block = [
        f'{{0:07d}}{place:02d},"Łódź, no. {place}",{"" if place % 8 == 0 else f"{place}.25"},2026-{place % 12 + 1:02d}-15,comment that is not short {place}'
        for place in range(64)
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("id,place,price,day,comment\n")
        template = "\n".join(block) + "\n"
        for start in range(1_000_000, 1_025_000):
            file.write(template.replace("{0:07d}", str(start)))
    return path


def work(path: Path, folder: Path) -> Assignment:
    file = LocalFile(id="f", name="large.csv", size=path.stat().st_size, sha256="0" * 64, path=path)
    return Assignment(
        task_id=uuid4(),
        attempt=1,
        claim=uuid4(),
        workload="csv_profile",
        version=1,
        params={"file": "f"},
        files={"f": file},
        folder=folder,
    )


async def test_a_file_of_100_mb_is_profiled_within_bounded_memory(
    execution: Execution, large: Path, tmp_path: Path
) -> None:
    assert large.stat().st_size > 100_000_000
    reports = Silent()
    run = asyncio.create_task(execution.run(work(large, tmp_path / "attempt"), reports, Stop()))
    await reports.first.wait()
    peak = await peak_of_child(run)
    outcome = await run
    assert outcome.summary == "1,600,000 rows, 5 columns; price is missing in 12.5 %", outcome
    assert peak < 400, f"the child took {peak:.0f} MiB"
    names = {one.name: one for one in outcome.artifacts}
    price = next(
        one
        for one in json.loads(names["profile.json"].path.read_text(encoding="utf-8"))["columns"]
        if one["name"] == "price"
    )
    assert (price["distinct"], price["numbers"]["low"], price["numbers"]["high"], price["numbers"]["mean"]) == (
        56,
        1.25,
        63.25,
        32.25,
    )
    assert "Reading" in reports.messages


async def peak_of_child(run: "asyncio.Task[Outcome]") -> float:
    """The largest resident memory, in MiB, of the processes that this one has started, while `run` runs."""
    peak = 0
    while not run.done():
        for status in await asyncio.to_thread(child_statuses):
            peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]))
        await asyncio.wait([run], timeout=0.05)
    return peak / 1024


def child_statuses() -> list[str]:
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if "VmHWM" in status and "workers.child" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(status)
    return found


async def test_a_large_profile_is_cancelled_while_the_database_reads(
    execution: Execution, large: Path, tmp_path: Path
) -> None:
    reports, stop = Silent(), Stop()
    run = asyncio.create_task(execution.run(work(large, tmp_path / "attempt"), reports, stop))
    while "Reading" not in reports.messages:
        reports.first.clear()
        await reports.first.wait()
    asked = time.monotonic()
    stop.cancel()
    assert (await run).kind == "cancelled"
    assert time.monotonic() - asked < 3
