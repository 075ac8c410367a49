"""The ratios of event rates that evidence is weighed on, and distributions over them.

A ratio stands as its logarithm. Evidence is a ratio of two averages of the likelihood over this grid: above, the ratios
of a bad canary, below, those of the hypothesis. A grid is a distribution like any other, so nothing is approximated by
it; its steps only say how finely ratios are told apart (10 % where decisions are close).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

Weights = tuple[float, ...]
"""A distribution over the points of a grid."""

_STEPS = (
    *(-1.4, -1.0, -0.7, -0.5),
    *(round(-0.4 + 0.1 * i, 1) for i in range(17)),
    *(round(1.4 + 0.2 * i, 1) for i in range(11)),
)
"""Around the tolerated ratio, as logarithms: 0.25 to 30 times as many bad events."""
_GOOD = tuple(math.log(ratio) for ratio in (0.25, 0.5, 0.7, 0.85, 1.0))
"""What a canary that may be promoted could be, beside the tolerated ratio: fewer bad events, or as many."""
_HARM = (0.2, 3.0)
"""The effects that harm is looked for in, above the tolerated ratio: 1.2 to 20 times, as logarithms. In a wider range
each takes longer to be seen, and what is beyond this one is seen at once anyway."""
_EFFECTS = 32
"""Points that stand for them where pods differ by chance."""
_SAME = 1e-9
"""Points nearer than this are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The points, with the two that hypotheses are about. There is one object of each (`grid`)."""

    points: tuple[float, ...]
    """Logarithms of ratios, rising."""
    growth: tuple[float, ...]
    """The ratios themselves less 1, which is what the likelihood needs."""
    tolerated: float
    """Harm is a ratio above this one (a logarithm)."""
    margin: float
    """A canary may be promoted if its ratio is below this one (a logarithm)."""


@lru_cache(maxsize=256)
def grid(tolerated: float, margin: float) -> Grid:
    """The grid for a tolerated ratio and a margin, both positive."""
    low, high = math.log(tolerated), math.log(margin)
    points: list[float] = []
    for point in sorted((*(low + step for step in (*_STEPS, *_GOOD)), high)):
        if not points or point - points[-1] > _SAME:
            points.append(point)
    return Grid(tuple(points), tuple(math.expm1(point) for point in points), low, high)


@lru_cache(maxsize=4096)
def around(over: Grid, centre: float, spread: float) -> Weights:
    """Ratios that differ from `centre` by chance: a normal distribution of their logarithms; 0 is the point itself."""
    points = over.points
    if spread == 0:
        nearest = min(range(len(points)), key=lambda index: abs(points[index] - centre))
        return tuple(float(index == nearest) for index in range(len(points)))
    scale = spread * math.sqrt(2.0)
    below = [0.5 * math.erfc((centre - (left + right) / 2) / scale) for left, right in pairwise(points)]
    return tuple(high - low for low, high in zip((0.0, *below), (*below, 1.0), strict=True))


@lru_cache(maxsize=1024)
def harmful(over: Grid, spread: float) -> Weights:
    """What a bad canary does: 1.2 to 20 times the tolerated ratio, each order of magnitude alike, and chance around."""
    low, high = (over.tolerated + bound for bound in _HARM)
    if spread == 0:
        return _even(over, low, high)
    step = (high - low) / (_EFFECTS - 1)
    return _mean([around(over, low + step * index, spread) for index in range(_EFFECTS)])


@lru_cache(maxsize=1024)
def harmless(over: Grid, spread: float) -> Weights:
    """What a good canary does: a quarter of the tolerated ratio up to all of it, and chance around."""
    return _mean([around(over, over.tolerated + step, spread) for step in _GOOD])


@lru_cache(maxsize=256)
def anything(over: Grid) -> Weights:
    """Every ratio of the grid, each order of magnitude alike: what an interval is weighed against."""
    return _even(over, over.points[0], over.points[-1])


def _even(over: Grid, low: float, high: float) -> Weights:
    inside = [point for point in over.points if low - _SAME <= point <= high + _SAME]
    ends = (inside[0], *inside, inside[-1])
    length = {point: after - before for before, point, after in zip(ends, inside, ends[2:], strict=False)}
    total = sum(length.values())
    return tuple(length.get(point, 0.0) / total for point in over.points)


def _mean(several: list[Weights]) -> Weights:
    return tuple(sum(column) / len(several) for column in zip(*several, strict=True))
