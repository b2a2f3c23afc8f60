"""Puts the figures of docs/measured/ into docs/reliability.md and draws its plots.

python -m tests.faults.publish                   after a measurement
python -m tests.faults.publish report.jsonl …    also takes what rows have recorded (`make faults-slow FAULTS_REPORT=report.jsonl`)
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.charts import Strip, bars, curves, strips
from tests.faults.figures import MEASURED, conditions, read, spread, write
from tests.faults.matrix import MATRIX

PAGE: Final = Path("docs/reliability.md")
PICTURES: Final = Path("docs/img")
BLOCK: Final = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WHEN: Final = {
    "meanwhile": "while it is away",
    "after": "once it is back",
    "rerun": "next attempt",
    "resumed": "next attempt, once it is back",
}
MISSING: Final = "No figures yet."

Report = Mapping[str, Any]


def matrix(report: Report) -> list[str]:
    """Every row, with what its tests have recorded."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for one in report["recoveries"]:
        found[one["row"]].append((one["seconds"], one["bound"]))
    lines = []
    for row in MATRIX:
        took = found.get(row.number)
        figures = _figures(spread([seconds for seconds, _ in took])._asdict()) if took else ["", "", "", ""]
        lines.append([str(row.number), row.fault, row.happens, row.bound, *figures])
    return _table(["#", "fault", "what happens", "within", "n", "p50", "p95", "max"], lines)


def recovery(report: Report) -> list[str]:
    """By fault, backend and measure."""
    lines = [
        [one["fault"], one["backend"], WHEN[one["measure"]], *_figures(one), f"{one['bound']:.1f}"]
        for one in report["cases"]
    ]
    head = ["fault", "queue", "measured", "n", "p50", "p95", "max", "bound"]
    picture = "![Each recovery as a dot, with median and bound, by fault](img/recovery.svg)"
    return [picture, "", *_table(head, lines), "", _taken(report)]


def delivery(report: Report) -> list[str]:
    """What everybody heard."""
    cuts = ", ".join(f"{name} {number} times" for name, number in sorted(report["cuts"].items()))
    late = report["late"]
    lines = [
        ["completions", f"{report['completions']:,}"],
        ["people", str(report["people"])],
        ["cut", cuts],
        ["connections that their sockets took", f"{report['connections']:,}"],
        ["events in the log", f"{report['events']:,}"],
        ["events heard, once and in order", f"{report['heard']:,} ({report['share']:.2%})"],
        ["heard twice, or missed", f"{report['repeated']}, {report['gaps']}"],
        ["late by", f"p50 {late['p50']:.3f} s, p95 {late['p95']:.2f} s, p99 {late['p99']:.2f} s, max {late['max']:.2f} s"],
    ]  # fmt: skip
    picture = "![How late completions were heard: a histogram](img/delivery.svg)"
    return [*_table(["", ""], lines), "", picture, "", _taken(report)]


def soak(report: Report) -> list[str]:
    """The verdict of the ledger, and how long recovery took under random faults."""
    crimes = ("lost", "repeated", "foreign", "two_terminal", "gaps", "orphans", "duplicates", "illegal")
    lines = [
        [one["backend"], f"{one['accepted']:,}", *(str(one[name]) for name in crimes)] for one in report["deployments"]
    ]
    verdict = _table(["queue", "accepted", *(name.replace("_", " ") for name in crimes)], lines)
    figures = [
        [one["fault"], WHEN[one["measure"]], *_figures(one), f"{one['bound']:.1f}", str(one["crowded"])]
        for one in report["recovery"]
        if one["n"]
    ]
    recovered = _table(["fault", "measured", "n", "p50", "p95", "max", "bound", "overlapping, not counted"], figures)
    said = f"{len(report['schedule'])} faults in {report['seconds'] / 60:g} minutes, seed {report['seed']}."
    return [said, "", *verdict, "", *recovered, "", _taken(report)]


def sqlite(report: Report) -> list[str]:
    """The answers under contention."""
    lines = []
    for one in report["shapes"]:
        late = one["latency"]
        lines.append(
            [
                f"`{one['shape']}`" if one["shape"] == "dev" else "`serve` and `worker`",
                f"{sum(one['operations'].values()):,}",
                str(one["sockets"]),
                str(one["locked"]),
                str(one["refused"]),
                *(f"{1000 * late[name]:.0f}" for name in ("p50", "p95", "p99", "max")),
            ]
        )
    head = ["processes", "operations", "sockets", "locked", "refused", "p50 ms", "p95 ms", "p99 ms", "max ms"]
    return [*_table(head, lines), "", _taken(report)]


