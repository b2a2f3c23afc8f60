"""What csv_profile says beyond plain figures, against pandas and by hand: outliers, shapes, days and their gaps, categories, what is missing together."""

import io
import json
import math
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from taskline import Context, File
from tests.integration.hosts import Here
from workers.workloads import csv_profile
from workers.workloads.csv_profiling import quantiles as quantiles_module
from workers.workloads.csv_reading.database import database

ROWS = 20_000


def profiled(folder: Path, content: bytes) -> dict[str, Any]:
    """What `profile.json` holds; columns by name."""
    path = folder / f"{uuid4().hex}.csv"
    path.write_bytes(content)
    context = Context(Here(folder / uuid4().hex), task_id=uuid4(), attempt=1, secrets={}, strict=True)
    csv_profile(context, File(id="f", name="data.csv", size=len(content), sha256="0" * 64, path=path))
    offers = {offer.name: offer.path for offer in context.gathered.offers}
    document: dict[str, Any] = json.loads(offers["profile.json"].read_text(encoding="utf-8"))
    return {**document, "columns": {one["name"]: one for one in document["columns"]}}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    source = np.random.default_rng(7)
    normal = source.normal(50, 5, ROWS).round(4)
    frame = pd.DataFrame(
        {
            "normal": normal,
            "skewed": source.exponential(3, ROWS).round(4),
            "double": (normal * -2 + source.normal(0, 0.5, ROWS)).round(4),
            "whole": source.integers(-5, 90, ROWS),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(source.integers(0, 900, ROWS), unit="D"),
            "city": source.choice(["Ghent", "Łódź", "Paris", "NaN-town"], ROWS, p=[0.5, 0.3, 0.15, 0.05]),
        }
    )
    for name, share in (("normal", 0.1), ("skewed", 0.05), ("day", 0.02), ("city", 0.2)):
        frame.loc[source.random(ROWS) < share, name] = None
    frame.loc[source.random(ROWS) < 0.03, ["normal", "city"]] = None
    return frame


