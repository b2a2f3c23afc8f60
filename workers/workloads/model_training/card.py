"""The model card: what the model is, how it was scored, what it goes by, how to use it and how to score it again. Markdown."""

from collections.abc import Iterable, Sequence
from typing import Final

from workers.workloads.csv_reading.sheet import MISSING
from workers.workloads.model_training.columns import Features
from workers.workloads.model_training.forms import Form
from workers.workloads.model_training.scoring import MEASURES
from workers.workloads.model_training.training import Training, figure, spread
from workers.workloads.wording import as_markdown

_MOST_FEATURES: Final = 50

_PREPARED: Final = (
    "Numbers: the training rows' mean where one is missing, with a column that says so, scaled to mean 0 and deviation 1. "
    "Categories: one column for each value (the rarest together), a missing value being one. "
    "Dates: days since 1970-01-01, month, weekday (Monday 0) and hour. All of it is learned from the training folds alone."
)


def card(training: Training, trusted: Sequence[str]) -> str:
    """The whole card. `trusted`: the types in the model's file that its reader has to allow, beside those that skops trusts."""
    comparison, target = training.comparison, training.target
    measures = MEASURES[target.task]
    best = comparison.best.candidate.name
    parts = [
        f"# {best}: {as_markdown(target.name)}",
        f"{as_markdown(training.headline)}.",
        "## What it is",
        _list(
            [
                f"Predicts “{as_markdown(target.name)}” ({target.task}) from {len(training.features.features):,} features.",
                f"Learned from {len(training.sheet.places):,} rows of {as_markdown(training.file)} (SHA-256 {training.sha256}).",
                *([f"Classes: {', '.join(map(as_markdown, target.classes))}."] if target.classes else []),
                _PREPARED,
            ]
        ),
        "## How good it is",
        f"{_split(training)} of scikit-learn, shuffled with seed {comparison.seed}: mean ± deviation over {len(comparison.folds)} folds.",
        _table(
            ["Model", *(measure.title for measure in measures)],
            [
                [
                    f"{one.candidate.name}{' (baseline)' * one.candidate.baseline}",
                    *(spread(one, measure) for measure in measures),
                ]
                for one in comparison.ranked
            ],
        ),
        _list(as_markdown(note) for note in training.notes()),
        "The best of several models looks slightly better here than it will be on new rows: it was chosen by these scores.",
        "## What it goes by",
        f"What {comparison.measure.title} loses where a feature's values are shuffled, on rows that were not learned from.",
        _table(
            ["Feature", "Loss"],
            [
                [as_markdown(one.feature), f"{figure(one.mean)} ± {figure(one.deviation)}"]
                for one in training.importances[:_MOST_FEATURES]
            ],
        ),
        "## How to use it",
        f"With Python, {_versions()} and pandas. The file holds no code that runs when it is loaded.",
        _code(_loading(training, trusted), ["print(model.predict(rows))"]),
    ]
    if not training.sampled:
        parts += [
            "## How to score it again",
            "On the file that it learned from, after what stands above:",
            _code(_scoring(training)),
        ]
    return "\n\n".join(parts) + "\n"


def _loading(training: Training, trusted: Sequence[str]) -> list[str]:
    sheet = training.sheet
    return [
        "import pandas as pd",
        "import skops.io",
        "",
        f'model = skops.io.load("model.skops", trusted={list(trusted)!r})',
        "table = pd.read_csv(",
        f'    "data.csv", sep={sheet.delimiter!r}, encoding={sheet.encoding!r}, dtype=str, skipinitialspace=True,',
        f"    keep_default_na=False, na_values={list(MISSING)!r},",
        ")",
        "table.columns = table.columns.str.strip()",
        *_rows(training.features),
    ]


def _rows(features: Features) -> list[str]:
    dates = {one.source: one.form for one in features.features if one.part is not None}
    lines = [f"dates = {{{', '.join(f'{name!r}: {_series(form, _text(name))}' for name, form in dates.items())}}}"]
    values = {
        one.name: _series(one.form, _text(one.source))
        if one.part is None
        else one.part.pandas.replace("date", f"dates[{one.source!r}]", 1)
        for one in features.features
    }
    return [
        *(lines if dates else []),
        "features = {",
        *(f"    {name!r}: {value}," for name, value in values.items()),
        "}",
        f"rows = pd.DataFrame(features).to_numpy(dtype={'object' if features.places(categorical=True) else 'float'})",
    ]


def _text(source: str) -> str:
    return f"table[{source!r}].str.strip()"


def _series(form: Form | None, text: str) -> str:
    """The values of a series of texts."""
    return text if form is None else form.pandas.replace("column", text, 1)


def _split(training: Training) -> str:
    return "StratifiedKFold" if training.target.task == "classification" else "KFold"


def _scoring(training: Training) -> list[str]:
    target, comparison = training.target, training.comparison
    split = _split(training)
    return [
        "from sklearn.base import clone",
        f"from sklearn.model_selection import {split}, cross_val_score",
        "",
        f"target = table[{target.name!r}].str.strip().dropna()",
        f"known, target = rows[target.index], {_series(target.form, 'target')}{'.astype(int)' * target.whole}.to_numpy()",
        f"folds = {split}({len(comparison.folds)}, shuffle=True, random_state={comparison.seed})",
        f"scores = cross_val_score(clone(model), known, target, cv=folds, scoring={comparison.measure.scorer!r})",
        "print(scores.mean(), scores.std())",
    ]


def _versions() -> str:
    import sklearn
    import skops

    return f"scikit-learn {sklearn.__version__}, skops {skops.__version__}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(*blocks: Sequence[str]) -> str:
    lines = [line for block in blocks for line in block]
    return "\n".join(["```python", *lines, "```"])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
