"""Result blocks as the page shows them, and Markdown made safe."""

from typing import Any

import pytest

from app.web.results import ChartView, GalleryView, ImageView, MetricsView, TableView, TextView, markdown, views

ARTIFACTS = [{"name": "map.png", "media_type": "image/png", "size": 10, "url": "/api/v1/tasks/x/artifacts/map.png"}]


def shown(*blocks: dict[str, Any]) -> list[Any]:
    return views({"v": 1, "value": None, "summary": None, "blocks": list(blocks)}, ARTIFACTS)


def test_neighbouring_metrics_stand_together() -> None:
    rows = {"type": "metric", "name": "Rows", "value": 48120, "unit": None}
    share = {"type": "metric", "name": "Missing", "value": 1.8425, "unit": "%"}
    first, text, second = shown(rows, share, {"type": "text", "name": "", "markdown": "x"}, rows)
    assert first == MetricsView((("Rows", "48,120", ""), ("Missing", "1.8425", "%")))
    assert isinstance(text, TextView)
    assert second == MetricsView((("Rows", "48,120", ""),))


def test_a_table_aligns_its_numbers_and_says_what_it_leaves_out() -> None:
    (table,) = shown(
        {
            "type": "table",
            "name": "Columns",
            "columns": ["name", "max"],
            "rows": [["a", 1234.5], ["b", None], [None, -2]],
            "total_rows": 900,
        }
    )
    assert isinstance(table, TableView)
    assert table.right == (False, True)
    assert table.rows == (("a", "1,234.5"), ("b", "–"), ("–", "−2"))
    assert table.total_rows == 900


def test_an_image_needs_its_artifact() -> None:
    known = {"type": "image", "name": "Map", "artifact": "map.png", "alt": "A map"}
    (image,) = shown(known, {**known, "artifact": "gone.png"})
    assert image == ImageView("Map", "/api/v1/tasks/x/artifacts/map.png", "A map")


def test_charts_are_drawn_and_files_and_unknown_blocks_left_out() -> None:
    chart = {
        "type": "chart",
        "name": "Rows",
        "kind": "line",
        "x": [0, 1],
        "series": [{"name": "", "values": [1, 2]}],
        "x_label": "day",
        "y_label": "",
    }
    (view,) = shown(chart, {"type": "file", "name": "r", "artifact": "map.png"}, {"type": "hologram", "name": "h"})
    assert isinstance(view, ChartView)
    assert (view.x_label, view.y_label) == ("day", "")


def test_a_reported_series_of_a_metric_is_drawn_too() -> None:
    metric, chart = shown(
        {"type": "metric", "name": "Loss", "value": 0.1, "unit": None, "points": [[1, 0.5], [2, None], [3, 0.1]]}
    )
    assert isinstance(metric, MetricsView)
    assert isinstance(chart, ChartView)
    assert chart.name == "Loss"


def test_neighbouring_images_are_a_gallery() -> None:
    blocks = [
        {"type": "image", "name": name, "artifact": name, "alt": name.upper()} for name in ("a.png", "b.png", "c.png")
    ]
    text = {"type": "text", "name": "t", "markdown": "between"}
    artifacts = [{"name": name, "url": f"/files/{name}"} for name in ("a.png", "b.png", "c.png")]
    gallery, _, single = views({"blocks": [*blocks[:2], text, blocks[2]]}, artifacts)
    assert isinstance(gallery, GalleryView)
    assert [(one.url, one.alt) for one in gallery.images] == [("/files/a.png", "A.PNG"), ("/files/b.png", "B.PNG")]
    assert isinstance(single, ImageView)


def test_no_result_shows_nothing() -> None:
    assert views(None, []) == []
    assert views({}, []) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        '![x](https://elsewhere.example/track.png "t")',
        "<style>*{}</style>",
        "a\n\n|x|\n|--:|\n|1|",
    ],
)
def test_markdown_brings_no_markup_of_its_own(text: str) -> None:
    html = str(markdown(text)).lower()
    for bad in ("<script", "<img", "<style", "style=", 'href="javascript', 'href="data'):
        assert bad not in html


def test_markdown_headings_stand_below_the_pages_own_and_links_are_marked() -> None:
    html = str(markdown("# Title\n\n[there](https://example.com)\n\n|a|b|\n|--|--:|\n|1|2|"))
    assert "<h3>Title</h3>" in html
    assert 'rel="nofollow noopener noreferrer"' in html
    assert '<td class="r">2</td>' in html
