"""Charts as inline SVG, each with its numbers as a table below it (WCAG 2.2, 1.1.1).

Colours come from the page's style by class; lines differ by their dashes and points by their shape, too. Numbers may be
anybody's: those that are none are left out, and those that no axis can hold stand at its border.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aegis.report.html.element import Html, joined, tag
from aegis.report.html.parts import Tone, details, table, wide

_WIDTH, _HEIGHT = 720.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 12.0, 34.0
_ROW = 30.0
"""Height of a row of a timeline. All of these in the units of the picture, which is scaled to the page."""
_LARGEST: Final = 1e12
"""What is beyond stands at the border: axes stay exact in doubles."""
_LEAST: Final = 1e-12
"""What is nearer to each other than this stands in one place: a step of an axis would be no number any more."""
MOST_POINTS: Final = 500
"""Of a line or a row of a timeline, the last ones: more can't be told apart."""
_HOURS: Final = tuple(
    3600.0 * hours for hours in (1 / 60, 1 / 12, 1 / 4, 1, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760)
)
"""Steps of an axis of time, in seconds."""
_DASHES: Final = (None, "7 3", "2 3", "10 3 2 3")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    points: Sequence[Point]
    """x and y, in the order of x."""
    tone: Tone = "plain"
    dots: bool = True
    """Whether each point is marked."""


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line, e.g. a limit."""

    name: str
    value: float
    tone: Tone = "warn"


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two lines, e.g. an interval."""

    name: str
    points: Sequence[tuple[float, float, float]]
    """x, the lower and the upper y, in the order of x."""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a timeline."""

    at: float
    """Seconds since 1970, or any other x."""
    tone: Tone
    words: str
    """Shown where a pointer rests, and in the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a timeline."""

    name: str
    moments: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places in the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        within = min(self.high, max(self.low, value))
        return self.start + (within - self.low) / (self.high - self.low) * (self.end - self.start)


def utc(seconds: float) -> str:
    """E.g. `11-26 06:00`; what no calendar holds stands as a number."""
    try:
        return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g}"


def plain_number(value: float) -> str:
    """E.g. `1,200`, `0.25`."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    levels: Sequence[Level] = (),
    bands: Sequence[Band] = (),
    x_text: Callable[[float], str] = plain_number,
    y_text: Callable[[float], str] = plain_number,
) -> Html:
    """Lines over a common axis. `x_text` and `y_text` write an axis' numbers. Without any point, a sentence.

    With `x_text=utc`, x is seconds since 1970, and the axis has whole minutes, hours or days.
    """
    lines = [replace(each, points=_points(each)) for each in series]
    areas = [replace(each, points=_edges(each)) for each in bands]
    shown = [each for each in levels if math.isfinite(each.value)]
    drawn = [*(point for line in lines for point in line.points), *(edge for area in areas for edge in area.points)]
    xs = [x for x, *_ in drawn]
    if not xs:
        return tag("figure", tag("figcaption", title), tag("p", "There is nothing to draw yet.", class_="empty"))
    ys = [y for _, *rest in drawn for y in rest] + [_clamped(each.value) for each in shown]
    x = _Scale(*_range(xs), _LEFT, _WIDTH - _RIGHT)
    y_ticks = _ticks(*_range(ys))
    y = _Scale(min(y_ticks[0], *ys), max(y_ticks[-1], *ys), _HEIGHT - _BOTTOM, _TOP)
    drawing = _svg(
        title,
        f"{y_label} over {x_label}",
        _HEIGHT,
        _axis(x, x_text, _HEIGHT - _BOTTOM),
        *(_gridline(tick, y(tick), y_text) for tick in y_ticks),
        *(_area(each, x, y) for each in areas),
        *(_level(each, x, y) for each in shown),
        *(_line(each, number, x, y) for number, each in enumerate(lines)),
    )
    numbers = [(each.name, x_text(a), y_text(b)) for each in lines for a, b in each.points]
    numbers += [(each.name, x_text(a), f"{y_text(b)} to {y_text(c)}") for each in areas for a, b, c in each.points]
    numbers += [(each.name, "everywhere", y_text(each.value)) for each in shown]
    return tag(
        "figure",
        tag("figcaption", title),
        _legend(lines, areas, shown),
        wide(drawing, title),
        details("Numbers", table(("Line", x_label, y_label), numbers)),
    )


