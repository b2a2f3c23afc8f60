"""Shows a profile on the task's page: figures, tables, charts."""

from typing import Any

from taskline import Context
from workers.workloads.csv_profiling.profile import Profile
from workers.workloads.csv_profiling.statistics import Column, percent
from workers.workloads.wording import many

_MOST_HISTOGRAMS = 24


def show(ctx: Context, profile: Profile) -> None:
    """Report the profile's blocks, the overview first."""
    ctx.metric("Rows", profile.rows)
    ctx.metric("Columns", len(profile.columns))
    ctx.metric("Missing values", round(profile.missing_share * 100, 2), unit="%")
    ctx.metric("Repeated rows", profile.repeated)
    if profile.findings:
        grouped = {about: [said for of, said in profile.findings if of == about] for about, _ in profile.findings}
        ctx.table(
            "What stands out", [{"Column": about, "Findings": "; ".join(said)} for about, said in grouped.items()]
        )
    ctx.table("Columns", [_overview(one) for one in profile.columns])
    numeric = [one for one in profile.columns if one.numbers is not None]
    if numeric:
        ctx.table("Numbers", [_figures(one) for one in numeric])
    timed = [one for one in profile.columns if one.days is not None]
    if timed:
        ctx.table("Dates", [_dates(one) for one in timed])
    texts = [one for one in profile.columns if one.family == "text" and one.filled]
    if texts:
        ctx.table("Categories and texts", [_text(one) for one in texts])
    gaps = sorted((one for one in profile.columns if one.missing), key=lambda one: -one.missing)
    if gaps:
        ctx.chart(
            "Missing values",
            "bar",
            x=[one.name for one in gaps],
            y=[round(one.missing_share * 100, 2) for one in gaps],
            y_label="% of rows",
        )
    if profile.patterns is not None:
        ctx.table(
            "Missing together", [_pattern(names, count, profile.rows) for names, count in profile.patterns.frequent]
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
        "Outliers": None if numbers.outliers is None else numbers.outliers.below + numbers.outliers.above,
        "Skewness": _short(numbers.skewness),
        "Zeros": numbers.zeros,
        "Negative": numbers.negatives,
    }


def _dates(one: Column) -> dict[str, Any]:
    days = one.days
    assert days is not None  # noqa: S101  the caller chose those that have some
    gap = days.longest_gaps[0] if days.longest_gaps else None
    return {
        "Column": one.name,
        "First": one.first,
        "Last": one.last,
        "Days": days.different,
        "Days spanned": days.spanned,
        "Usual step": many(days.usual_step, "day") if days.usual_step else None,
        "Gaps": days.gaps,
        "Longest gap": f"{gap.days:,} days: {gap.after} to {gap.until}" if gap else None,
    }


def _text(one: Column) -> dict[str, Any]:
    value, count = one.frequent[0]
    return {
        "Column": one.name,
        "Distinct": one.distinct,
        "Most frequent": value,
        "Its share": percent(count / one.filled),
        "In one row alone": one.once,
        "Longest": one.longest,
        "Spelt in several ways": ", ".join(one.spellings[0]) if one.spellings else None,
    }


def _pattern(names: list[str], count: int, rows: int) -> dict[str, Any]:
    return {"Columns": ", ".join(names), "Rows": count, "Share": percent(count / rows)}


def _short(value: float | None) -> float | None:
    """Six significant digits."""
    return None if value is None else float(f"{value:.6g}")
