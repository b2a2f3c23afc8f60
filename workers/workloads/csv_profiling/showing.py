"""Shows a profile on the task's page: figures, tables, charts."""

from typing import Any

from taskline import Context
from workers.workloads.csv_profiling.profile import Profile, percent
from workers.workloads.csv_profiling.statistics import Column

_MOST_HISTOGRAMS = 24


def show(ctx: Context, profile: Profile) -> None:
    """Report the profile's blocks, the overview first."""
    ctx.metric("Rows", profile.rows)
    ctx.metric("Columns", len(profile.columns))
    ctx.metric("Missing values", round(profile.missing_share * 100, 2), unit="%")
    ctx.metric("Repeated rows", profile.repeated)
    ctx.table("Columns", [_overview(one) for one in profile.columns])
    numeric = [one for one in profile.columns if one.numbers is not None]
    if numeric:
        ctx.table("Numbers", [_figures(one) for one in numeric])
    gaps = sorted((one for one in profile.columns if one.missing), key=lambda one: -one.missing)
    if gaps:
        ctx.chart(
            "Missing values",
            "bar",
            x=[one.name for one in gaps],
            y=[round(one.missing_share * 100, 2) for one in gaps],
            y_label="% of rows",
        )
    for one in [one for one in profile.columns if one.histogram is not None][:_MOST_HISTOGRAMS]:
        assert one.histogram is not None  # noqa: S101  chosen by it, which the type checker does not see
        ctx.chart(
            f"Distribution of {one.name}",
            "bar",
            x=one.histogram.labels,
            y=one.histogram.counts,
            x_label=one.name,
            y_label="rows",
        )
    for one in [one for one in profile.columns if one.family in ("text", "truth") and one.distinct < one.filled][
        :_MOST_HISTOGRAMS
    ]:
        ctx.chart(
            f"Most frequent in {one.name}",
            "bar",
            x=[value or " " for value, _ in one.frequent],
            y=[count for _, count in one.frequent],
            y_label="rows",
        )
    if profile.correlations is not None:
        ctx.chart(
            "Correlations",
            "heatmap",
            x=profile.correlations.names,
            y=profile.correlations.names,
            z=profile.correlations.rows,
        )


def _overview(one: Column) -> dict[str, Any]:
    low, high = (one.numbers.low, one.numbers.high) if one.numbers else (one.first, one.last)
    return {
        "Column": one.name,
        "Type": one.kind,
        "Missing": percent(one.missing_share),
        "Distinct": one.distinct,
        "Smallest": low,
        "Largest": high,
        "Most frequent": one.frequent[0][0] if one.frequent and one.distinct < one.filled else None,
    }


def _figures(one: Column) -> dict[str, Any]:
    numbers = one.numbers
    assert numbers is not None  # noqa: S101  the caller chose those that have some
    names = {0.05: "5 %", 0.25: "25 %", 0.5: "Median", 0.75: "75 %", 0.95: "95 %"}
    quantiles = {name: _short(numbers.quantiles[part]) for part, name in names.items()}
    return {
        "Column": one.name,
        "Mean": _short(numbers.mean),
        "Deviation": _short(numbers.sd),
        **quantiles,
        "Zeros": numbers.zeros,
        "Negative": numbers.negatives,
    }


def _short(value: float | None) -> float | None:
    """Six significant digits."""
    return None if value is None else float(f"{value:.6g}")