def backlog(report: Report) -> list[str]:
    """What each number of waiting tasks costs."""
    points: Sequence[Mapping[str, float]] = report["points"]
    lines = [[f"{one[name]:,}" for name in one] for one in points]
    picture = "![Latencies, memory and messages at the broker over the number of waiting tasks](img/backlog.svg)"
    said = (
        f"At the broker never more than {report['broker_depth_max']:,} messages waited; with free slots a worker then ended "
        f"{report['drained_per_s']:,.0f} tasks a second of that backlog. Taken with {report['cores']} cores."
    )
    return [picture, "", *_table([name.replace("_", " ") for name in points[0]], lines), "", said]


def throughput(report: Report) -> list[str]:
    """Tasks a second, by what became of RabbitMQ."""
    there = report["cases"][0]["median"]
    lines = [
        [one["case"], str(one["n"]), *(f"{one[name]:,.0f}" for name in ("median", "least", "most")), f"{one['median'] / there:.0%}"]
        for one in report["cases"]
    ]  # fmt: skip
    return [
        *_table(["RabbitMQ", "runs", "tasks/s, median", "least", "most", "of the first"], lines),
        "",
        _taken(report),
    ]


BLOCKS: Final[dict[str, Callable[[Report], list[str]]]] = {
    "rows": matrix,
    "recovery": recovery,
    "delivery": delivery,
    "soak": soak,
    "sqlite": sqlite,
    "backlog": backlog,
    "throughput": throughput,
}


def page(text: str, folder: Path = MEASURED) -> str:
    """The page with every block as the reports in `folder` have it."""

    def block(match: re.Match[str]) -> str:
        report = read(match[2], folder)
        lines = BLOCKS[match[2]](report) if report else [MISSING]
        return f"{match[1]}{chr(10).join(lines)}\n{match[3]}"

    return BLOCK.sub(block, text)


def pictures(folder: Path = MEASURED) -> dict[str, str]:
    """The plots by the names of their files."""
    drawn = {}
    if report := read("recovery", folder):
        groups: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for one in report["recoveries"]:
            groups[one["kind"], one["measure"]].append((one["seconds"], one["bound"]))
        rows = [
            Strip(f"{kind}, {WHEN[measure]}", [seconds for seconds, _ in found], max(bound for _, bound in found))
            for (kind, measure), found in sorted(groups.items(), key=lambda group: -max(group[1])[0])
        ]
        drawn["recovery.svg"] = strips("How long recovery takes", rows)
    if report := read("delivery", folder):
        counts = {f"within {one['within']:g} s": int(one["number"]) for one in report["histogram"]}
        while len(counts) > 1 and not list(counts.values())[-1]:
            counts.popitem()
        title = f"How late {report['completions']:,} completions were heard while everything was cut"
        drawn["delivery.svg"] = bars(title, "completions, each class without the ones before", counts)
    if report := read("backlog", folder):
        axis, *names = report["points"][0]
        series = {name.replace("_", " "): [one[name] for one in report["points"]] for name in names}
        drawn["backlog.svg"] = curves(
            "With more and more tasks waiting", axis, [p[axis] for p in report["points"]], series
        )
    return drawn


def rows_of(paths: Iterable[Path]) -> dict[str, Any]:
    """A report of what rows have recorded at the usual pace, over any number of runs."""
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    usual = [one for one in lines if one["pace"] == "default"]
    kept = [{name: one[name] for name in ("row", "backend", "seconds", "bound")} for one in usual]
    return {"conditions": conditions(), "recoveries": sorted(kept, key=lambda one: (one["row"], one["backend"]))}


def main(reports: Sequence[str]) -> None:
    if reports:
        write(MEASURED / "rows.json", rows_of(map(Path, reports)))
    PAGE.write_text(page(PAGE.read_text()))
    for name, drawing in pictures().items():
        (PICTURES / name).write_text(drawing)


def _figures(one: Mapping[str, Any]) -> list[str]:
    return [str(one["n"]), *(f"{one[name]:.2f}" for name in ("p50", "p95", "max"))]


def _taken(report: Report) -> str:
    on = report["conditions"]
    servers = ", ".join(f"{name} {version}" for name, version in on["servers"].items())
    pace = ", ".join(f"{name} {seconds:g} s" for name, seconds in on["pace"].items())
    return f"Taken on {on['at'][:10]} with {on['cores']} cores, Python {on['python']}{', ' + servers if servers else ''}; {pace}."


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]


if __name__ == "__main__":
    main(sys.argv[1:])
