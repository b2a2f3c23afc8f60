"""train_model on real files: its scores against scikit-learn's own, its downloads as a stranger uses them, its refusals, its memory."""

import csv
import io
import json
import random
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import redirect_stdout
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from taskline import Context, File, Rejected
from tests.integration.hosts import Here
from workers.assignment import Assignment, LocalFile, Stop
from workers.describe import describe, sources
from workers.execution import Execution
from workers.workloads import train_model
from workers.workloads.model_training.reading import MOST_ROWS, read

Task = Literal["auto", "classification", "regression"]


class Trained:
    """What one run gave."""

    def __init__(
        self, content: str, folder: Path, target: str, *, task: Task = "auto", folds: int = 5, seed: int = 0
    ) -> None:
        self.file = folder / f"{uuid4().hex}.csv"
        self.file.write_text(content, encoding="utf-8")
        self.host = Here(folder / uuid4().hex)
        context = Context(self.host, task_id=uuid4(), attempt=1, secrets={}, strict=True)
        sent = File(id="f", name="data.csv", size=len(content), sha256="0" * 64, path=self.file)
        self.summary = train_model(context, sent, target, task, folds, seed)
        self.offers = {offer.name: offer.path for offer in context.gathered.offers}
        self.blocks = {block.name: block for block in context.gathered.blocks}
        self.scores: dict[str, Any] = json.loads(self.offers["scores.json"].read_text(encoding="utf-8"))
        self.models: dict[str, dict[str, list[float]]] = {one["name"]: one["scores"] for one in self.scores["models"]}
        self.card = self.offers["model_card.md"].read_text(encoding="utf-8")

    def table(self, name: str) -> list[dict[str, Any]]:
        block: Any = self.blocks[name]
        return [dict(zip(block.columns, row, strict=True)) for row in block.rows]

    def predictions(self) -> list[dict[str, str]]:
        with self.offers["predictions.csv"].open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def table(names: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([names, *rows])
    return text.getvalue()


# --- the scores ------------------------------------------------------------------------------------------------------


FOREST: dict[str, Any] = {"n_estimators": 100, "max_leaf_nodes": 1_000}


def classifiers(seed: int) -> dict[str, Any]:
    """The pipelines as the documentation says them, for columns of numbers of which none is missing."""
    return {
        "Most frequent class": DummyClassifier(strategy="most_frequent"),
        "Guess by frequency": DummyClassifier(strategy="stratified", random_state=seed),
        "Logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)),
        "Random forest": make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST, random_state=seed)),
        "Gradient boosting": make_pipeline(StandardScaler(), HistGradientBoostingClassifier(random_state=seed)),
    }


def regressors(seed: int) -> dict[str, Any]:
    return {
        "Mean": DummyRegressor(strategy="mean"),
        "Median": DummyRegressor(strategy="median"),
        "Ridge regression": make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 3, 13))),
        "Random forest": make_pipeline(
            StandardScaler(), RandomForestRegressor(**FOREST, max_features=1 / 3, random_state=seed)
        ),
        "Gradient boosting": make_pipeline(StandardScaler(), HistGradientBoostingRegressor(random_state=seed)),
    }


@pytest.mark.parametrize(
    ("load", "named", "folds", "seed"),
    [
        (load_iris, True, 5, 0),
        (load_wine, False, 3, 1),
        (load_breast_cancer, False, 3, 0),
        (load_diabetes, False, 5, 7),
    ],
    ids=["iris", "wine", "breast_cancer", "diabetes"],
)
def test_scores_are_exactly_those_of_scikit_learn(
    tmp_path: Path, load: Any, named: bool, folds: int, seed: int
) -> None:
    data = load()
    labels = data.target_names[data.target] if named else data.target
    content = table([*data.feature_names, "wanted"], zip(*data.data.T.tolist(), labels.tolist(), strict=True))
    got = Trained(content, tmp_path, "wanted", folds=folds, seed=seed)
    regression = load is load_diabetes
    assert got.scores["task"] == ("regression" if regression else "classification")
    known = regressors(seed) if regression else classifiers(seed)
    split = (KFold if regression else StratifiedKFold)(folds, shuffle=True, random_state=seed)
    scorers = ["r2", "neg_mean_absolute_error"] if regression else ["accuracy", "f1_macro"]
    assert list(got.models) == list(known)
    with threadpool_limits(1):
        for name, pipeline in known.items():
            for scorer in scorers if name not in ("Random forest", "Gradient boosting") else scorers[:1]:
                expected = cross_val_score(pipeline, data.data, labels, cv=split, scoring=scorer)
                assert got.models[name][scorer] == expected.tolist(), (name, scorer)
    # The model in the file is the best one, fitted on all rows.
    model = skops.io.load(
        got.offers["model.skops"], trusted=skops.io.get_untrusted_types(file=got.offers["model.skops"])
    )
    best = clone(known[got.scores["best"]]).fit(data.data, labels)
    np.testing.assert_array_equal(model.predict(data.data), best.predict(data.data))
    assert f"{np.mean(got.models[got.scores['best']][scorers[0]]):.3f} ± " in got.summary


