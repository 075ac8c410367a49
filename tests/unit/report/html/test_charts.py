"""Pictures hold every number that is one, and stay in their frame whatever the numbers are."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis.report.html import Band, Html, Level, Moment, Row, Series, line_chart, timeline, utc
from aegis.report.html.charts import MOST_POINTS, _ticks
from tests.support.pages.html_reader import read
from tests.support.verdicts.verdicts import HOSTILE

ANY = st.floats(allow_nan=True, allow_infinity=True)


def chart(points: list[tuple[float, float]], **more: object) -> Html:
    return line_chart("Evidence", [Series("against", points, "bad")], x_label="minutes", y_label="log10 e", **more)  # type: ignore[arg-type]


def places(markup: str) -> list[tuple[float, float]]:
    """Every place that an absolute command of a path of lines or areas goes to."""
    drawn = re.findall(r'class="(?:line|dot)" d="M([-0-9. L]+)z?"', markup)
    return [(float(x), float(y)) for path in drawn for x, y in (pair.split() for pair in path.split("L"))]


def test_a_line_has_a_place_for_each_point_and_its_numbers_as_a_table() -> None:
    made = chart([(0, 1), (1, 2), (2, 4)], levels=[Level("aborts", 3)])
    assert len([each for each in places(made.markup) if each]) >= 3
    text = " ".join(read(made.markup).words)
    assert "Line minutes log10 e against 0 1 against 1 2 against 2 4 aborts everywhere 3" in text


def test_higher_values_stand_higher_and_later_ones_further_right() -> None:
    line = re.search(r'class="line" d="M([-0-9. L]+)"', chart([(0, 0), (5, 10), (10, 5)]).markup)
    assert line is not None
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, pair.split())) for pair in line[1].split("L")]
    assert x0 < x1 < x2
    assert y1 < y2 < y0


def test_a_band_goes_up_and_comes_back() -> None:
    made = line_chart("Ratio", [], x_label="look", y_label="ratio", bands=[Band("95 %", [(0, 1, 2), (1, 1, 3)])])
    assert " ".join(read(made.markup).words).endswith("95 % 0 1 to 2 95 % 1 1 to 3")
    path = next(part for part in re.findall(r'd="M([-0-9. L]+)z"', made.markup) if part.count("L") == 3)
    (a, b, c, d) = [tuple(map(float, pair.split())) for pair in path.split("L")]
    assert (a[0], b[0]) == (d[0], c[0])
    assert a[1] < d[1]
    assert b[1] < c[1]


@pytest.mark.parametrize("points", [[], [(math.nan, 1.0)], [(1.0, math.inf)]])
def test_without_a_point_it_says_so(points: list[tuple[float, float]]) -> None:
    made = chart(points)
    assert "There is nothing to draw yet." in read(made.markup).text
    assert "svg" not in read(made.markup).names


@given(st.lists(st.tuples(ANY, ANY), max_size=8), st.lists(ANY, max_size=2))
@example([(0.0, 0.0)], [5e-324])
@example([(0.0, 0.0), (1e-310, 1e-310)], [])
@settings(max_examples=150, deadline=None)
def test_whatever_the_numbers_are_it_stays_in_its_frame(points: list[tuple[float, float]], levels: list[float]) -> None:
    made = chart(points, levels=[Level("limit", value) for value in levels])
    assert not re.search(r"\bnan\b|\binf\b", re.sub(r"<details>.*", "", made.markup))
    for x, y in places(re.sub(r'<svg viewBox="0 0 32 12".*?</svg>', "", made.markup)):
        assert 0 <= x <= 720
        assert 0 <= y <= 250


@given(st.lists(st.tuples(ANY, st.sampled_from(["good", "bad", "warn", "unknown", "plain"])), max_size=8))
@settings(max_examples=100, deadline=None)
def test_so_does_a_timeline(moments: list[tuple[float, str]]) -> None:
    made = timeline(
        "Gates",
        [Row("scan", [Moment(at, tone, "x") for at, tone in moments])],  # type: ignore[arg-type]
        x_label="UTC",
        x_text=utc,
    )
    for x in re.findall(r'cx="([-0-9.]+)"', made.markup):
        assert 0 <= float(x) <= 720


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12))
@settings(max_examples=200, deadline=None)
def test_ticks_are_few_and_reach_over_both_ends(low: float, length: float) -> None:
    high = low + max(length, abs(low) * 1e-9)
    ticks = _ticks(low, high)
    assert 2 <= len(ticks) <= 12
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + step * 1e-6
    assert ticks[-1] >= high - step * 1e-6


def test_an_axis_of_time_has_whole_days() -> None:
    day = 86400.0
    made = chart([(20_000.4 * day, 1), (20_004.2 * day, 2)], x_text=utc)
    assert set(re.findall(r">(\d\d-\d\d \d\d:\d\d)</text>", made.markup)) == {
        "10-05 00:00",
        "10-06 00:00",
        "10-07 00:00",
        "10-08 00:00",
    }


def test_what_no_calendar_holds_is_a_number() -> None:
    assert utc(1e300) == "1e+300"


def test_of_many_points_the_last_are_shown() -> None:
    found = read(chart([(float(x), 1.0) for x in range(MOST_POINTS + 5)]).markup)
    assert found.names.count("td") == 3 * MOST_POINTS
    assert "against4" not in found.text.replace(" ", "").split("minutes")[0]


@pytest.mark.parametrize("value", HOSTILE)
def test_names_stay_text(value: str) -> None:
    made = [
        line_chart(value, [Series(value, [(0, 1), (1, 2)])], x_label=value, y_label=value, levels=[Level(value, 1)]),
        timeline(value, [Row(value, [Moment(0, "good", value)])], x_label=value, x_text=utc),
    ]
    known = {
        "figure",
        "figcaption",
        "ul",
        "li",
        "svg",
        "path",
        "text",
        "g",
        "title",
        "desc",
        "circle",
        "div",
        "details",
    }
    known |= {"summary", "table", "thead", "tbody", "tr", "th", "td", "br"}
    for each in made:
        found = read(each.markup)
        assert set(found.names) <= known
        assert not [
            name for _, name, _ in found.attributes if name.startswith("on") or name in {"href", "style", "src"}
        ]


def test_points_differ_by_shape_and_say_what_they_are() -> None:
    made = timeline(
        "Gates",
        [Row("scan", [Moment(n, tone, f"it was {tone}") for n, tone in enumerate(("good", "bad", "warn", "unknown"))])],  # type: ignore[arg-type]
        x_label="UTC",
        x_text=utc,
    )
    shapes = re.findall(r"<title>it was (\w+)</title>(<(?:path|circle)[^>]*>)", made.markup)
    kinds = {re.sub(r"[-0-9.]+", "0", shape) for _, shape in shapes}
    assert (len(shapes), len(kinds)) == (4, 4)
