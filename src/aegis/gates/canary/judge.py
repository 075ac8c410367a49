"""May this rollout go on? The decision from all metrics together.

Abort: the weighted average of all evidence of harm reaches 1/alpha. An average of e-processes is one, whatever their
dependence (Vovk & Wang 2021, arXiv 1912.06116), so a good canary is aborted with a probability of at most alpha, all
metrics, ceilings and looks together. Promote: each critical metric's own evidence reaches 1/beta; a canary that is bad
in one of them must fool that one; and nothing that has a ceiling may be over it. A decision stands: what comes later is
not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.evidence.arrays import Array, average
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.state import Decision, Point, State

MOST_POINTS = 256
"""Of the history that is kept for a chart; when it is full, every second one goes."""

Claim = tuple[str, Literal["worse than stable", "over its ceiling"]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One look's answer."""

    decision: Literal["promote", "abort", "continue", "inconclusive"]
    reason: str
    """A code of the registry."""
    time: float
    """Of the look, or of the one that decided."""
    harm: float
    """Evidence against the canary, all metrics together: a logarithm; it aborts at log(1/alpha)."""
    good: float
    """Evidence for it, of the critical metric that has the least: a logarithm; it promotes at `Plan.promotes_at`."""
    culprits: tuple[Claim, ...]
    """What the canary is aborted for, the strongest first."""


def look(
    state: State,
    plan: Plan,
    increments: Iterable[Increment],
    now: float,
    weight: float | None = None,
    *,
    blind: bool = False,
) -> Judgement:
    """Take in what is new, and decide. `state` grows in place; saved and read back, it goes on as if never stopped.

    `now` is the time of the look by the clock of the samples; `weight` the canary's share of traffic by configuration.
    `blind` says that a part of the canary could not be read: such a look may abort, but not promote.
    A time before the last look's counts as that one. Raises CouldNotDecide `canary.increment_invalid`, before anything
    of the look has been counted.
    """
    if state.decision is not None:
        return _decided(state.decision)
    _add(state, plan, increments, weight)
    state.now = max(state.now, now)
    harm, good = _harm(state, plan), _good(state, plan)
    if not (math.isfinite(harm) and math.isfinite(good)):
        # NaN compares as false with every threshold, and a state that holds it can't be read again
        raise CouldNotDecide(
            "canary.increment_invalid",
            f"these counts make evidence of {harm} against the canary and {good} for it",
            expected="counts that evidence can be made of",
            remedy="look at the metrics' queries in the policy, and at what the pods expose",
        )
    _remember(state, harm, good)
    unseen = blind or _no_data(state, plan)
    decision = _decide(state, plan, harm, good, unseen)
    if decision is not None:
        state.decision = decision
        return _decided(decision)
    return Judgement("continue", "canary.no_data" if unseen else "canary.undecided", state.now, harm, good, ())


def claims(state: State, plan: Plan) -> dict[Claim, tuple[float, float]]:
    """What could be said against the canary: its weight (all are 1) and its evidence (a logarithm)."""
    harm_part, over_part = _parts(state, plan)
    table = state.tallies.metrics
    columns = (harm_part, over_part, table["harm"], table["over"])
    found: dict[Claim, tuple[float, float]] = {}
    for name, of_harm, of_over, harm, over in zip(state.tallies, *(one.tolist() for one in columns), strict=True):
        if of_harm:
            found[name, "worse than stable"] = of_harm, harm
        if of_over:
            found[name, "over its ceiling"] = of_over, over
    return found


def _parts(state: State, plan: Plan) -> tuple[Array, Array]:
    """How much the claims of each metric weigh: that it is worse than stable, and that it is over its ceiling."""
    weight, limited = state.tallies.weight, state.tallies.limited
    part = weight / weight[limited | (not plan.first)].sum()
    if plan.first:
        return np.zeros(len(part)), np.where(limited, part, 0.0)
    return np.where(limited, part / 2, part), np.where(limited, part / 2, 0.0)


def _add(state: State, plan: Plan, increments: Iterable[Increment], weight: float | None) -> None:
    found = list(increments)
    if found:
        # all of them are checked before the first is counted: a look that is refused can be made again
        state.tallies.add(state.tallies.batch(found), state.start, weight)


def _harm(state: State, plan: Plan) -> float:
    table = state.tallies.metrics
    parts, values = np.concatenate(_parts(state, plan)), np.concatenate((table["harm"], table["over"]))
    return average(parts[parts > 0], values[parts > 0])


def _good(state: State, plan: Plan) -> float:
    deciding = state.tallies.critical & (state.tallies.limited | (not plan.first))
    table = state.tallies.metrics
    return float(np.concatenate((table["good"][deciding], table["under"][state.tallies.limited])).min())


def held_by_ceilings(state: State, plan: Plan) -> tuple[str, ...]:
    """The metrics that are not shown to be below their ceilings, where nothing else stands against a promotion."""
    table, tallies = state.tallies.metrics, state.tallies
    compared = table["good"][tallies.critical]
    if plan.first or compared.min() < plan.promotes_at:
        return ()
    above = tallies.limited & (table["under"] < plan.promotes_at)
    return tuple(name for name, is_above in zip(tallies, above.tolist(), strict=True) if is_above)


def _decide(state: State, plan: Plan, harm: float, good: float, unseen: bool) -> Decision | None:
    if harm >= -math.log(plan.alpha):
        return Decision("abort", "canary.worse", state.now, harm, good, list(_culprits(state, plan)))
    if good >= plan.promotes_at and not unseen:
        return Decision("promote", "canary.not_worse", state.now, harm, good)
    if plan.no_data == "abort" and _no_data(state, plan):
        return Decision("abort", "canary.no_data", state.now, harm, good)
    if state.now >= state.start + plan.deadline:
        reason = "canary.no_data" if unseen else "canary.undecided"
        end: Literal["abort", "inconclusive"] = "abort" if plan.at_deadline == "abort" else "inconclusive"
        return Decision(end, reason, state.now, harm, good)
    return None


def _no_data(state: State, plan: Plan) -> bool:
    """Whether a critical metric has been silent on one side for too long. A scrape without requests is no silence."""
    newest = state.tallies.metrics["newest"][state.tallies.critical, : 1 if plan.first else 2]
    return bool((state.now - np.maximum(newest, state.start) > plan.no_data_after).any())


def _culprits(state: State, plan: Plan) -> tuple[Claim, ...]:
    """What is proven on its own, by closed testing (Marcus, Peritz & Gabriel 1976): with whichever other claims it is
    averaged, evidence stays at 1/alpha. The hardest company are all that have less than the average.
    """
    found = claims(state, plan)
    ranked = sorted(found, key=lambda claim: found[claim][1])
    proven: list[Claim] = []
    for claim in reversed(ranked):
        company = [found[claim]]
        for other in ranked:
            if other != claim and found[other][1] < _weighted(company):
                company.append(found[other])
        if _weighted(company) < -math.log(plan.alpha):
            break
        proven.append(claim)
    return tuple(proven) or (ranked[-1],)


def _weighted(parts: list[tuple[float, float]]) -> float:
    weights, values = np.array(parts).T
    return average(weights / weights.sum(), values)


def _remember(state: State, harm: float, good: float) -> None:
    state.peak = max(state.peak, harm)
    state.history.append(Point(state.now, harm, good))
    if len(state.history) > MOST_POINTS:
        state.history = state.history[::2]


def _decided(decision: Decision) -> Judgement:
    return Judgement(
        decision.answer, decision.reason, decision.time, decision.harm, decision.good, tuple(decision.culprits)
    )