def test_progress_names_each_fold_and_never_falls(tmp_path: Path) -> None:
    got = Trained(messy(60), tmp_path, "bought", folds=2)
    fractions = [fraction for fraction, _ in got.host.said if fraction is not None]
    assert fractions == sorted(fractions)
    messages = [message for _, message in got.host.said]
    for name in classifiers(0):
        assert [one for one in messages if one.startswith(f"{name}, fold")] == [
            f"{name}, fold 1 of 2",
            f"{name}, fold 2 of 2",
        ]
    assert "Importance, fold 2 of 2" in messages
    assert any(line.startswith("Random forest, fold 2: Accuracy 0.") for line in got.host.lines)


# --- a file as people have them ---------------------------------------------------------------------------------------


def messy(rows: int, delimiter: str = ";", blank: str = "") -> str:
    """Dates, categories, decimal commas, percentages, codes, texts, gaps; `bought` follows from the rest, mostly."""
    chance = random.Random(3)
    lines = []
    for at in range(rows):
        day = date(2025, 1, 1) + timedelta(days=chance.randrange(600))
        price, city = chance.uniform(500, 3_000), chance.choice(["Łódź", "Paris", "Ghent"])
        likely = price < 1_500 or city == "Ghent" or day.weekday() > 4
        shown = f"{price:,.2f}".translate({ord(","): ".", ord("."): ","})
        lines.append(
            [
                at + 1,
                day.strftime("%d.%m.%Y"),
                blank if at % 9 == 0 else shown,
                blank if at % 7 == 0 else city,
                f"{chance.randrange(100)} %",
                "007" if at % 2 else "012",
                f"comment {at}",
                "EUR",
                "",
                blank if at % 50 == 49 else ("yes" if likely != (chance.random() < 0.05) else "=no"),
            ]
        )
    names = ["no", "day", " price ", "city", "discount", "code", "comment", "currency", "empty", "bought"]
    return table(names, lines, delimiter)


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(messy(400, blank="NA"), tmp_path_factory.mktemp("bought"), "Bought", seed=5)


def test_every_column_is_used_as_what_it_is(bought: Trained) -> None:
    used = {one["Column"]: (one["Used as"], one["Written as"], one["Missing"]) for one in bought.table("Columns")}
    assert used == {
        "no": ("left out", "number", 0),
        "day": ("date", "date (31.12.2026)", 0),
        "price": ("number", "number (1.234,5)", 44),
        "city": ("category", "text", 56),
        "discount": ("number", "percentage", 0),
        "code": ("category", "text", 0),
        "comment": ("left out", "text", 0),
        "currency": ("left out", "text", 0),
        "empty": ("left out", "text", 392),
    }
    notes = bought.blocks["Notes"].markdown  # type: ignore[union-attr]
    for said in [
        "8 rows without a value in “bought” left out.",
        "“no” left out: it counts the rows.",
        "“comment” left out: it is text: 392 different values in 392 rows.",
        "“currency” left out: it holds the same value in every row.",
        "“empty” left out: it is empty.",
    ]:
        assert said in notes
    assert bought.scores["features"] == [
        "day (days)",
        "day (month)",
        "day (weekday)",
        "price",
        "city",
        "discount",
        "code",
    ]


def test_it_learns_what_can_be_learned_and_says_what_it_goes_by(bought: Trained) -> None:
    best = np.mean(bought.models[bought.scores["best"]]["accuracy"])
    assert best > 0.85 > np.mean(bought.models["Most frequent class"]["accuracy"]) + 0.1
    worth = {one["feature"]: one["mean"] for one in bought.scores["importance"]}
    assert max(worth, key=lambda name: worth[name]) == "price"
    assert abs(worth["discount"]) < worth["price"] / 5
    assert worth["day (weekday)"] > abs(worth["code"])
    assert "is better than the best baseline in 5 of 5 folds." in bought.card
    assert [name for name, block in bought.blocks.items() if block.type == "chart"] == [
        f"Confusion matrix of {bought.scores['best']}",
        "Importance",
    ]


