"""Charts as SVG: well formed, safe under the content security policy, and true to the values."""

import math
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.charts import HEIGHT, draw
from app.web.charts.scales import category_labels, nice, numbers


def chart(kind: str, x: list[Any], *series: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "chart",
        "name": "Chart",
        "kind": kind,
        "x": x,
        "series": [{"name": f"s{at}", "values": list(one)} for at, one in enumerate(series)],
        **more,
    }


def parse(markup: str) -> ET.Element:
    return ET.fromstring(f"<div>{markup}</div>")


@pytest.mark.parametrize("kind", ["line", "bar", "scatter", "heatmap"])
def test_a_chart_is_well_formed_and_has_no_style_or_script(kind: str) -> None:
    drawing = draw(chart(kind, ["a", "<b>", '"c"'], [1, 2.5, None], [-3, 0, 9]))
    parse(drawing.body)
    assert "style=" not in drawing.body
    assert "<b>" not in drawing.body
    assert not re.search(r"\son\w+=", drawing.body)
    assert "nan" not in drawing.body


def test_gaps_break_the_line_and_lone_points_still_show() -> None:
    path = parse(draw(chart("line", [0, 1, 2, 3], [1, None, 2, 3])).body).find(".//path[@class='ln k0']")
    assert path is not None
    data = path.attrib["d"]
    assert data.count("M") == 2
    assert data.count("L") == 1
    assert data.startswith("M0.0 ")
    assert "h0" in data


def test_a_bar_is_as_high_as_its_value() -> None:
    bars = parse(draw(chart("bar", [1, 2, 3], [10, 5, 0])).body).findall(".//rect")
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)
    assert heights[2] == 0.5  # zero stays visible
    assert [bar.find("title").text for bar in bars] == ["1, s0: 10", "2, s0: 5", "3, s0: 0"]  # type: ignore[union-attr]


def test_negative_bars_hang_from_zero() -> None:
    up, down = parse(draw(chart("bar", [1, 2], [10, -10])).body).findall(".//rect")
    assert float(up.attrib["y"]) + float(up.attrib["height"]) == pytest.approx(float(down.attrib["y"]), abs=0.2)


def test_bars_with_long_names_become_rows() -> None:
    drawing = draw(
        {
            "kind": "bar",
            "name": "Missing",
            "x": ["delivery_days", "rating & more"],
            "series": [{"name": "", "values": [50, 100]}],
        }
    )
    rows = parse(drawing.body).findall(".//tr")
    assert [row.find("th").text for row in rows] == ["delivery_days", "rating & more"]  # type: ignore[union-attr]
    assert [row.findall(".//rect")[1].attrib["width"] for row in rows] == ["50.00%", "100.00%"]
    assert [row.find("td[@class='v']").text for row in rows] == ["50", "100"]  # type: ignore[union-attr]


def test_a_heatmap_has_a_cell_for_each_value_with_its_sign_and_strength() -> None:
    drawing = draw(chart("heatmap", ["a", "b"], [1, -0.5], [None, 0.25]))
    cells = list(parse(drawing.body).iter("rect"))
    assert [(one.attrib["class"], one.attrib["fill-opacity"]) for one in cells] == [
        ("cell up", "1.000"),
        ("cell down", "0.500"),
        ("cell up", "0.250"),
    ]


def test_the_label_says_the_chart_in_words() -> None:
    said = draw(chart("line", [0, 1, 2], [4, 1, 3])).label
    assert said == "Chart, line. s0: 1 to 4, from 4 at the start to 3 at the end."


def test_several_series_have_a_legend_and_a_seventh_is_dashed() -> None:
    assert draw(chart("line", [0, 1], [1, 2])).legend == ()
    legend = draw(chart("line", [0, 1], *[[at, at + 1] for at in range(7)])).legend
    assert [look for _, look in legend] == ["k0", "k1", "k2", "k3", "k4", "k5", "k0 dash"]


def test_nothing_to_draw_is_said() -> None:
    assert "no values" in draw(chart("line", [0, 1], [None, float("nan")])).body
    assert "no values" in draw({"kind": "bar"}).body


@settings(deadline=None)
@given(
    kind=st.sampled_from(["line", "bar", "scatter", "heatmap"]),
    values=st.lists(st.none() | st.floats(-1e12, 1e12) | st.integers(-(10**400), 10**400), max_size=30),
    words=st.booleans(),
)
def test_any_values_draw_inside_the_picture(kind: str, values: list[Any], words: bool) -> None:
    drawing = draw(chart(kind, [f"n{at}" if words else at for at in range(len(values))], values))
    for path in parse(drawing.body).iter("path"):
        for y in re.findall(r"[ML][\d.-]+ ([\d.-]+)", path.attrib["d"]):
            assert -0.5 <= float(y) <= HEIGHT + 0.5


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-3, 1e9))
def test_ticks_are_round_and_hold_the_data(low: float, span: float) -> None:
    scale = nice(low, low + span)
    assert scale.low <= low + 1e-6 * span
    assert scale.high >= low + span - 1e-6 * span
    assert 2 <= len(scale.ticks) <= 9
    step = scale.ticks[1] - scale.ticks[0]
    assert step > 0
    assert round(step / 10 ** math.floor(math.log10(step)), 3) in (1, 2, 5, 10)


def test_labels_do_not_touch() -> None:
    names = [f"2026-01-{day:02}" for day in range(1, 31)]
    chosen = category_labels(names)
    assert sum(len(text) + 2 for _, text in chosen) <= 44
    assert chosen[0] == (0, "2026-01-01")
    assert category_labels([]) == []


def test_only_finite_numbers_are_numbers() -> None:
    assert numbers([1, 2.5, True, "3", None, float("inf"), 10**400]) == [1.0, 2.5, None, None, None, None, None]