def timeline(title: str, rows: Sequence[Row], *, x_label: str, x_text: Callable[[float], str]) -> Html:
    """What happened when, a row each: points in the colour and the shape of their tone. `x_text` as in `line_chart`."""
    shown = [Row(row.name, [each for each in row.moments if math.isfinite(each.at)][-MOST_POINTS:]) for row in rows]
    xs = [_clamped(each.at) for row in shown for each in row.moments]
    if not xs:
        return tag("figure", tag("figcaption", title), tag("p", "There is nothing to draw yet.", class_="empty"))
    left = 150.0
    x = _Scale(*_range(xs), left, _WIDTH - _RIGHT)
    height = _TOP + _ROW * len(shown) + _BOTTOM
    drawing = _svg(
        title,
        f"{len(xs)} over {x_label}",
        height,
        _axis(x, x_text, height - _BOTTOM),
        *(part for number, row in enumerate(shown) for part in _row(row, _TOP + _ROW * (number + 0.5), x, left)),
    )
    numbers = [(row.name, x_text(each.at), each.words) for row in shown for each in row.moments]
    return tag(
        "figure",
        tag("figcaption", title),
        wide(drawing, title),
        details("All of them", table(("Row", x_label, "What"), numbers)),
    )


def _row(row: Row, middle: float, x: _Scale, left: float) -> Iterator[Html]:
    name = row.name if len(row.name) <= 20 else f"{row.name[:19]}…"
    yield tag("text", name, x=0, y=_place(middle + 4))
    yield tag("path", class_="axis", d=f"M{left:g} {middle:.1f}H{_WIDTH - _RIGHT:g}")
    for each in row.moments:
        yield tag("g", tag("title", each.words), _dot(x(_clamped(each.at)), middle, each.tone), class_=each.tone)


def _dot(x: float, y: float, tone: Tone) -> Html:
    """A disc for good, a cross for bad, a triangle for warn, a ring for unknown, a small disc for plain."""
    match tone:
        case "bad":
            d = f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
            return tag("path", class_="line", d=d)
        case "warn":
            return tag("path", class_="dot", d=f"M{x:.1f} {y - 5:.1f}l5 9h-10z")
        case "unknown":
            return tag("circle", class_="line", cx=_place(x), cy=_place(y), r=5)
        case _:
            return tag("circle", class_="dot", cx=_place(x), cy=_place(y), r=4 if tone == "good" else 2)


def _svg(title: str, description: str, height: float, *children: Html | None) -> Html:
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *children,
        viewBox=f"0 0 {_WIDTH:g} {height:g}",
        role="img",
        aria_label=title,
    )


def _axis(x: _Scale, text: Callable[[float], str], bottom: float) -> Html:
    """The lower border with its numbers; the outermost stay inside the picture."""
    ticks = _ticks(x.low, x.high, steps=_HOURS if text is utc else ())
    shown = [tick for tick in ticks if x.low <= tick <= x.high] or [x.low]
    return joined(
        tag("path", class_="axis", d=f"M{x.start:g} {bottom:g}H{x.end:g}"),
        *(
            joined(
                tag("path", class_="axis", d=f"M{x(tick):.1f} {bottom:g}v5"),
                tag("text", text(tick), x=_place(x(tick)), y=_place(bottom + 20), text_anchor=_anchor(x, tick)),
            )
            for tick in shown
        ),
    )


