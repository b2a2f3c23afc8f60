"""What a training offers to keep: the model, its card, the predictions and the scores."""

import csv
import json
from typing import Any
from zipfile import ZIP_DEFLATED

from taskline import Context
from workers.workloads.formulas import defused
from workers.workloads.model_training.card import card
from workers.workloads.model_training.training import Training


def offer(ctx: Context, training: Training) -> None:
    """Write the four files and offer them."""
    import skops.io

    model = ctx.folder / "model.skops"
    skops.io.dump(training.model, model, compression=ZIP_DEFLATED)
    trusted = skops.io.get_untrusted_types(file=model)
    ctx.artifact("model.skops", model, "application/zip")
    ctx.artifact("model_card.md", card(training, trusted).encode(), "text/markdown")
    ctx.artifact("predictions.csv", _predictions(ctx, training), "text/csv")
    scores = json.dumps(training.document(), ensure_ascii=False, indent=1)
    ctx.artifact("scores.json", scores.encode(), "application/json")


def _predictions(ctx: Context, training: Training) -> Any:
    """What the best pipeline said of each row when it had not learned from it."""
    best, target = training.comparison.best, training.target
    fold_of = dict[int, int]()
    for fold, (_, test) in enumerate(training.comparison.folds, 1):
        fold_of |= dict.fromkeys(test.tolist(), fold)
    path = ctx.folder / "predictions.csv"
    classes = best.confidence is not None
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "fold", "actual", "predicted", "probability" if classes else "residual"])
        others = best.confidence if best.confidence is not None else target.values - best.predicted
        rows = zip(training.sheet.places, target.values.tolist(), best.predicted.tolist(), others.tolist(), strict=True)
        for at, (place, actual, predicted, other) in enumerate(rows):
            writer.writerow(
                [place, fold_of[at], _safe(actual), _safe(predicted), round(other, 6) if classes else other]
            )
    return path


def _safe(value: Any) -> Any:
    return defused(value) if isinstance(value, str) else value
