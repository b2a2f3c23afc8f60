"""All that one run found out, as a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.workloads.model_training.columns import Features
from workers.workloads.model_training.importance import Importance
from workers.workloads.model_training.reading import Sheet
from workers.workloads.model_training.scoring import Comparison, Measure, Scored
from workers.workloads.model_training.target import Target
from workers.workloads.wording import many

NEARLY_PERFECT: Final = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A finished run. `rows` without a target are not in `sheet`; `model` is the best pipeline, fitted on all rows of it."""

    file: str
    sha256: str
    sheet: Sheet
    target: Target
    features: Features
    comparison: Comparison
    importances: Sequence[Importance]
    model: Any
    without_target: int

    @property
    def headline(self) -> str:
        """One sentence: "Logistic regression predicts species with an accuracy of 0.960 ± 0.025; the best baseline reaches 0.333"."""
        comparison, measure = self.comparison, self.comparison.measure
        theirs = figure(comparison.baseline.mean(measure.scorer))
        target = self.target.name if len(self.target.name) <= 40 else f"{self.target.name[:39]}…"
        if not self.better:
            return f"No model predicts {target} better than the baseline “{comparison.baseline.candidate.name}” ({measure.title} {theirs})"
        said = "an accuracy" if measure.scorer == "accuracy" else f"an {measure.title}"
        return (
            f"{comparison.best.candidate.name} predicts {target} with {said} of {spread(comparison.best, measure)};"
            f" the best baseline reaches {theirs}"
        )

    @property
    def better(self) -> bool:
        """Whether the best pipeline's mean is above every baseline's."""
        scorer = self.comparison.measure.scorer
        return self.comparison.best.mean(scorer) > self.comparison.baseline.mean(scorer)

    @property
    def sampled(self) -> bool:
        """Whether some rows of the file were not looked at."""
        return len(self.sheet.places) + self.without_target < self.sheet.total

    def notes(self) -> list[str]:
        """What a reader of the scores has to know, a sentence each."""
        comparison, sheet = self.comparison, self.sheet
        folds = len(comparison.folds)
        said = [
            f"{comparison.best.candidate.name} is better than the best baseline in {comparison.wins} of {folds} folds."
        ]
        if comparison.best.mean(comparison.measure.scorer) > NEARLY_PERFECT:
            said.append(
                "This is nearly perfect: look whether a column gives the answer away, or is known only afterwards."
            )
        if self.sampled:
            used = len(sheet.places) + self.without_target
            said.append(f"The file has {sheet.total:,} rows; a random sample of {used:,} was used.")
        if self.without_target:
            said.append(f"{many(self.without_target, 'row')} without a value in “{self.target.name}” left out.")
        said += [f"“{one.name}” left out: {one.why}." for one in self.features.columns if one.use == "left out"]
        return said

    def document(self) -> dict[str, Any]:
        """The scores as JSON values, unrounded: what `scores.json` holds."""
        comparison = self.comparison
        return {
            "format": "taskline scores 1",
            "file": {"name": self.file, "sha256": self.sha256, "rows": self.sheet.total},
            "rows": len(self.sheet.places),
            "target": self.target.name,
            "task": self.target.task,
            "classes": self.target.classes or None,
            "features": [one.name for one in self.features.features],
            "folds": len(comparison.folds),
            "seed": comparison.seed,
            "best": comparison.best.candidate.name,
            "models": [
                {
                    "name": one.candidate.name,
                    "baseline": one.candidate.baseline,
                    "scores": one.scores,
                    "seconds": round(one.seconds, 3),
                }
                for one in comparison.scored
            ],
            "importance": [
                {"feature": one.feature, "mean": one.mean, "deviation": one.deviation} for one in self.importances
            ],
        }


def spread(scored: Scored, measure: Measure) -> str:
    """Mean and deviation, "0.960 ± 0.025"."""
    mean, deviation = scored.mean(measure.scorer) * measure.sign, scored.deviation(measure.scorer)
    return f"{figure(mean)} ± {figure(deviation)}"


def figure(value: float) -> str:
    """Three decimals, or four digits of a larger number."""
    return (f"{value:.3f}" if abs(value) < 10 else f"{rounded(value):,g}").replace("-", "−")


def rounded(value: float) -> float:
    """The number that `figure` shows."""
    return round(value, 3) if abs(value) < 10 else float(f"{value:.4g}")
