"""Shows a training on the task's page: the comparison first, then what the best model gets wrong and what it goes by."""

from typing import Any, Final

from taskline import Context
from workers.workloads.model_training.scoring import MEASURES
from workers.workloads.model_training.training import Training, rounded, spread
from workers.workloads.wording import as_markdown

MOST_BARS: Final = 20
MOST_DOTS: Final = 2_000


def show(ctx: Context, training: Training) -> None:
    """Report the training's blocks."""
    comparison = training.comparison
    best, measures = comparison.best, MEASURES[comparison.task]
    for measure in measures:
        ctx.metric(measure.title, rounded(best.mean(measure.scorer) * measure.sign))
    ctx.metric("Rows", len(training.sheet.places))
    ctx.table(
        "Comparison",
        [
            {
                "Model": f"{one.candidate.name} (baseline)" if one.candidate.baseline else one.candidate.name,
                **{measure.title: spread(one, measure) for measure in measures},
                "Seconds": round(one.seconds, 2),
            }
            for one in comparison.ranked
        ],
    )
    ctx.text("Notes", "\n".join(f"- {as_markdown(note)}" for note in training.notes()))
    if comparison.task == "classification":
        _confusion(ctx, training)
    else:
        _residuals(ctx, training)
    if any(one.mean > 0 for one in training.importances):
        shown = training.importances[:MOST_BARS]
        ctx.chart(
            "Importance",
            "bar",
            x=[one.feature for one in shown],
            y=[round(one.mean, 4) for one in shown],
            x_label=f"loss of {comparison.measure.title} where the column is shuffled",
        )
    ctx.table("Columns", _columns(training))


def _confusion(ctx: Context, training: Training) -> None:
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(training.target.values, training.comparison.best.predicted)
    ctx.chart(
        f"Confusion matrix of {training.comparison.best.candidate.name}",
        "heatmap",
        x=training.target.classes,
        y=training.target.classes,
        z=counts.tolist(),
        x_label="predicted",
        y_label="actual",
    )


def _residuals(ctx: Context, training: Training) -> None:
    """Of at most 2,000 rows, evenly chosen; they are in no order that matters."""
    best, actual = training.comparison.best, training.target.values
    step = -(-len(actual) // MOST_DOTS)
    predicted = best.predicted[::step]
    ctx.chart(
        f"Residuals of {best.candidate.name}",
        "scatter",
        x=predicted.tolist(),
        y=(actual[::step] - predicted).tolist(),
        x_label="predicted",
        y_label="actual less predicted",
    )


def _columns(training: Training) -> list[dict[str, Any]]:
    columns = training.features.columns
    any_reason = any(one.why for one in columns)
    return [
        {
            "Column": one.name,
            "Used as": one.use,
            "Written as": one.form,
            "Missing": one.missing,
            "Distinct": one.distinct,
            **({"Why": one.why or None} if any_reason else {}),
        }
        for one in columns
    ]
