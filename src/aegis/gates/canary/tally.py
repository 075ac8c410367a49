"""What was counted of one metric, and what it says: the part of a judgement's state that grows from look to look."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.evidence import absolute
from aegis.gates.canary.evidence.clustering import Clustering
from aegis.gates.canary.evidence.grid import Grid, grid
from aegis.gates.canary.evidence.ratio import MOST, NO_SPREAD, grown, hypotheses, weigh
from aegis.gates.canary.evidence.spread import WINDOW, Spread, effective, fixed, mix
from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.plan import MetricPlan, Plan

PLAIN = 0.0
"""Stands for the edge where there is no histogram."""
_WAIT = 60.0
"""Seconds that counts of one side wait for the other: the longest usual interval of scrapes."""
_SLACK = 15.0
"""Seconds: requests are compared with the clock after a window less this, before the next one would drop them."""
_LEAST = 1e-9
"""Exposure that is as good as none."""
_GROWTH = 1.2
"""Spread and clustering are estimated anew when the stable side's bad events have grown by a fifth."""


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
    peak: float = 0.0
    """The highest that `harm` has been: its exponential's inverse is an always-valid p-value."""
    newest: dict[Side, float] = {}
    """Time of each side's last increment."""
    repeated: int = 0
    """Increments that were not newer than what had been counted."""


