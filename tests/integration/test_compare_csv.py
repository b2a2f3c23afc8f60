"""compare_csv on real files: what it finds against a reckoning by hand, its downloads, its refusals."""

import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from taskline import Context, File, Rejected
from tests.integration.hosts import Here
from workers.workloads import compare_csv

Row = Mapping[str, str]


class Compared:
    """What one run gave."""

    def __init__(self, folder: Path, before: bytes, after: bytes, **params: Any) -> None:
        files: dict[str, Any] = {}
        for name, content in (("before", before), ("after", after)):
            path = folder / f"{uuid4().hex}.csv"
            path.write_bytes(content)
            files[name] = File(id=name, name=f"{name}.csv", size=len(content), sha256="0" * 64, path=path)
        self.host = Here(folder / uuid4().hex)
        context = Context(self.host, task_id=uuid4(), attempt=1, secrets={}, strict=True)
        self.summary = compare_csv(context, **files, **params)
        self.blocks = {(block.type, block.name): block for block in context.gathered.blocks}
        self.files = {offer.name: offer.path.read_text(encoding="utf-8") for offer in context.gathered.offers}

    def metrics(self) -> list[Any]:
        return [self.blocks["metric", name].value for name in ("Added", "Removed", "Changed", "The same")]  # type: ignore[union-attr]

    def table(self, name: str) -> list[dict[str, Any]]:
        block: Any = self.blocks["table", name]
        return [dict(zip(block.columns, row, strict=True)) for row in block.rows]

    def download(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.files[name], newline=""))) if name in self.files else []


BEFORE = b"id,name,price,old\n1,Ann,1.50,x\n2,Bob,2,x\n3,Cid,3,x\n4,Dan,,x\n4,Dup,1,x\n4,Dup,1,x\n"
AFTER = "name;id;price;new\nAnn;1;1.5;y\nBobby;2;2;y\n=cmd();5;9;y\nDan;4;;y\nDup;4;1;y\n-;7;-1.5;y\n".encode("utf-16")


def test_rows_and_cells_are_compared_by_key(tmp_path: Path) -> None:
    got = Compared(tmp_path, BEFORE, AFTER, key="id")
    assert got.summary == (
        "Rows: 2 added, 2 removed, 2 changed in 2 columns, 2 the same, 1 column added, 1 column removed"
    )
    assert got.metrics() == [2, 2, 2, 2]
    assert got.table("Changed cells") == [
        {"id": "1", "Column": "price", "Before": "1.50", "After": "1.5", "Row": 2},
        {"id": "2", "Column": "name", "Before": "Bob", "After": "Bobby", "Row": 3},
    ]
    assert got.download("changed-cells.csv") == [
        {"id": "1", "row before": "2", "row after": "2", "column": "price", "before": "1.50", "after": "1.5"},
        {"id": "2", "row before": "3", "row after": "3", "column": "name", "before": "Bob", "after": "Bobby"},
    ]
    # Of the three rows of one key, one of two alike ones is gone; nobody could say more.
    assert got.table("Repeated keys") == [{"id": "4", "Rows before": 3, "Rows after": 2}]
    assert [row["name"] for row in got.table("Removed rows")] == ["Cid", "Dup"]
    assert {row["Column"]: row["Note"] for row in got.table("Columns")} == {
        "id": "key",
        "name": "",
        "price": "",
        "old": "only in the file before",
        "new": "only in the file after",
    }
    fractions = [fraction for fraction, _ in got.host.said if fraction is not None]
    assert fractions == sorted(fractions)


def test_a_download_holds_nothing_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    got = Compared(tmp_path, BEFORE, AFTER, key="id")
    assert got.files["added-rows.csv"] == "name,id,price,new\n'=cmd(),5,9,y\n'-,7,-1.5,y\n"
    formula = Compared(tmp_path, b"id,=a\n1,x\n2,+y\n3,-1.5e3\n", b"id,=a\n1,@x\n2,y\n3,+4 %\n", key="id")
    assert formula.files["changed-cells.csv"].splitlines()[1:] == [
        "1,2,2,'=a,x,'@x",
        "2,3,3,'=a,'+y,y",
        "3,4,4,'=a,-1.5e3,+4 %",
    ]


def test_values_may_be_compared_by_what_they_mean(tmp_path: Path) -> None:
    before = b"id,price,day,note,ok\n1,1.50,2026-12-31,1.0,yes\n2,1.234,2026-01-02,x,No\n3,NA,2026-01-03,x,yes\n"
    after = b"id;price;day;note;ok\n1;1,5;31.12.2026;1;Yes\n2;1,2;02.01.2026;x;no\n3;NA;03.01.2026;x;yes\n"
    got = Compared(tmp_path, before, after, key="id", by_value=True)
    assert [(row["id"], row["Column"], row["Before"], row["After"]) for row in got.table("Changed cells")] == [
        ("1", "note", "1.0", "1"),  # the column holds texts
        ("2", "price", "1.234", "1,2"),
    ]
    assert Compared(tmp_path, before, after, key="id").metrics() == [0, 0, 3, 0]


