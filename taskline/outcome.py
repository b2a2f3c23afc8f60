"""What a function returned, as a result's value, summary and blocks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from taskline import limits
from taskline.blocks import Cuts, metric_block, table_block, text_block
from taskline.plain import cut, one_line, plain
from taskline.results import AnyBlock, Result

RETURNED: Final = "Result"  # the name of the block that a returned text or list becomes
_MOST_SAID: Final = 4  # entries of a mapping in the summary


def result_of(returned: Any, blocks: Sequence[AnyBlock], cuts: Cuts) -> Result:
    """The result. A text is text and summary, a flat mapping metrics, a list of mappings a table; what is more nested is the value alone.

    Returned blocks come first; a block that the function made under the same name stays instead.
    """
    value = returned.model_dump() if isinstance(returned, BaseModel) else returned
    made, summary = _shown(value, cuts)
    taken = {(block.type, block.name) for block in blocks}
    every = [*(block for block in made if (block.type, block.name) not in taken), *blocks]
    return Result(value=_bounded(plain(value), cuts), summary=summary, blocks=_fitting(every, cuts))


def _fitting(blocks: list[AnyBlock], cuts: Cuts) -> list[AnyBlock]:
    """As many of the first blocks as a result may hold."""
    room, kept = limits.LARGEST_BLOCKS, list[AnyBlock]()
    for block in blocks[: limits.MOST_BLOCKS]:
        room -= len(block.model_dump_json().encode())
        if room < 0:
            break
        kept.append(block)
    if len(kept) < len(blocks):
        cuts.append(
            f"the result shows {len(kept)} of {len(blocks)} blocks: it holds {limits.MOST_BLOCKS} at most, of {limits.LARGEST_BLOCKS >> 20} MiB together"
        )
    return kept


def _shown(value: Any, cuts: Cuts) -> tuple[list[AnyBlock], str | None]:
    match value:
        case None | "":
            return [], None
        case str():
            return [text_block(RETURNED, value, cuts)], one_line(value)
        case bool() | int() | float():
            return [metric_block(RETURNED, value, None, None, None, cuts)], one_line(str(plain(value)))
        case Mapping() if value and not any(isinstance(part, Mapping | list | tuple | set) for part in value.values()):
            metrics = [
                metric_block(str(name) or "(no name)", part, None, None, None, cuts) for name, part in value.items()
            ]
            said = [f"{metric.name}: {metric.value}" for metric in metrics[:_MOST_SAID]]
            return list(metrics), cut(", ".join(said), limits.LONGEST_SUMMARY)
        case list() | tuple() if value and all(isinstance(row, Mapping) for row in value):
            return [table_block(RETURNED, value, cuts)], f"{len(value):,} {'row' if len(value) == 1 else 'rows'}"
    return [], None


def _bounded(value: Any, cuts: Cuts) -> Any:
    if isinstance(value, str) and len(value) * 4 < limits.LARGEST_VALUE:
        return value
    if value is not None and len(json.dumps(value)) > limits.LARGEST_VALUE:
        cuts.append(
            f"the returned value is larger than {limits.LARGEST_VALUE // 1024} KiB and was left out: offer it as an artifact"
        )
        return None
    return value
