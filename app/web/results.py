"""A task's result as the page shows it: blocks of the closed set (text, metric, table, chart, image, file) as views, Markdown made safe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from app.web.charts import Drawing, draw
from app.web.wording import number

_HEADING_OFFSET: Final = 2  # a block's `#` stands under the page's h1 and the section's h2
_markdown: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@dataclass(frozen=True, slots=True)
class TextView:
    """Markdown as safe markup."""

    name: str
    body: Markup
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class MetricsView:
    """Neighbouring metrics, as (name, value, unit)."""

    metrics: tuple[tuple[str, str, str], ...]
    kind: str = "metrics"


@dataclass(frozen=True, slots=True)
class TableView:
    """A table as text; `right` says which columns hold numbers. `hidden` rows are not shown."""

    name: str
    columns: tuple[str, ...]
    right: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    total_rows: int
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class ChartView:
    """A drawn chart."""

    name: str
    drawing: Drawing
    x_label: str = ""
    y_label: str = ""
    half: bool = False  # shares its line with its neighbour
    kind: str = "chart"


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image among the artifacts."""

    name: str
    url: str
    alt: str
    kind: str = "image"


@dataclass(frozen=True, slots=True)
class GalleryView:
    """Neighbouring images, side by side."""

    images: tuple[ImageView, ...]
    kind: str = "gallery"


View = TextView | MetricsView | TableView | ChartView | ImageView | GalleryView


def views(result: Mapping[str, Any] | None, artifacts: Sequence[Mapping[str, Any]]) -> list[View]:
    """What to show of a result, in its order. Files are left out: the page lists all artifacts anyway. So are a text that
    only repeats the summary, and blocks of an unknown type.
    """
    urls = {str(one["name"]): str(one["url"]) for one in artifacts}
    summary = (result or {}).get("summary")
    shown: list[View] = []
    for block in (result or {}).get("blocks", ()):
        if block.get("type") == "text" and block.get("markdown", "").strip() == summary:
            continue
        view = _view(block, urls)
        if isinstance(view, MetricsView) and shown and isinstance(shown[-1], MetricsView):
            shown[-1] = MetricsView(shown[-1].metrics + view.metrics)
        elif isinstance(view, ImageView) and shown and isinstance(shown[-1], ImageView | GalleryView):
            before = shown[-1].images if isinstance(shown[-1], GalleryView) else (shown[-1],)
            shown[-1] = GalleryView((*before, view))
        elif view is not None:
            shown.append(view)
        if len(block.get("points") or ()) > 1:
            shown.append(_course(block))
    return _paired(shown)


def markdown(text: str) -> Markup:
    """Markdown as markup without raw HTML, images or style attributes; links leave no referrer."""
    tokens = _markdown.parse(text)
    for token in tokens:
        _tame(token)
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704  the parser takes no raw HTML


def _view(block: Mapping[str, Any], urls: Mapping[str, str]) -> View | None:
    name = str(block.get("name") or "")
    match block.get("type"):
        case "text":
            return TextView(name, markdown(str(block.get("markdown") or "")))
        case "metric":
            return MetricsView(((name, number(block.get("value")), str(block.get("unit") or "")),))
        case "table":
            return _table(name, block)
        case "chart":
            return ChartView(name, draw(block), str(block.get("x_label") or ""), str(block.get("y_label") or ""))
        case "image" if block.get("artifact") in urls:
            return ImageView(name, urls[block["artifact"]], str(block.get("alt") or name))
    return None


def _course(block: Mapping[str, Any]) -> ChartView:
    """A metric that was reported step by step, as a line."""
    steps, values = zip(*block["points"], strict=True)
    name = str(block["name"])
    return ChartView(
        name,
        draw({"name": name, "kind": "line", "x": steps, "series": [{"name": "", "values": values}]}),
        "step",
        str(block.get("unit") or ""),
    )


def _paired(shown: list[View]) -> list[View]:
    """Small charts that follow each other stand in two columns."""
    small = [isinstance(view, ChartView) and view.drawing.small for view in shown]
    return [
        replace(view, half=True)
        if isinstance(view, ChartView) and small[at] and any(small[max(0, at - 1) : at] + small[at + 1 : at + 2])
        else view
        for at, view in enumerate(shown)
    ]


def _table(name: str, block: Mapping[str, Any]) -> TableView:
    rows = list(block.get("rows") or [])
    columns = tuple(str(column) for column in block.get("columns") or [])
    right = tuple(_holds_numbers([row[index] for row in rows if index < len(row)]) for index in range(len(columns)))
    return TableView(
        name,
        columns,
        right,
        tuple(tuple(number(cell) for cell in row) for row in rows),
        int(block.get("total_rows") or len(rows)),
    )


def _holds_numbers(cells: Sequence[Any]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known)


def _tame(token: Token) -> None:
    if token.tag in ("h1", "h2", "h3", "h4") and token.type.startswith("heading"):
        token.tag = f"h{min(6, int(token.tag[1]) + _HEADING_OFFSET)}"
    # Aligned cells come with a style attribute, which the content security policy forbids.
    style = token.attrs.pop("style", None)
    if style == "text-align:right":
        token.attrSet("class", "r")
    for child in token.children or ():
        if child.type == "link_open":
            child.attrSet("rel", "nofollow noopener noreferrer")
