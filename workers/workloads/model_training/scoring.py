"""Cross-validation: every candidate on the same folds, scored by scikit-learn's own scorers."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, Final

from taskline import Context
from workers.workloads.model_training.candidates import Candidate
from workers.workloads.model_training.target import Target, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Measure:
    """A score by scikit-learn's name. Those of errors are negative there, so that more is better; they are shown without the sign."""

    scorer: str
    title: str

    @property
    def sign(self) -> int:
        """What to multiply a score with before it is shown."""
        return -1 if self.scorer.startswith("neg_") else 1


# The first is the one by which candidates are compared.
MEASURES: Final[dict[Task, tuple[Measure, ...]]] = {
    "classification": (
        Measure("accuracy", "Accuracy"),
        Measure("balanced_accuracy", "Balanced accuracy"),
        Measure("f1_macro", "F1 (macro)"),
    ),
    "regression": (
        Measure("r2", "R²"),
        Measure("neg_mean_absolute_error", "Mean absolute error"),
        Measure("neg_root_mean_squared_error", "Root mean squared error"),
    ),
}

Fold = tuple["NDArray[Any]", "NDArray[Any]"]  # places of the rows to learn from, and of those to score


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How a candidate did: each scorer's value for each fold, as scikit-learn gives it, and what it predicted for each row when it had not learned from it."""

    candidate: Candidate
    scores: dict[str, list[float]]
    seconds: float  # all folds
    predicted: "NDArray[Any]"
    confidence: "NDArray[Any] | None"  # the predicted class's probability, of a classification

    def mean(self, scorer: str) -> float:
        """The mean of all folds."""
        return fmean(self.scores[scorer])

    def deviation(self, scorer: str) -> float:
        """The deviation of the folds' values, as numpy's `std` gives it."""
        return pstdev(self.scores[scorer])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All candidates on the same folds."""

    task: Task
    scored: Sequence[Scored]
    folds: Sequence[Fold]
    seed: int

    @property
    def measure(self) -> Measure:
        """The score that decides."""
        return MEASURES[self.task][0]

    @property
    def best(self) -> Scored:
        """The pipeline with the best mean; of equal ones, the first."""
        return max((one for one in self.scored if not one.candidate.baseline), key=self._mean)

    @property
    def baseline(self) -> Scored:
        """The baseline with the best mean."""
        return max((one for one in self.scored if one.candidate.baseline), key=self._mean)

    @property
    def wins(self) -> int:
        """The folds in which the best pipeline is better than the best baseline."""
        pairs = zip(self.best.scores[self.measure.scorer], self.baseline.scores[self.measure.scorer], strict=True)
        return sum(ours > theirs for ours, theirs in pairs)

    @property
    def ranked(self) -> list[Scored]:
        """The best first."""
        return sorted(self.scored, key=self._mean, reverse=True)

    def _mean(self, one: Scored) -> float:
        return one.mean(self.measure.scorer)


def folds_of(matrix: "NDArray[Any]", target: Target, folds: int, seed: int) -> list[Fold]:
    """The folds, shuffled by `seed`; each class is as frequent in each of them as in the whole."""
    from sklearn.model_selection import KFold, StratifiedKFold

    split = StratifiedKFold if target.task == "classification" else KFold
    return list(split(folds, shuffle=True, random_state=seed).split(matrix, target.values))


def score(ctx: Context, candidate: Candidate, matrix: "NDArray[Any]", target: Target, folds: Sequence[Fold]) -> Scored:
    """Fit a fresh copy of the candidate in each fold, as `cross_val_score` does, and score it on the rows that it has not seen."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.metrics import check_scoring

    measures = MEASURES[target.task]
    scores: dict[str, list[float]] = {measure.scorer: [] for measure in measures}
    predicted = np.empty_like(target.values)
    confidence = np.empty(len(predicted)) if target.task == "classification" else None
    started = time.perf_counter()
    with warned(ctx, candidate.name):
        for fold, (train, test) in enumerate(ctx.track(folds, f"{candidate.name}, fold"), 1):
            model = clone(candidate.estimator).fit(matrix[train], target.values[train])
            given = check_scoring(model, scoring=[measure.scorer for measure in measures])(
                model, matrix[test], target.values[test]
            )
            for scorer, value in given.items():
                scores[scorer].append(float(value))
            predicted[test] = model.predict(matrix[test])
            if confidence is not None:
                confidence[test] = model.predict_proba(matrix[test]).max(axis=1)
            first = measures[0]
            ctx.log(f"{candidate.name}, fold {fold}: {first.title} {given[first.scorer]:.4f}")
    return Scored(
        candidate=candidate,
        scores=scores,
        seconds=time.perf_counter() - started,
        predicted=predicted,
        confidence=confidence,
    )


@contextmanager
def warned(ctx: Context, who: str) -> Iterator[None]:
    """What scikit-learn warns of inside becomes lines of the log, each once."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(" ".join(str(one.message).split()) for one in said):
        ctx.log(f"{who}: {text}", level="warning")
