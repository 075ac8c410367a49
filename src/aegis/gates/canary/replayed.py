"""Rollouts that were none: one pod of a version is taken for a canary of the others, over times that are past.

Nothing is wrong with it, so each abort is a false one; what it meets is the service's own traffic, pods and incidents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis.core.policy import CanaryPolicy, seconds
from aegis.core.ports.metrics import Metrics, Series
from aegis.gates.canary import judge
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.judge import Judgement
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.samples.look import look
from aegis.gates.canary.samples.sides import Hashes, Pods, Scope
from aegis.gates.canary.samples.sources import source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from aegis.gates.canary.state import begin
from aegis.gates.canary.watching import HISTORY


@dataclass(frozen=True, slots=True)
class Replayed:
    """How one of them would have gone."""

    pod: str
    """That was taken for a canary."""
    start: float
    """Unix seconds."""
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Then:
    """A store as it was at a time."""

    metrics: Metrics
    time: float

    def now(self) -> float:
        return self.time

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        return self.metrics.samples(selector, window, at)


def replay(metrics: Metrics, policy: CanaryPolicy, plan: Plan, version: str, times: int) -> Iterator[Replayed]:
    """The latest `times` spans of the plan's deadline, the latest first; those with fewer than two pods are left out.

    `version`: the pod template's hash of the pods. Raises CouldNotDecide.
    """
    now, rollout = metrics.now(), policy.rollout
    for number in range(times):
        start = now - (number + 1) * plan.deadline
        then = _Then(metrics, start + plan.deadline)
        both = Scope(rollout.namespace, Hashes(rollout.name, version, None))
        pods = sorted({each.pod for each in _counted(then, policy, plan, both)})
        if len(pods) < 2:
            continue
        chosen = pods[number % len(pods)]
        sides = Scope(rollout.namespace, Pods(frozenset({chosen}), frozenset(pods) - {chosen}))
        yield Replayed(chosen, start, _judged(plan, _counted(then, policy, plan, sides), start))


def _counted(then: _Then, policy: CanaryPolicy, plan: Plan, scope: Scope) -> Sequence[Increment]:
    return look(
        then,
        [source_of(each, policy.rollout) for each in policy.metrics],
        starts_of(policy.rollout),
        scope,
        Counters(),
        scrape_interval=seconds(policy.prometheus.scrape_interval),
        history=round(plan.deadline) + HISTORY,
    ).increments


def _judged(plan: Plan, increments: Sequence[Increment], start: float) -> Judgement:
    """Look by look; increments are in the order of their scrapes."""
    state, taken, time = begin(plan, "a rollout that was none", start), 0, start
    while True:
        upto = taken
        while upto < len(increments) and increments[upto].time <= time:
            upto += 1
        judgement = judge.look(state, plan, increments[taken:upto], time)
        if judgement.decision != "continue":
            return judgement
        taken, time = upto, time + plan.interval