def _anchor(x: _Scale, tick: float) -> str:
    part = (tick - x.low) / (x.high - x.low)
    return "start" if part < 0.05 else "end" if part > 0.95 else "middle"


def _gridline(tick: float, y: float, text: Callable[[float], str]) -> Html:
    return joined(
        tag("path", class_="axis", d=f"M{_LEFT:g} {y:.1f}H{_WIDTH - _RIGHT:g}"),
        tag("text", text(tick), x=_LEFT - 6, y=_place(y + 4), text_anchor="end"),
    )


def _level(level: Level, x: _Scale, y: _Scale) -> Html:
    d = f"M{x.start:g} {y(level.value):.1f}H{x.end:g}"
    return tag("g", tag("path", class_="level", d=d), class_=level.tone)


def _area(band: Band, x: _Scale, y: _Scale) -> Html | None:
    if not band.points:
        return None
    upper = [f"{x(a):.1f} {y(high):.1f}" for a, _, high in band.points]
    lower = [f"{x(a):.1f} {y(low):.1f}" for a, low, _ in reversed(band.points)]
    path = tag("path", class_="dot", d=f"M{'L'.join([*upper, *lower])}z", opacity="0.2")
    return tag("g", path, class_=band.tone)


def _line(series: Series, number: int, x: _Scale, y: _Scale) -> Html | None:
    if not series.points:
        return None
    d = "M" + "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in series.points)
    dash = _DASHES[number % len(_DASHES)]
    dots = [_dot(x(a), y(b), "good" if series.tone == "plain" else series.tone) for a, b in series.points]
    path = tag("path", class_="line", d=d, stroke_dasharray=dash)
    return tag("g", path, *(dots if series.dots else ()), class_=series.tone)


def _legend(lines: Sequence[Series], areas: Sequence[Band], levels: Sequence[Level]) -> Html:
    """Which line is which."""
    shown = [
        (each.name, each.tone, tag("path", class_="line", d="M0 6H32", stroke_dasharray=_DASHES[number % len(_DASHES)]))
        for number, each in enumerate(lines)
    ]
    shown += [(each.name, each.tone, tag("path", class_="dot", d="M0 2H32V10H0z", opacity="0.2")) for each in areas]
    shown += [(each.name, each.tone, tag("path", class_="level", d="M0 6H32")) for each in levels]
    items = (
        tag("li", tag("svg", drawing, viewBox="0 0 32 12", aria_hidden="true"), name, class_=tone)
        for name, tone, drawing in shown
    )
    return tag("ul", *items, class_="legend")


def _points(line: Series) -> list[Point]:
    """The last ones whose numbers are numbers, none of them larger than an axis can hold."""
    good = [(_clamped(x), _clamped(y)) for x, y in line.points if math.isfinite(x) and math.isfinite(y)]
    return good[-MOST_POINTS:]


def _edges(band: Band) -> list[tuple[float, float, float]]:
    """The same of a band."""
    good = [
        (_clamped(x), _clamped(low), _clamped(high))
        for x, low, high in band.points
        if math.isfinite(x) and math.isfinite(low) and math.isfinite(high)
    ]
    return good[-MOST_POINTS:]


def _clamped(value: float) -> float:
    return min(_LARGEST, max(-_LARGEST, value))


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest, apart from each other."""
    low, high = min(values), max(values)
    if high - low <= max(max(abs(low), abs(high)) * 1e-9, _LEAST):
        room = max(abs(low) * 0.1, 1.0)
        return low - room, high + room
    return low, high


def _ticks(low: float, high: float, steps: Sequence[float] = ()) -> list[float]:
    """About five round numbers from below `low` to above `high`: steps of 1, 2 or 5 times a power of ten, or these."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    tens = (factor * power for factor in (1, 2, 5, 10))
    step = next(each for each in (*steps, *tens) if each >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _place(value: float) -> str:
    return f"{value:.1f}"
