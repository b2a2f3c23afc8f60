"""Which columns the best pipeline goes by: how much its score falls where a column's values are shuffled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from taskline import Context
from workers.workloads.model_training.columns import Features
from workers.workloads.model_training.scoring import Comparison, warned
from workers.workloads.model_training.target import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATS: Final = 5
MOST_SHUFFLES: Final = 500  # of a fold
MOST_ROWS: Final = 2_000  # of a fold


@dataclass(frozen=True, slots=True)
class Importance:
    """What a feature is worth: mean and deviation of the loss in the score, over all folds and shuffles."""

    feature: str
    mean: float
    deviation: float


def importances(
    ctx: Context, comparison: Comparison, features: Features, matrix: "NDArray[Any]", target: Target
) -> list[Importance]:
    """Of every feature, the most important first; measured on rows that the model has not learned from."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.inspection import permutation_importance

    repeats = max(1, min(REPEATS, MOST_SHUFFLES // len(features.features)))
    losses = []
    with warned(ctx, "Importance"):
        for train, test in ctx.track(comparison.folds, "importance, fold"):
            model = clone(comparison.best.candidate.estimator).fit(matrix[train], target.values[train])
            rows = test[:MOST_ROWS]
            found = permutation_importance(
                model,
                matrix[rows],
                target.values[rows],
                scoring=comparison.measure.scorer,
                n_repeats=repeats,
                n_jobs=1,
                random_state=comparison.seed,
            )
            losses.append(found.importances)
    every = np.hstack(losses)
    made = [
        Importance(feature.name, float(one.mean()), float(one.std()))
        for feature, one in zip(features.features, every, strict=True)
    ]
    return sorted(made, key=lambda one: -one.mean)
