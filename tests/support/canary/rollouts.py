"""Rollouts whose truth is known: pods that serve requests at given rates, scraped as Prometheus scrapes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.judge import Judgement, look
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import State, begin

START = 1_700_000_000.0
NAME = "errors"
Generator = np.random.Generator
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true."""

    requests: float = 100.0
    """A second, both sides together."""
    share: float | tuple[float, ...] = 0.05
    """Of the canary; several are the steps of a ramp, of equal length."""
    rate: float = 0.005
    """Of bad events, while nothing is wrong."""
    ratio: float = 1.0
    """Of the canary's rate to stable's."""
    pods: tuple[int, int] = (1, 4)
    """Of canary and stable."""
    spread: float = 0.0
    """Of the logarithm of the pods' rates."""
    cluster: int = 1
    """Bad events that come at once."""
    incidents: bool = False
    """Twenty times the rate on both sides, for one minute in twenty."""
    staggered: bool = False
    """Each pod is scraped every 30 s, at a time of its own."""
    history: int = 0
    """Looks at the stable side before the start."""


Scrape = tuple[float, list[Increment]]
"""A time, and what was counted since the one before."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went."""

    judgement: Judgement
    seconds: float
    state: State


def looks(rng: Generator, world: World, count: int, interval: float = 10.0) -> Iterator[Scrape]:
    """The time of each look, and what was scraped since the last one."""
    effects = {
        side: np.exp(world.spread * rng.standard_normal(pods))
        for side, pods in zip(("canary", "stable"), world.pods, strict=True)
    }
    waiting: dict[tuple[str, int], tuple[float, float]] = {}
    shares = world.share if isinstance(world.share, tuple) else (world.share,)
    for number in range(-world.history, count):
        now = START + (number + 1) * interval
        share = shares[max(0, number) * len(shares) // count]
        burst = 20.0 if world.incidents and number // 6 % 20 == 7 else 1.0
        found: list[Increment] = []
        sides: tuple[tuple[Side, float, float], ...] = (("canary", share, world.ratio), ("stable", 1 - share, 1.0))
        for side, part, ratio in sides:
            if side == "canary" and number < 0:
                continue
            pods = len(effects[side])
            seen = rng.poisson(world.requests * part * interval / pods, pods).astype(float)
            bad = _bad(rng, seen, world.rate * burst * ratio * effects[side], world.cluster)
            for pod in range(pods):
                before = waiting.pop((side, pod), (0.0, 0.0))
                whole = (before[0] + float(max(seen[pod], bad[pod])), before[1] + float(bad[pod]))
                if world.staggered and (number + pod * 7 + (side == "stable")) % 3:
                    waiting[side, pod] = whole
                    continue
                found.append(
                    Increment(
                        NAME, "canary" if side == "canary" else "stable", f"{side}-{pod}", now, whole[0], (whole[1],)
                    )
                )
        yield now, found


def judged(rng: Generator, plan: Plan, world: World, count: int = 360) -> Ended:
    """The whole rollout through the judge, until it decides; the history comes with the first look, as in a gate."""
    state = begin(plan, "shop/api@2", START)
    earlier: list[Increment] = []
    judgement = None
    for now, increments in looks(rng, world, count, plan.interval):
        earlier += increments
        if now <= START:
            continue
        judgement = look(state, plan, earlier, now)
        earlier = []
        if judgement.decision != "continue":
            break
    assert judgement is not None
    return Ended(judgement, judgement.time - START, state)


@dataclass(frozen=True, slots=True)
class Fate:
    """How one of many rollouts went."""

    decision: str
    """`continue`: neither until the end."""
    seconds: float


def together(rng: Generator, asked: Plan, world: World, runs: int, count: int = 360) -> list[Fate]:
    """Many simulated rollouts through the judge at once."""
    scrapes = [looks(rng, world, count, asked.interval) for _ in range(runs)]
    return fates(asked, zip(*scrapes, strict=True), runs, count)


def fates(asked: Plan, several: Iterable[Sequence[Scrape]], runs: int, count: int = 360) -> list[Fate]:
    """Many rollouts through the judge at once, each of them as a metric by itself that decides at the plan's bounds.

    `several`: of each time the scrape of every rollout.
    """
    (metric,) = asked.metrics
    metrics = tuple(replace(metric, name=f"run {number}") for number in range(runs))
    whole = replace(asked, metrics=metrics, alpha=1e-300, beta=1e-300)
    state = begin(whole, "shop/api@2", START)
    decided: list[Fate | None] = [None] * runs
    earlier: list[Increment] = []
    for scrapes in several:
        now = scrapes[0][0]
        for own, (_, found) in zip(metrics, scrapes, strict=True):
            earlier += [replace(one, metric=own.name) for one in found]
        if now <= START:
            continue
        look(state, whole, earlier, now)
        earlier = []
        table = state.tallies.metrics
        worst = np.maximum(table["harm"], table["over"]) if metric.ceiling else table["harm"]
        # of two claims each weighs a half
        bound = -math.log(asked.alpha) + (math.log(2) if metric.ceiling else 0.0)
        for number in np.flatnonzero((worst >= bound) | (table["good"] >= asked.promotes_at)).tolist():
            if decided[number] is None:
                decided[number] = Fate("abort" if worst[number] >= bound else "promote", now - START)
    return [fate or Fate("continue", count * asked.interval) for fate in decided]


def plan(alpha: float = 0.01, beta: float = 0.05, **metric: Any) -> Plan:
    """A plan of one metric; without further words, of pods that are alike and events that are independent."""
    return Plan(
        metrics=(MetricPlan(**{"name": NAME, "spread": 0.0, "cluster": 1.0, **metric}),), alpha=alpha, beta=beta
    )


def never_promoting(asked: Plan) -> Plan:
    """The same plan with a promotion that asks for more evidence than an hour can give, to see all of its looks."""
    return replace(asked, beta=1e-200)


def _bad(rng: Generator, seen: Counts, rates: Counts, cluster: int) -> Counts:
    if cluster == 1:
        return np.asarray(rng.binomial(seen.astype(int), np.minimum(1.0, rates)), dtype=float)
    return np.asarray(cluster * rng.poisson(seen * rates / cluster), dtype=float)