def test_the_key_is_found_where_a_column_is_one(tmp_path: Path) -> None:
    before = b"weight,customer id,amount\n1,b,1\n2,a,2\n3,c,2\n"
    after = b"weight,customer id,amount\n2,a,3\n3,b,4\n1,c,2\n9,d,5\n"
    got = Compared(tmp_path, before, after)
    assert got.blocks["text", "Matching"].markdown.startswith("Rows belong together by “customer id”")  # type: ignore[union-attr]
    assert got.metrics() == [1, 0, 3, 0]
    marked = Compared(tmp_path, b"*id*,a\n1,x\n2,y\n", b"*id*,a\n1,x\n2,z\n")
    assert marked.blocks["text", "Matching"].markdown.startswith(r"Rows belong together by “\*id\*”")  # type: ignore[union-attr]
    whole = Compared(tmp_path, b"a,b\n1,x\n1,x\n2,y\n", b"b,a\nx,1\ny,2\ny,2\n")
    assert whole.blocks["text", "Matching"].markdown.startswith("Whole rows are compared")  # type: ignore[union-attr]
    assert (whole.metrics(), whole.summary) == ([1, 1, 0, 2], "Rows: 1 added, 1 removed, 2 the same")


def test_what_is_the_same_is_said(tmp_path: Path) -> None:
    got = Compared(tmp_path, b"a,b\n1,x\n2,y\n", b"b,a\ny,2\nx,1\n")
    assert (got.summary, got.files) == ("All 2 rows are the same", {})
    left_out = Compared(tmp_path, b"a,b\n1,x\n2,y\n", b"a,b\n1,z\n2,y\n", ignore="b")
    assert (left_out.summary, left_out.table("Columns")[1]["Note"]) == ("All 2 rows are the same", "not compared")


@pytest.mark.parametrize(
    ("before", "after", "params", "message", "hint"),
    [
        (b"", b"a\n1\n", {}, "The file before: This file is empty.", None),
        (
            b"a,b\n1,2\n",
            b"a,b\n1,2,3\n",
            {},
            "The file after: Row 2 has 3 values, but the header names 2 columns.",
            "Mend this row in the file, and upload it again. It begins: 1,2,3",
        ),
        (
            b"a,b\n1,2\n",
            b"c,d\n1,2\n",
            {},
            "The two files have no column in common.",
            "The one begins with “a”, the other with “c”.",
        ),
        (
            b"a,b\n1,2\n",
            b"a,c\n1,2\n",
            {"key": "b"},
            "The column “b” is only in the file before.",
            "Both files have: “a”",
        ),
        (b"a\n1\n", b"a\n1\n", {"ignore": "x"}, "The column “x” is in neither file.", "Both files have: “a”"),
    ],
)
def test_what_cannot_be_compared_is_rejected(
    tmp_path: Path, before: bytes, after: bytes, params: dict[str, str], message: str, hint: str | None
) -> None:
    with pytest.raises(Rejected) as refused:
        Compared(tmp_path, before, after, **params)
    assert (refused.value.message, refused.value.hint) == (message, hint)


# --- against a reckoning by hand -------------------------------------------------------------------------------------


def reckoned(before: list[Row], after: list[Row], columns: list[str]) -> tuple[list[int], Counter[Any]]:
    """(added, removed, changed, the same), and the changed cells, by dictionaries."""
    groups: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for rows, place in ((before, 0), (after, 1)):
        for row in rows:
            groups[row["id"]][place].append(row)
    added = removed = changed = same = 0
    cells: Counter[Any] = Counter()
    for key, (ours, theirs) in groups.items():
        if len(ours) == len(theirs) == 1:
            differing = [name for name in columns if ours[0][name] != theirs[0][name]]
            cells.update((key, name, ours[0][name], theirs[0][name]) for name in differing)
            changed, same = changed + bool(differing), same + (not differing)
        elif max(len(ours), len(theirs)) == 1:
            added, removed = added + len(theirs), removed + len(ours)
        else:
            one, other = (Counter(tuple(row[name] for name in columns) for row in rows) for rows in (ours, theirs))
            common = (one & other).total()
            added, removed, same = added + other.total() - common, removed + one.total() - common, same + common
    return [added, removed, changed, same], cells


def written(rows: list[Row], names: list[str], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("seed", range(6))
def test_differences_are_those_that_a_reckoning_finds(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    columns = ["id", "word", *(f"c{place}" for place in range(source.choice([1, 3, 90])))]

    def row(key: int) -> Row:
        return {name: source.choice(["a", "b", "Ä,\n\"'", ""]) for name in columns} | {"id": str(key)}

    before = [row(source.randrange(120)) for _ in range(source.randrange(1, 150))]
    after = [{**one, source.choice(columns[1:]): "new"} if source.random() < 0.2 else one for one in before]
    after = [one for one in after if source.random() < 0.9] + [row(source.randrange(100, 200)) for _ in range(15)]
    source.shuffle(after)
    turned = list(reversed(columns))
    got = Compared(tmp_path, written(before, columns, ","), written(after, turned, "\t"), key="id")
    expected, cells = reckoned(before, after, columns)
    assert got.metrics() == expected
    found = got.download("changed-cells.csv")
    assert Counter((one["id"], one["column"], one["before"], one["after"]) for one in found) == cells
    assert len(got.download("added-rows.csv")) == expected[0]
    assert len(got.download("removed-rows.csv")) == expected[1]
