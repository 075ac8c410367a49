"""Why a rollout is judged as it is: numbers for a table, and a chart of evidence over time. Decides nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aegis.gates.canary.evidence.ratio import interval
from aegis.gates.canary.evidence.spread import effective
from aegis.gates.canary.forecast import more
from aegis.gates.canary.judge import claims
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import State
from aegis.gates.canary.tally import Tally, over

_POINTS = 60
"""Of a chart: more can't be told apart in a step summary."""
_DECADES = (-3.0, 6.0)
"""The chart's powers of ten: what is beyond stands at the border."""
_FARTHEST = 300.0
"""Powers of ten beyond which evidence is told as this: JSON has no infinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """One metric's part of the explanation. Bad events and rates of a histogram are those above its first edge."""

    metric: str
    critical: bool
    canary_exposure: float
    canary_bad: float
    stable_exposure: float
    stable_bad: float
    canary_rate: float | None
    """Bad events per exposure; None without any exposure."""
    stable_rate: float | None
    ratio_low: float
    """The canary's rate over stable's lies between these two, but for a probability of alpha, at every look."""
    ratio_high: float
    """Infinite: no bound yet."""
    evidence: float
    """Of harm, as an e-value: it aborts alone, when all weight is on it, at 1/alpha."""
    p_value: float
    """Always valid: the inverse of the highest evidence there was."""
    over_ceiling: float | None
    """Evidence that the ceiling is exceeded, as an e-value."""
    good: float
    """Evidence that it may be promoted, as an e-value; it must reach 1/beta."""
    weight: float
    """The part of the average that this metric has (its ceiling included)."""
    pods: tuple[float, float]
    """Of canary and stable, as many as would have equal exposure."""
    spread: float
    """Of the ratio, by chance between pods: standard deviation of its logarithm, on average over what is likely."""
    clustering: float
    """Bad events that come at once."""
    more_requests: float | None
    """About how many the canary still needs until it would be aborted for twice the rate; None: can't be told."""


def lines(state: State, plan: Plan, most: int = 20) -> tuple[Lines, ...]:
    """The explanation's table, the strongest evidence against the canary first, and no more than `most` of them."""
    weights: dict[str, float] = {}
    for (name, _), (part, _) in claims(state, plan).items():
        weights[name] = weights.get(name, 0.0) + part

    ranked = sorted(plan.metrics, key=lambda metric: state.tallies.strength(metric.name), reverse=True)[:most]
    return tuple(_lines(plan, metric, state.tallies[metric.name], weights.get(metric.name, 0.0)) for metric in ranked)


def _lines(plan: Plan, metric: MetricPlan, tally: Tally, weight: float) -> Lines:
    canary, stable = sum(tally.canary.values()), sum(tally.stable.values())
    lane = tally.lanes[0] if tally.lanes else None
    canary_bad, stable_bad = (lane.canary_bad, lane.stable_bad) if lane else (0.0, 0.0)
    low, high = 0.0, math.inf
    if lane is not None:
        low, high = interval(lane.likelihood, tally.size, over(metric), tuple(tally.mix), plan.alpha)
        if lane.swapped:
            low, high = 1 / high, 1 / low if low else math.inf
    return Lines(
        metric=metric.name,
        critical=metric.critical,
        canary_exposure=canary,
        canary_bad=canary_bad,
        stable_exposure=stable,
        stable_bad=stable_bad,
        canary_rate=canary_bad / canary if canary else None,
        stable_rate=stable_bad / stable if stable else None,
        ratio_low=low,
        ratio_high=high,
        evidence=math.exp(tally.harm),
        p_value=math.exp(-tally.peak),
        over_ceiling=None if metric.ceiling is None else math.exp(tally.over),
        good=math.exp(tally.good),
        weight=weight,
        pods=(effective(tally.canary.values()), effective(tally.stable.values())),
        spread=sum(part * spread for part, spread in tally.mix),
        clustering=tally.size,
        more_requests=more(plan, metric, tally),
    )


def looks(state: State) -> list[dict[str, float]]:
    """Evidence over time as numbers: seconds since the start, and powers of ten against the canary and for it."""
    return [
        {"seconds": round(time - state.start, 3), "harm": _decades(harm), "good": _decades(good)}
        for time, harm, good in _thinned(state)
    ]


def chart(state: State, plan: Plan) -> str:
    """Evidence over time as a Mermaid `xychart-beta`: powers of ten, with the two bounds. Holds nothing but numbers."""
    shown = _thinned(state)
    if len(shown) < 2:
        return ""
    minutes = (shown[-1][0] - state.start) / 60
    lowest, highest = _DECADES
    rows = (
        [harm for _, harm, _ in shown],
        [-math.log(plan.alpha)] * len(shown),
        [good for _, _, good in shown],
        [plan.promotes_at] * len(shown),
    )
    return "\n".join(
        (
            "xychart-beta",
            '    title "Evidence, powers of ten: against (aborts at its line), for (promotes at its line)"',
            f'    x-axis "minutes" {(shown[0][0] - state.start) / 60:.1f} --> {minutes:.1f}',
            f'    y-axis "log10 e" {lowest:g} --> {highest:g}',
            *(
                f"    line [{', '.join(f'{min(highest, max(lowest, value / math.log(10))):.2f}' for value in row)}]"
                for row in rows
            ),
        )
    )


def _decades(logarithm: float) -> float:
    """A power of ten that JSON can hold."""
    return round(min(_FARTHEST, max(-_FARTHEST, logarithm / math.log(10))), 3)


def _thinned(state: State) -> Sequence[tuple[float, float, float]]:
    points = [(point.time, point.harm, point.good) for point in state.history]
    step = max(1, math.ceil(len(points) / _POINTS))
    # from the end, so that the deciding look is there
    return points[::-1][::step][::-1]
