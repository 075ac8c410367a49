"""What is kept of one metric between two looks, and what an explanation reads.

`Tallies` counts in columns, all metrics at once; here is one of them, as it is saved.
"""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.evidence.clustering import Clustering
from aegis.gates.canary.evidence.grid import Grid, grid
from aegis.gates.canary.evidence.ratio import NO_SPREAD
from aegis.gates.canary.evidence.spread import Spread
from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.plan import MetricPlan

PLAIN = 0.0
"""Stands for the edge where there is no histogram."""
SMALLEST, LARGEST = 1e-9, 2.0**53
"""Of a count that is not zero. What is larger skips integers, and either would make evidence that is no number."""


class Lane(msgspec.Struct, forbid_unknown_fields=True):
    """One comparison: of all bad events, or of those above one edge of a histogram."""

    edge: float
    swapped: bool
    """Fewer events of the canary are worse, so canary and stable change places."""
    likelihood: list[float]
    canary_bad: float = 0.0
    stable_bad: float = 0.0
    harm: float = 0.0
    """Evidence of harm at the last look, a logarithm."""
    good: float = 0.0
    """Evidence that a promotion is safe, a logarithm."""


class Waiting(msgspec.Struct, forbid_unknown_fields=True):
    """Counts that wait for the other side: pods are scraped one after the other."""

    since: float
    weight: float | None
    """The canary's share of traffic by configuration."""
    canary: float
    """Exposure."""
    stable: float
    canary_bad: list[float]
    """A number a lane."""
    stable_bad: list[float]
    seen: set[Side]
    """The sides that were scraped."""


class Tally(msgspec.Struct, forbid_unknown_fields=True):
    """All that is kept of one metric."""

    lanes: list[Lane] = []
    """Made at the first increment, which says the edges."""
    last: dict[str, float] = {}
    """Time of each pod's last increment: what is not newer was counted before."""
    born: dict[str, float] = {}
    """When each pod was first seen."""
    canary: dict[str, float] = {}
    """Exposure of each pod of the canary since the start, without its warm-up."""
    stable: dict[str, float] = {}
    waiting: Waiting | None = None
    spread: Spread = msgspec.field(default_factory=Spread)
    clustering: Clustering = msgspec.field(default_factory=Clustering)
    marks: list[tuple[float, float]] = []
    """The canary's bad events and exposure when each window of the ceiling began."""
    estimated: float = -1.0
    """The stable side's bad events when both were estimated."""
    known: float = 0.0
    """The stable side's bad events, those before the start among them."""
    size: float = 1.0
    """Of a cluster of bad events, as estimated."""
    mix: list[tuple[float, float]] = msgspec.field(default_factory=lambda: list(NO_SPREAD))
    """How much the ratio of both sides spreads by chance, as estimated."""
    harm: float = 0.0
    """Evidence (a logarithm) that the canary is worse than stable."""
    over: float = 0.0
    """Evidence (a logarithm) that it is over the ceiling."""
    good: float = 0.0
    """Evidence (a logarithm) that it may be promoted."""
    under: float = 0.0
    """Evidence (a logarithm) that it is below its ceiling, without which nothing is promoted either."""
    peak: float = 0.0
    """The highest that `harm` has been: its exponential's inverse is an always-valid p-value."""
    newest: dict[Side, float] = {}
    """Time of each side's last increment."""
    repeated: int = 0
    """Increments that were not newer than what had been counted."""


def check(increment: Increment, metric: MetricPlan) -> None:
    """What cannot be a count must not become evidence: NaN compares as false with every threshold.

    Raises CouldNotDecide `canary.increment_invalid`.
    """
    bad, edges = increment.bad, increment.edges
    ordinary = 0 <= increment.time < math.inf and _is_count(increment.exposure)
    if metric.kind != "latency":
        if ordinary and len(bad) == 1 and _is_count(bad[0]) and not edges:
            return
    elif (
        ordinary
        and len(bad) == len(edges) > 0
        and all(_is_count(number) for number in bad)
        and all(low < high for low, high in pairwise((-math.inf, *edges, math.inf)))
    ):
        return
    raise CouldNotDecide(
        "canary.increment_invalid",
        f"metric {metric.name!r} of pod {increment.pod!r:.120} grew by {increment.bad!r:.120} of {increment.exposure!r}"
        f" (edges {increment.edges!r:.120}, time {increment.time!r})",
        expected="counts that a double tells exactly, one for each rising edge of a histogram and one otherwise",
        remedy="look at the metric's query in the policy, and at what the pod exposes",
    )


def _is_count(value: float) -> bool:
    return value == 0 or SMALLEST <= value <= LARGEST


def over(metric: MetricPlan) -> Grid:
    """The ratios that a metric is weighed on."""
    return grid(metric.tolerated, metric.margin)
