"""Learns to predict a column of a CSV file from the others: compares models honestly, and gives the best one away."""

import os
from datetime import timedelta
from importlib import import_module
from typing import Annotated, Literal

from pydantic import Field

from taskline import Context, File, workload
from workers.workloads.csv_reading.opening import CSV
from workers.workloads.model_training.candidates import candidates
from workers.workloads.model_training.columns import features_of
from workers.workloads.model_training.downloads import offer
from workers.workloads.model_training.importance import importances
from workers.workloads.model_training.reading import read
from workers.workloads.model_training.scoring import Comparison, folds_of, score, warned
from workers.workloads.model_training.showing import show
from workers.workloads.model_training.target import find_target, target_of, with_target
from workers.workloads.model_training.training import Training


def ready() -> None:
    """Import what takes a second, once in a process. The libraries' threads would only stand in each other's way, and each takes memory."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    for name in ("sklearn.ensemble", "sklearn.inspection", "skops.io"):
        import_module(name)


@workload(
    title="Train a model",
    timeout=timedelta(hours=2),
    expected=timedelta(seconds=30),
    memory_mib=2_048,
    warm=ready,
)
def train_model(
    ctx: Context,
    file: Annotated[
        File,
        CSV,
        Field(title="File", description="A header in the first row; comma, semicolon, tab or bar between the values"),
    ],
    target: Annotated[
        str, Field(title="Target column", min_length=1, max_length=200, description="What to predict, by its header")
    ],
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(title="Task", description="Auto: numbers of more than 20 values are regression"),
    ] = "auto",
    folds: Annotated[int, Field(title="Folds", ge=2, le=20, description="Of the cross-validation")] = 5,
    seed: Annotated[int, Field(title="Seed", ge=0, le=2**32 - 1, description="The same one gives the same result")] = 0,
) -> str:
    """Learn to predict a column from the others. Compares several models with honest baselines by cross-validation, and offers the best one with its model card and predictions."""
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        with ctx.phase("Reading", share=0.05):
            sheet = read(file, ctx.folder, seed, lambda fraction: ctx.progress(fraction, "Reading"))
            name = find_target(sheet, target)
            known = with_target(sheet, name)
            learned = target_of(known, name, task, folds)
        with ctx.phase("Looking at the columns", share=0.03):
            features = features_of(known, name)
            matrix = features.matrix()
        ctx.log(f"{learned.task} of {name}: {len(known.places):,} rows, {len(features.features):,} features")
        every = candidates(learned.task, features, len(known.places), seed)
        splits = folds_of(matrix, learned, folds, seed)
        whole = sum(one.cost for one in every)
        scored = []
        for one in every:
            with ctx.phase(one.name, share=0.7 * one.cost / whole):
                scored.append(score(ctx, one, matrix, learned, splits))
        comparison = Comparison(task=learned.task, scored=scored, folds=splits, seed=seed)
        with ctx.phase("Importance", share=0.16):
            worth = importances(ctx, comparison, features, matrix, learned)
        with ctx.phase(f"{comparison.best.candidate.name}, all rows", share=0.04), warned(ctx, "All rows"):
            model = clone(comparison.best.candidate.estimator).fit(matrix, learned.values)
        training = Training(
            file=file.name,
            sha256=file.sha256,
            sheet=known,
            target=learned,
            features=features,
            comparison=comparison,
            importances=worth,
            model=model,
            without_target=len(sheet.places) - len(known.places),
        )
        with ctx.phase("Writing the downloads"):
            show(ctx, training)
            offer(ctx, training)
    return training.headline
