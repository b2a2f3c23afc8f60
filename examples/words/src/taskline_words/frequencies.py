"""Counts words: work for the processor, so it runs in a process of its own."""

import csv
import re
from collections import Counter
from typing import Annotated

from pydantic import Field

from taskline import Accept, Context, File, Rejected, workload


class NoText(Rejected):
    """This file is not a text in UTF-8."""


class NoWords(Rejected):
    """There is no word of that length in this file."""


@workload
def word_frequencies(
    ctx: Context,
    file: Annotated[File, Accept(".txt", ".md")],
    shortest: Annotated[int, Field(ge=1, le=50, description="Letters that a word has at least")] = 4,
    shown: Annotated[int, Field(ge=1, le=100, description="Words in the chart")] = 20,
) -> str:
    """Count how often each word of a text occurs. Upper and lower case are the same."""
    counts: Counter[str] = Counter()
    with ctx.phase("Reading", share=0.1):
        try:
            lines = file.path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise NoText(hint="Save it as UTF-8.") from error
    for line in ctx.track(lines, "line"):
        counts.update(word for word in re.findall(r"[^\W\d_]+", line.casefold()) if len(word) >= shortest)
    if not counts:
        raise NoWords(hint="Choose another file, or allow shorter words.")
    often = counts.most_common(shown)
    ctx.chart("Most frequent", "bar", x=[word for word, _ in often], y=[many for _, many in often])
    ctx.table("Words", [{"word": word, "times": many} for word, many in counts.most_common()])
    with (ctx.folder / "words.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("word", "times"), *counts.most_common()])
    ctx.artifact("words.csv", ctx.folder / "words.csv")
    return f"{counts.total():,} words, {len(counts):,} different ones; most often “{often[0][0]}”."
