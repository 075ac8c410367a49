"""What can be seen with this traffic in this time: before a rollout starts, and while it goes on.

Counts are taken as they are on average, and put into the judge's own evidence; so half of the rollouts are decided a
bit earlier than told, and half later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aegis.gates.canary.evidence import absolute, clustering
from aegis.gates.canary.evidence.arrays import Array, average
from aegis.gates.canary.evidence.ratio import Mix, added, hypotheses, weigh
from aegis.gates.canary.evidence.spread import Spread, effective, fixed, mix, of_one
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.tally import Tally, over

LONGEST = 30 * 24 * 3600.0
"""Seconds: what takes longer is told as never."""
_STEP = 1.3
"""Times are tried in steps of 30 %; the first one that is long enough is then narrowed down."""
_EXACT = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a metric's counters are expected to show."""

    canary: float
    """Exposure a second: requests, or pods where restarts are counted."""
    stable: float
    rate: float
    """Bad events per exposure while nothing is wrong."""
    canary_pods: int = 1
    stable_pods: int = 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long it takes to see one thing."""

    ratio: float
    """Of the canary's rate of bad events to stable's; for `decrease` the other way round."""
    decision: str
    seconds: float | None
    """None: never, by this traffic and spread of pods."""
    requests: float | None
    """Exposure of the canary by then."""


def forecast(
    plan: Plan,
    metric: MetricPlan,
    traffic: Traffic,
    learned: Tally | None = None,
    ratios: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0, 10.0),
) -> tuple[Forecast, ...]:
    """When a good canary is promoted, and when one is aborted that is worse by each of these ratios.

    `learned` is what the stable side's history says of spread and clusters, where the plan does not. Without it the
    spread is as before any data, and bad events are taken as independent.
    """
    size = metric.cluster or (
        1.0 if learned is None else float(clustering.size(learned.clustering.squares, learned.clustering.variance))
    )
    pods = traffic.canary_pods, traffic.stable_pods
    likely = of_one(Spread() if learned is None else learned.spread, size)
    spread = mix(likely, *pods) if metric.spread is None else fixed(metric.spread, *pods)
    path = _Path(np.zeros(len(over(metric).points)), 0.0, 0.0, size, spread, traffic)
    found = [_forecast(plan, metric, path, 1.0, "promote")] if metric.critical else []
    return (*found, *(_forecast(plan, metric, path, ratio, "abort") for ratio in ratios))


def more(plan: Plan, metric: MetricPlan, tally: Tally, ratio: float = 2.0) -> float | None:
    """About how many more requests the canary needs until it would be aborted for this ratio; None: no end in sight.

    Stable goes on as until now; without bad events of it, nothing can be told.
    """
    canary, stable = sum(tally.canary.values()), sum(tally.stable.values())
    lane = tally.lanes[0] if tally.lanes else None
    if lane is None or canary <= 0 or stable <= 0 or lane.stable_bad <= 0 or metric.kind == "share":
        return None
    pods = round(effective(tally.canary.values())), round(effective(tally.stable.values()))
    traffic = Traffic(
        canary=canary, stable=stable, rate=lane.stable_bad / stable, canary_pods=pods[0], stable_pods=pods[1]
    )
    path = _Path(np.array(lane.likelihood), lane.canary_bad, canary, tally.size, tuple(tally.mix), traffic)
    evidence = _harm(plan, metric, path, ratio)
    if evidence(0.0) >= _bound(plan, metric):
        return 0.0
    needed = _first(lambda part: evidence(part) >= _bound(plan, metric), 1e-3, 1e4)
    return None if needed is None else needed * canary


@dataclass(frozen=True, slots=True)
class _Path:
    """Where evidence stands, and how it goes on."""

    likelihood: Array
    bad: float
    exposure: float
    clustering: float
    spread: Mix
    traffic: Traffic


def _forecast(plan: Plan, metric: MetricPlan, path: _Path, ratio: float, decision: str) -> Forecast:
    if decision == "promote":
        good = _good(metric, path, ratio)
        seconds = _first(lambda time: good(time) >= plan.promotes_at, plan.interval, LONGEST)
    else:
        harm = _harm(plan, metric, path, ratio)
        seconds = _first(lambda time: harm(time) >= _bound(plan, metric), plan.interval, LONGEST)
    return Forecast(ratio, decision, seconds, None if seconds is None else seconds * path.traffic.canary)


def _bound(plan: Plan, metric: MetricPlan) -> float:
    """What one metric's evidence must reach when no other says anything."""
    part = metric.weight / sum(other.weight for other in plan.metrics)
    return -math.log(plan.alpha) - math.log(part / 2 if metric.ceiling is not None else part)


def _counts(metric: MetricPlan, path: _Path, ratio: float, time: float) -> tuple[Array, float, float]:
    """The likelihood, the canary's bad events and its exposure after a time."""
    traffic = path.traffic
    swapped = metric.direction == "decrease"
    canary_rate = traffic.rate / ratio if swapped else traffic.rate * ratio
    canary_bad, stable_bad = traffic.canary * canary_rate * time, traffic.stable * traffic.rate * time
    share = traffic.canary / (traffic.canary + traffic.stable)
    own, part = (stable_bad, 1 - share) if swapped else (canary_bad, share)
    grid = over(metric)
    more = added(np.array(grid.points), np.array(grid.growth), part, own, canary_bad + stable_bad)
    return path.likelihood + more, path.bad + canary_bad, path.exposure + traffic.canary * time


def _harm(plan: Plan, metric: MetricPlan, path: _Path, ratio: float) -> Callable[[float], float]:
    against = hypotheses(over(metric), path.spread)

    def evidence(time: float) -> float:
        likelihood, bad, exposure = _counts(metric, path, ratio, time)
        harm = float(weigh(likelihood, path.clustering, against)[0])
        if metric.floor:
            harm = min(harm, float(absolute.above(bad, exposure, metric.floor, path.clustering)))
        return harm if metric.direction == "decrease" or bad >= plan.min_bad_events else min(harm, 0.0)

    return evidence


def _good(metric: MetricPlan, path: _Path, ratio: float) -> Callable[[float], float]:
    against = hypotheses(over(metric), path.spread)

    def evidence(time: float) -> float:
        likelihood, bad, exposure = _counts(metric, path, ratio, time)
        good = float(weigh(likelihood, path.clustering, against)[1])
        if metric.floor:
            rare = float(absolute.below(bad, exposure, metric.floor, path.clustering))
            good = average(np.array((0.5, 0.5)), np.array((good, rare)))
        if metric.ceiling is not None:
            good = min(good, float(absolute.below(bad, exposure, metric.ceiling, path.clustering)))
        return good

    return evidence


def _first(reached: Callable[[float], bool], shortest: float, longest: float) -> float | None:
    """The first value at which something is reached, to two hundredths; None where it is not."""
    before, value = shortest, shortest
    while not reached(value):
        if value >= longest:
            return None
        before, value = value, value * _STEP
    while value > before * _EXACT:
        middle = math.sqrt(before * value)
        before, value = (before, middle) if reached(middle) else (middle, value)
    return value