@pytest.fixture(scope="module")
def profile(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return profiled(tmp_path_factory.mktemp("deep"), table.to_csv(index=False).encode())


@pytest.mark.parametrize("name", ["normal", "skewed", "double", "whole"])
def test_numbers_are_those_of_pandas(table: pd.DataFrame, profile: dict[str, Any], name: str) -> None:
    column, values = profile["columns"][name], table[name]
    numbers = column["numbers"]
    assert (column["missing"], column["distinct"]) == (values.isna().sum(), values.nunique())
    figures = values.describe(percentiles=[0.05, 0.25, 0.5, 0.75, 0.95])
    found = [numbers[key] for key in ("mean", "sd", "low", "high")] + list(numbers["quantiles"].values())
    expected = list(figures[["mean", "std", "min", "max", "5%", "25%", "50%", "75%", "95%"]])
    assert found == pytest.approx(expected, rel=1e-12)
    assert [numbers["skewness"], numbers["kurtosis"]] == pytest.approx([values.skew(), values.kurt()], rel=1e-9)
    first, third = figures["25%"], figures["75%"]
    reach = 1.5 * (third - first)
    outside = [(values < first - reach).sum(), (values > third + reach).sum()]
    assert [numbers["outliers"]["below"], numbers["outliers"]["above"]] == outside


def test_what_goes_across_columns_is_that_of_pandas(table: pd.DataFrame, profile: dict[str, Any]) -> None:
    names = ["normal", "skewed", "double", "whole"]
    assert profile["correlations"]["names"] == names
    assert np.array(profile["correlations"]["rows"]) == pytest.approx(table[names].corr().to_numpy(), abs=1e-6)
    gone = table[["normal", "skewed", "day", "city"]].isna()
    patterns = gone.value_counts()
    complete = patterns.pop((False, False, False, False))
    expected = [
        ([name for name, lacks in zip(gone, pattern, strict=True) if lacks], many) for pattern, many in patterns.items()
    ]
    missing = profile["missing"]
    assert (missing["complete_rows"], missing["different_patterns"]) == (complete, len(expected))
    found = [(one["columns"], one["rows"]) for one in missing["patterns"]]
    assert all(one in expected for one in found)
    assert [many for _, many in found] == [many for _, many in expected][: len(found)]


def test_a_row_is_complete_only_where_no_column_of_many_is_missing(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(70)]
    rows = [["1"] * 70, *([""] * lacks + ["1"] * (70 - lacks) for lacks in range(1, 71)), ["1"] * 69 + [""]]
    content = "\n".join(",".join(row) for row in [names, *rows]).encode()
    assert profiled(tmp_path, content)["missing"]["complete_rows"] == 1


def test_categories_are_those_of_pandas(table: pd.DataFrame, profile: dict[str, Any]) -> None:
    found = {one["value"]: one["count"] for one in profile["columns"]["city"]["frequent"]}
    assert found == table["city"].value_counts().to_dict()


def test_days_and_their_gaps_are_counted(tmp_path: Path) -> None:
    days = [f"2026-01-{day:02d}" for day in (1, 2, 3, 4, 9, 10, 11, 20)]
    weekly = ["05.01.2026", "12.01.2026", "19.01.2026", "02.02.2026"]
    rows = [f"{day},{weekly[place % 4]},2026-03-0{place % 3 + 1} 1{place}:00:00" for place, day in enumerate(days)]
    got = profiled(tmp_path, "\n".join(["daily,weekly,moment", *rows, rows[0]]).encode())["columns"]
    assert got["daily"]["days"] == {
        "different": 8,
        "spanned": 20,
        "usual_step": 1,
        "gaps": 2,
        "longest_gaps": [
            {"after": "2026-01-11", "until": "2026-01-20", "days": 9},
            {"after": "2026-01-04", "until": "2026-01-09", "days": 5},
        ],
    }
    assert got["weekly"]["days"]["usual_step"] == 7
    assert got["weekly"]["days"]["longest_gaps"] == [{"after": "2026-01-19", "until": "2026-02-02", "days": 14}]
    assert (got["moment"]["days"]["different"], got["moment"]["days"]["gaps"]) == (3, 0)


def test_what_stands_out_is_said(tmp_path: Path) -> None:
    lines = ["id,always,city,much,zero,twice,wild"]
    for row in range(200):
        city = ["Ghent", "ghent", "Paris  X", "Paris X"][row % 4]
        lines.append(
            f"k{row},same,{city},{row if row < 30 else ''},{0 if row % 3 else row},{row * 2 + 1},{10_000 if row == 9 else row % 7}"
        )
    found = profiled(tmp_path, "\n".join(lines).encode())["findings"]
    said = {(one["about"], one["finding"]) for one in found}
    assert said >= {
        ("id", "is different in every row: it can tell rows apart"),
        ("always", "is always “same”"),
        ("city", "spells values in several ways: “Ghent” and “ghent”, and 1 more like this"),
        ("much", "is missing in 85.0 % of the rows"),
        ("zero", "is 0 in 67.0 % of its values"),
        ("wild", "has 1 outlier (0.5 %), below -5 or above 11"),
        ("wild", "is strongly skewed to the right (14.1)"),
        ("much, twice", "rise and fall together (correlation 1.00)"),
    }


@pytest.mark.parametrize("source", ["normal", "tied", "two", "huge"])
def test_quantiles_of_many_values_are_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(quantiles_module, "IN_MEMORY", 1_000)
    numbers = np.random.default_rng(3)
    values = {
        "normal": numbers.normal(0, 1, 5_001),
        "tied": numbers.integers(0, 5, 5_000).astype(float),
        "two": np.repeat([1.0, 1e9], [3_000, 3_000]),
        "huge": numbers.normal(0, 1, 4_000) * 1e250,
    }[source]
    parts = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    with database(tmp_path) as connection:
        frame = pd.DataFrame({"x": values})
        frame.to_csv(text := io.StringIO(), index=False)
        (tmp_path / "x.csv").write_text(text.getvalue())
        connection.execute(f"CREATE TABLE many AS SELECT CAST(x AS DOUBLE) AS x FROM '{tmp_path / 'x.csv'}'")
        found = quantiles_module.quantiles(connection, "many", len(values), parts)
    expected = [frame["x"].quantile(part) for part in parts]
    assert all(math.isclose(one, other, rel_tol=1e-12) for one, other in zip(found, expected, strict=True))