def test_the_predictions_are_those_of_rows_not_learned_from(bought: Trained) -> None:
    rows = bought.predictions()
    # Row 1 is the header, and the 50th, 100th, … row of data has no target.
    assert [int(row["row"]) for row in rows] == [at + 2 for at in range(400) if at % 50 != 49]
    for fold, score in enumerate(bought.models[bought.scores["best"]]["accuracy"], 1):
        here = [row for row in rows if row["fold"] == str(fold)]
        assert accuracy_score([row["actual"] for row in here], [row["predicted"] for row in here]) == score
    # What a spreadsheet would run as a formula is a text there.
    assert {row["actual"] for row in rows} == {"yes", "'=no"}
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)
    matrix: Any = bought.blocks[f"Confusion matrix of {bought.scores['best']}"]
    assert matrix.x == ["=no", "yes"]
    assert matrix.series[1].values[0] == sum(row["actual"] == "yes" and row["predicted"] == "'=no" for row in rows)


@pytest.mark.parametrize("regression", [False, True])
def test_the_code_on_the_card_uses_the_model_and_gives_its_scores(
    bought: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regression: bool
) -> None:
    got = Trained(messy(200), tmp_path, "price", folds=3) if regression else bought
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.skops").write_bytes(got.offers["model.skops"].read_bytes())
    (tmp_path / "data.csv").write_bytes(got.file.read_bytes())
    use, again = re.findall(r"```python\n(.*?)```", got.card, re.DOTALL)
    space: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        exec(use, space)
        exec(again, space)
    measure = "r2" if regression else "accuracy"
    assert space["scores"].tolist() == got.models[got.scores["best"]][measure]
    answers = space["model"].predict(space["rows"])
    assert len(answers) == (200 if regression else 400)
    # Nothing of a third party has to be trusted.
    assert all(
        name.startswith(("numpy.", "sklearn.")) for name in skops.io.get_untrusted_types(file=got.offers["model.skops"])
    )


def test_a_regression_shows_its_residuals(tmp_path: Path) -> None:
    got = Trained(messy(60), tmp_path, "price", folds=2)
    assert got.scores["task"] == "regression"
    chart: Any = got.blocks[f"Residuals of {got.scores['best']}"]
    rows = got.predictions()
    assert chart.kind == "scatter"
    assert chart.x == [float(row["predicted"]) for row in rows]
    assert chart.series[0].values == [float(row["residual"]) for row in rows]
    assert [row["actual"] for row in rows][:2] == [
        line.split(";")[2].replace(".", "").replace(",", ".").rstrip("0").removesuffix(".")
        for line in messy(60).splitlines()[2:4]
    ]


def test_the_same_seed_gives_the_same_result(tmp_path: Path) -> None:
    one, two, other = (Trained(messy(60), tmp_path, "bought", folds=2, seed=seed) for seed in (4, 4, 5))
    assert one.models == two.models != other.models
    assert one.scores["importance"] == two.scores["importance"]


def test_nothing_is_made_of_noise(tmp_path: Path) -> None:
    chance = random.Random(1)
    rows = [[chance.random(), chance.choice("abc"), "rare" if at % 12 == 0 else "often"] for at in range(120)]
    got = Trained(table(["x", "y", "wanted"], rows), tmp_path, "wanted", folds=3)
    assert got.summary == "No model predicts wanted better than the baseline “Most frequent class” (Accuracy 0.917)"