def add(
    tally: Tally, plan: Plan, metric: MetricPlan, start: float, increments: Iterable[Increment], weight: float | None
) -> None:
    """Count what is new. `weight` is the canary's share of traffic by configuration, for the metric of kind `share`.

    Of the time before the start only the stable side counts, and only for what it says of pods and clusters.
    """
    slots: dict[float, list[Increment]] = {}
    for increment in sorted(increments, key=lambda one: one.time):
        if increment.time <= tally.last.get(increment.pod, -math.inf):
            tally.repeated += 1
            continue
        tally.last[increment.pod] = increment.time
        if not tally.lanes:
            tally.lanes = _lanes(metric, increment.edges)
        tally.newest[increment.side] = max(increment.time, tally.newest.get(increment.side, 0.0))
        born = tally.born.setdefault(increment.pod, increment.time)
        if metric.kind != "pace" and increment.time < born + plan.warm_up:
            continue
        _learn(tally, plan, metric, increment)
        if increment.time > start:
            slots.setdefault(increment.time // plan.interval, []).append(increment)
    for slot in slots.values():
        _count(tally, metric, slot, weight)
    if slots:
        _estimate(tally, metric)
        _weigh(tally, plan, metric)


def check(increment: Increment, metric: MetricPlan) -> None:
    """What cannot be a count must not become evidence: NaN compares as false with every threshold.

    Raises CouldNotDecide `canary.increment_invalid`.
    """
    bad, edges = increment.bad, increment.edges
    ordinary = 0 <= increment.time < math.inf and 0 <= increment.exposure < math.inf
    if metric.kind != "latency":
        if ordinary and len(bad) == 1 and 0 <= bad[0] < math.inf and not edges:
            return
    elif (
        ordinary
        and len(bad) == len(edges) > 0
        and all(0 <= number < math.inf for number in bad)
        and all(low < high for low, high in pairwise((-math.inf, *edges, math.inf)))
    ):
        return
    raise CouldNotDecide(
        "canary.increment_invalid",
        f"metric {metric.name!r} of pod {increment.pod!r:.120} grew by {increment.bad!r:.120} of {increment.exposure!r}"
        f" (edges {increment.edges!r:.120}, time {increment.time!r})",
        expected="finite counts of zero or more, one for each rising edge of a histogram and one otherwise",
        remedy="look at the metric's query in the policy, and at what the pod exposes",
    )


def _lanes(metric: MetricPlan, edges: Sequence[float]) -> list[Lane]:
    zeros = [0.0] * len(over(metric).points)
    if metric.kind == "latency":
        return [Lane(edge, metric.direction == "decrease", list(zeros)) for edge in edges]
    ways = {"increase": (False,), "decrease": (True,), "either": (False, True)}[metric.direction]
    return [Lane(PLAIN, swapped, list(zeros)) for swapped in ways]


def over(metric: MetricPlan) -> Grid:
    """The ratios that a metric is weighed on."""
    return grid(metric.tolerated, metric.margin)


def _bad(lane: Lane, increment: Increment) -> float:
    """Bad events of a lane: an edge that this increment no longer has gives none."""
    if not increment.edges:
        return increment.bad[0]
    if lane.edge not in increment.edges:
        return 0.0
    return increment.bad[increment.edges.index(lane.edge)]


def _learn(tally: Tally, plan: Plan, metric: MetricPlan, increment: Increment) -> None:
    """Spread and clustering by the stable side; of a first version, clustering by its own pods."""
    if (increment.side == "canary") != plan.first:
        return
    bad = _bad(tally.lanes[0], increment)
    # how many requests a pod gets is counted by time, of which each scrape is one piece
    exposure = 1.0 if metric.kind == "share" else max(increment.exposure, bad)
    tally.known += bad
    if metric.cluster is None:
        tally.clustering.add(increment.pod, exposure, bad)
    if metric.spread is None and not plan.first:
        tally.spread.add(increment.pod, increment.time, exposure, bad)


def _count(tally: Tally, metric: MetricPlan, slot: Sequence[Increment], weight: float | None) -> None:
    """Add the counts of one interval to those that wait, and make evidence of them when both sides are there."""
    waiting = tally.waiting
    longest = WINDOW if metric.kind == "share" else _WAIT
    if waiting is None or waiting.weight != weight or slot[0].time - waiting.since > longest:
        # counts of one side compare nothing, and those of long ago compare other times
        zeros = [0.0] * len(tally.lanes)
        waiting = tally.waiting = Waiting(slot[0].time, weight, 0.0, 0.0, zeros, list(zeros), set())
    for increment in slot:
        # a request may be counted as failed just before it is counted at all
        exposure = max(increment.exposure, *increment.bad)
        waiting.seen.add(increment.side)
        if increment.side == "canary":
            tally.canary[increment.pod] = tally.canary.get(increment.pod, 0.0) + exposure
            waiting.canary += exposure
            for index, lane in enumerate(tally.lanes):
                bad = _bad(lane, increment)
                waiting.canary_bad[index] += bad
                lane.canary_bad += bad
        else:
            tally.stable[increment.pod] = tally.stable.get(increment.pod, 0.0) + exposure
            waiting.stable += exposure
            for index, lane in enumerate(tally.lanes):
                bad = _bad(lane, increment)
                waiting.stable_bad[index] += bad
                lane.stable_bad += bad
    share = _share(waiting, metric, slot[-1].time)
    if share is not None:
        _grow(tally, metric, waiting, share)
        tally.waiting = None


def _share(waiting: Waiting, metric: MetricPlan, now: float) -> float | None:
    """The canary's part of the exposure; None where it is too early to compare."""
    if metric.kind != "share":
        # a side that was scraped and had no requests has been seen: its part is nothing
        return waiting.canary / max(waiting.canary + waiting.stable, _LEAST) if len(waiting.seen) == 2 else None
    if waiting.weight is None or not 0 < waiting.weight < 1:
        return None
    # requests are compared with the clock, so every pod must have been scraped about as often
    return waiting.weight if now - waiting.since >= WINDOW - _SLACK else None


def _grow(tally: Tally, metric: MetricPlan, waiting: Waiting, share: float) -> None:
    for lane, canary_bad, stable_bad in zip(tally.lanes, waiting.canary_bad, waiting.stable_bad, strict=True):
        if canary_bad + stable_bad > 0:
            own, part = (stable_bad, 1 - share) if lane.swapped else (canary_bad, share)
            lane.likelihood = grown(lane.likelihood, over(metric), part, own, canary_bad + stable_bad)


def _estimate(tally: Tally, metric: MetricPlan) -> None:
    if tally.estimated >= 0 and tally.known <= tally.estimated * _GROWTH:
        return
    tally.estimated = tally.known
    tally.size = tally.clustering.size() if metric.cluster is None else metric.cluster
    canary_pods, stable_pods = effective(tally.canary.values()), effective(tally.stable.values())
    if metric.spread is None:
        tally.mix = list(mix(tally.spread.likely(tally.size), canary_pods, stable_pods))
    else:
        tally.mix = list(fixed(metric.spread, canary_pods, stable_pods))


def _weigh(tally: Tally, plan: Plan, metric: MetricPlan) -> None:
    against = hypotheses(over(metric), tuple(tally.mix))
    exposure = math.fsum(tally.canary.values())
    for lane in tally.lanes:
        lane.harm, lane.good = weigh(lane.likelihood, tally.size, against)
        if metric.floor:
            lane.harm = min(lane.harm, absolute.above(lane.canary_bad, exposure, metric.floor, tally.size))
            rare = absolute.below(lane.canary_bad, exposure, metric.floor, tally.size)
            lane.good = average([(0.5, lane.good), (0.5, rare)])
        if (lane.stable_bad if lane.swapped else lane.canary_bad) < plan.min_bad_events:
            lane.harm = min(lane.harm, 0.0)
    tally.harm = average([(1 / len(tally.lanes), lane.harm) for lane in tally.lanes])
    tally.peak = max(tally.peak, tally.harm)
    first = tally.lanes[0]
    tally.good = first.good
    if metric.ceiling is not None:
        tally.over = absolute.above(first.canary_bad, exposure, metric.ceiling, tally.size)
        if first.canary_bad < plan.min_bad_events:
            tally.over = min(tally.over, 0.0)
        if plan.first:
            tally.good = absolute.below(first.canary_bad, exposure, metric.ceiling, tally.size)


def average(parts: Sequence[tuple[float, float]]) -> float:
    """The logarithm of a weighted average of evidence, given as (weight, logarithm)."""
    top = max(value for _, value in parts)
    mean = sum(part * math.exp(value - top) for part, value in parts)
    return max(-MOST, min(MOST, top + math.log(mean)))
