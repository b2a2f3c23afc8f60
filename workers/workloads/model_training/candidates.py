"""The pipelines that are compared, and the baselines that they have to beat."""

from dataclasses import dataclass
from typing import Any, Final

from workers.workloads.model_training.columns import Features
from workers.workloads.model_training.target import Task

MOST_ENCODED: Final = 20_000_000  # values that the categories of all rows are encoded as
MOST_CATEGORIES: Final = 20  # of a column; the rarer ones are taken together
LARGE: Final = 20_000  # rows from which on each tree of a forest learns from a sample of half as many


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to score: an unfitted scikit-learn estimator that takes the features' matrix. `cost` is its share of the time, beside the others'."""

    name: str
    estimator: Any
    baseline: bool = False
    cost: float = 1.0


def candidates(task: Task, features: Features, rows: int, seed: int) -> list[Candidate]:
    """The baselines first, then the simplest pipeline, so that of equal ones the simpler stands first."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if task == "classification":
        baselines = [
            Candidate("Most frequent class", DummyClassifier(strategy="most_frequent"), baseline=True, cost=0.02),
            Candidate(
                "Guess by frequency",
                DummyClassifier(strategy="stratified", random_state=seed),
                baseline=True,
                cost=0.02,
            ),
        ]
    else:
        baselines = [
            Candidate("Mean", DummyRegressor(strategy="mean"), baseline=True, cost=0.02),
            Candidate("Median", DummyRegressor(strategy="median"), baseline=True, cost=0.02),
        ]
    return [*baselines, *_pipelines(task, features, rows, seed)]


def _pipelines(task: Task, features: Features, rows: int, seed: int) -> list[Candidate]:
    import numpy as np
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline

    # Of bounded size, however many rows there are: 100 trees of at most 1,000 leaves.
    forest = {
        "n_estimators": 100,
        "max_leaf_nodes": 1_000,
        "max_samples": LARGE // 2 if rows > LARGE else None,
        "n_jobs": 1,
        "random_state": seed,
    }
    models: dict[str, tuple[Any, float]]
    if task == "classification":
        models = {
            "Logistic regression": (LogisticRegression(max_iter=2_000), 1.0),
            "Random forest": (RandomForestClassifier(**forest), 3.0),
            "Gradient boosting": (HistGradientBoostingClassifier(random_state=seed), 2.0),
        }
    else:
        models = {
            "Ridge regression": (RidgeCV(alphas=np.logspace(-3, 3, 13)), 0.5),
            "Random forest": (RandomForestRegressor(**forest, max_features=1 / 3), 3.0),
            "Gradient boosting": (HistGradientBoostingRegressor(random_state=seed), 2.0),
        }
    return [
        Candidate(name, make_pipeline(preparation(features, rows), model), cost=cost)
        for name, (model, cost) in models.items()
    ]


def preparation(features: Features, rows: int) -> Any:
    """Numbers: the mean where one is missing, with a sign that it was, scaled to mean 0 and deviation 1. Categories: one column each, missing being one."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers, categories = features.places(categorical=False), features.places(categorical=True)
    steps: list[tuple[str, Any, list[int]]] = []
    if numbers:
        imputer = SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True)
        steps.append(("numbers", make_pipeline(imputer, StandardScaler()), numbers))
    if categories:
        room = MOST_ENCODED // rows // len(categories)
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=max(2, min(MOST_CATEGORIES, room)),
            drop="if_binary",
            sparse_output=False,
        )
        steps.append(("categories", encoder, categories))
    return ColumnTransformer(steps)