def test_a_column_that_gives_the_answer_away_is_named(tmp_path: Path) -> None:
    rows = [[at % 2, f"{at % 2} ", at // 2 % 2] for at in range(40)]
    copied = Trained(table(["wanted", "copy", "x"], rows), tmp_path, "wanted", folds=2)
    assert ("left out", "it repeats the target") in [(one["Used as"], one["Why"]) for one in copied.table("Columns")]
    shifted = Trained(
        table(["wanted", "copy"], [[at % 2, at % 2 + 5] for at in range(40)]), tmp_path, "wanted", folds=2
    )
    assert "This is nearly perfect: look whether a column gives the answer away" in shifted.card


# --- refusals --------------------------------------------------------------------------------------------------------


def columns(*values: Any) -> str:
    return table(["x", "wanted"], [[at % 7, value] for at, value in enumerate(values)])


TWENTY = ["a", "b"] * 10


@pytest.mark.parametrize(
    ("content", "target", "task", "said", "hint"),
    [
        (columns(*TWENTY), "wnted", "auto", "This file has no column “wnted”.", "Did you mean “wanted”? The columns are “x”, “wanted”."),
        (columns(*TWENTY), "?", "auto", "no column", "The columns are “x”, “wanted”."),
        (columns(*["a"] * 20), "wanted", "auto", "Every row holds “a” in “wanted”", None),
        (columns(*["1", "1.0"] * 10), "wanted", "auto", "Every row holds “1” in “wanted”", None),
        (columns(*["1", "1.0"] * 10), "wanted", "regression", "Every row holds “1” in “wanted”", None),
        (columns(*TWENTY[:19]), "wanted", "auto", "There are 19 rows with a value in “wanted”; it takes 20", "Add rows."),
        (columns(*TWENTY[:19], "", ""), "wanted", "auto", "19 rows with a value in “wanted”, 2 more without;", "Add rows."),
        (columns(*map(str, range(60))), "wanted", "classification", "“wanted” holds 60 different values; 50 can", "Choose regression"),
        (columns(*[f"name {at}" for at in range(60)]), "wanted", "auto", "holds 60 different values", "Choose regression"),
        (columns(*TWENTY, "c", "c"), "wanted", "auto", "“c” stands in 2 rows of “wanted”, and each of the 5 folds", "Choose 2 folds, add rows"),
        (columns(*TWENTY, "c"), "wanted", "auto", "“c” stands in 1 row of", "Add rows of it, or take it out"),
        (columns(*["1", "2"] * 10, "three"), "wanted", "regression", "row 22 holds “three” in “wanted”", "Choose classification"),
        (columns(*["2026-01-01", "2026-01-02"] * 10), "wanted", "regression", "row 2 holds “2026-01-01”", "Choose classification"),
        (table(["wanted"], [[one] for one in TWENTY]), "wanted", "auto", "No column is left", "Add columns beside the target."),
        (table(["x", "wanted"], [["", one] for one in TWENTY]), "wanted", "auto", "No column is left", "“x”: it is empty."),
        ("x,wanted\n", "wanted", "auto", "no rows below", "Add the rows"),
        ("x,wanted\n1,a\n1,2,3\n", "wanted", "auto", "Row 3 has 3 values, but the header names 2 columns.", None),
        ('x,wanted\n1,a\n"1"2,b\n', "wanted", "auto", "Row 3 cannot be read", None),
        ("", "wanted", "auto", "This file is empty.", None),
        ("%PDF-1.7", "wanted", "auto", "This is a PDF, not a CSV file.", "export it as CSV"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_rejected_with_what_to_do(
    tmp_path: Path, content: str, target: str, task: Task, said: str, hint: str | None
) -> None:
    with pytest.raises(Rejected) as refused:
        Trained(content, tmp_path, target, task=task)
    assert said in refused.value.message
    assert hint is None or hint in (refused.value.hint or "")


# --- sizes, and a real child -----------------------------------------------------------------------------------------


def test_a_large_file_is_sampled_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("number,other\n" + "".join(f"{at},x\n" for at in range(MOST_ROWS + 10_000)))
    file = File(id="f", name="large.csv", size=path.stat().st_size, sha256="0" * 64, path=path)
    told: list[float] = []
    one = read(file, tmp_path, 1, told.append)
    assert (len(one.places), one.total) == (MOST_ROWS, MOST_ROWS + 10_000)
    assert one.places == sorted(set(one.places))
    assert one.columns[0] == [str(place - 2) for place in one.places]
    assert told == sorted(told)
    assert len(told) == 6
    assert read(file, tmp_path, 1, told.append).places == one.places != read(file, tmp_path, 2, told.append).places
    # What is drawn is spread over the whole file.
    last = sum(place > MOST_ROWS + 2 for place in one.places)
    assert 8_000 < last < 8_700


class Silent:
    def progress(self, fraction: float | None, message: str) -> None:
        pass


@pytest.fixture(scope="module")
async def execution() -> AsyncIterator[Execution]:
    execution = Execution(await describe(sources()))
    execution.open()
    yield execution
    await execution.close()


async def test_a_child_trains_within_its_memory(execution: Execution, tmp_path: Path) -> None:
    source = tmp_path / "bought.csv"
    source.write_text(messy(100), encoding="utf-8")
    file_id = str(uuid4())
    sent = LocalFile(id=file_id, name="bought.csv", size=source.stat().st_size, sha256="0" * 64, path=source)
    assignment = Assignment(
        task_id=uuid4(),
        attempt=1,
        claim=uuid4(),
        workload="train_model",
        version=1,
        params={"file": file_id, "target": "bought", "folds": 2},
        files={file_id: sent},
        folder=tmp_path / "attempt",
    )
    outcome = await execution.run(assignment, Silent(), Stop())
    assert outcome.error is None, (outcome.error, [line.text for line in assignment.book.lines])
    assert [artifact.name for artifact in outcome.artifacts] == [
        "model.skops",
        "model_card.md",
        "predictions.csv",
        "scores.json",
    ]
    assert any("fold 2: Accuracy" in line.text for line in assignment.book.lines)
