"""Whole hours of rollouts through the judge: how often it is wrong, and how long it takes beside what is possible.

Bounds as in tests/unit/gates/canary/test_calibration.py: a judge that keeps its promise misses them once in a million
times. The seeds are fixed, so a run that passed passes again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from aegis.gates.canary.increment import Increment
from aegis.gates.canary.judge import look
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import begin
from tests.support.canary.binomial_bounds import at_least, at_most
from tests.support.canary.rollouts import START, Fate, Generator, World, looks, never_promoting, plan, together

ALPHA, BETA = 0.01, 0.05
PLAIN = plan(ALPHA, BETA)
ESTIMATED = plan(ALPHA, BETA, spread=None, cluster=None)
DIFFERING = World(requests=500.0, share=0.2, spread=0.2)


def many(seed: int, asked: Plan, world: World, runs: int, count: int = 360) -> list[Fate]:
    return together(np.random.default_rng(seed), asked, world, runs, count)


def count(ended: list[Fate], answer: str) -> int:
    return sum(end.decision == answer for end in ended)


GOOD = {
    "usual": (PLAIN, World()),
    "little-traffic": (PLAIN, World(requests=20.0)),
    "half": (PLAIN, World(share=0.5)),
    "ramp": (PLAIN, World(share=(0.05, 0.1, 0.25, 0.5))),
    "incidents-staggered": (PLAIN, World(incidents=True, staggered=True)),
    "nothing-known": (ESTIMATED, World(incidents=True)),
    "pods-differ": (ESTIMATED, DIFFERING),
    "pods-differ-history": (ESTIMATED, replace(DIFFERING, history=180)),
    "pods-differ-two-stable": (ESTIMATED, replace(DIFFERING, pods=(1, 2))),
    "pods-differ-one-stable": (ESTIMATED, replace(DIFFERING, pods=(1, 1))),
    "pods-differ-ramp": (ESTIMATED, replace(DIFFERING, pods=(4, 8), share=(0.05, 0.1, 0.25, 0.5))),
    "clusters": (ESTIMATED, World(cluster=4)),
    "clusters-history": (ESTIMATED, World(cluster=4, history=180)),
    "all": (ESTIMATED, replace(DIFFERING, requests=200.0, cluster=4, incidents=True, staggered=True, history=60)),
}


@pytest.mark.parametrize(("asked", "world"), GOOD.values(), ids=GOOD)
def test_a_good_canary_is_aborted_once_in_a_hundred_hours_at_most(asked: Plan, world: World) -> None:
    runs = 60
    assert count(many(30, never_promoting(asked), world, runs), "abort") <= at_most(runs, ALPHA)


@pytest.mark.parametrize("world", [DIFFERING, World(cluster=4)], ids=["pods-differ", "clusters"])
def test_those_worlds_fool_a_judge_that_does_not_know_them(world: World) -> None:
    runs = 60
    assert count(many(31, never_promoting(PLAIN), world, runs), "abort") > at_most(runs, ALPHA)


@pytest.mark.parametrize(
    ("asked", "world"),
    [(PLAIN, World(ratio=2.0)), (PLAIN, World(ratio=2.0, share=0.5)), (ESTIMATED, replace(DIFFERING, ratio=2.0))],
    ids=["usual", "half", "pods-differ"],
)
def test_a_canary_at_the_margin_is_seldom_promoted(asked: Plan, world: World) -> None:
    runs = 100
    assert count(many(32, replace(asked, alpha=1e-200), world, runs), "promote") <= at_most(runs, BETA)


def oracle(rng: Generator, world: World) -> tuple[float, float]:
    """Seconds to abort: of the judge, and of the sequential test that is told the true ratio (Wald 1945)."""
    state, asked = begin(PLAIN, "r", START), never_promoting(PLAIN)
    state.plan = asked.digest()
    evidence, told, ours = 0.0, None, None
    for now, increments in looks(rng, world, 2_000):
        judgement = look(state, asked, increments, now)
        exposure, bad = {"canary": 0.0, "stable": 0.0}, {"canary": 0.0, "stable": 0.0}
        for one in increments:
            exposure[one.side] += one.exposure
            bad[one.side] += one.bad[0]
        share = exposure["canary"] / (exposure["canary"] + exposure["stable"])
        evidence += bad["canary"] * math.log(world.ratio)
        evidence -= (bad["canary"] + bad["stable"]) * math.log1p(share * (world.ratio - 1))
        if told is None and evidence >= -math.log(ALPHA):
            told = now - START
        if ours is None and judgement.decision == "abort":
            ours = now - START
        if told is not None and ours is not None:
            return ours, told
    raise AssertionError("neither has seen it in six hours")


@pytest.mark.parametrize("ratio", [2.0, 5.0, 10.0])
def test_it_takes_little_longer_than_the_test_that_knows_the_answer(ratio: float) -> None:
    rng = np.random.default_rng(33)
    runs = 120
    asked = World(ratio=ratio)
    times = [oracle(rng, asked) for _ in range(runs)]
    assert sum(ours for ours, _ in times) <= 1.3 * sum(told for _, told in times)


def test_a_good_canary_is_promoted_within_wald_s_bound_for_its_margin() -> None:
    ended = many(34, PLAIN, World(), 100)
    assert count(ended, "promote") >= at_least(100, 0.99)
    assert np.median([end.seconds for end in ended]) <= 424


EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The default ones of Prometheus's client libraries, in seconds."""


def latencies(rng: Generator, slower: float, stuck: float, slo: float) -> Iterator[tuple[float, list[Increment]]]:
    """A log-normal latency with a 99th percentile of 0.41 s, 100 requests a second; `stuck` of them take 1 s more."""
    edges = tuple(edge for edge in EDGES if edge >= slo)
    for number in range(360):
        now = START + 10.0 * (number + 1)
        found = []
        for side, mean, factor, part in (("canary", 50.0, slower, stuck), ("stable", 950.0, 1.0, 0.0)):
            seconds = 0.1 * np.exp(0.607 * rng.standard_normal(rng.poisson(mean))) * factor
            seconds += rng.random(len(seconds)) < part
            above = tuple(float((seconds > edge).sum()) for edge in edges)
            found.append(
                Increment(
                    "slow", "canary" if side == "canary" else "stable", side, now, float(len(seconds)), above, edges
                )
            )
        yield now, found


@pytest.mark.parametrize(
    ("slower", "stuck", "longest"), [(1.25, 0.0, 120.0), (1.0, 0.02, 60.0)], ids=["quarter", "stuck"]
)
def test_a_slower_canary_is_seen(slower: float, stuck: float, longest: float) -> None:
    asked = Plan(metrics=(MetricPlan(name="slow", kind="latency", spread=0.0, cluster=1.0),), beta=1e-200)
    rng = np.random.default_rng(35)
    seconds = []
    for _ in range(15):
        state = begin(asked, "r", START)
        for now, increments in latencies(rng, slower, stuck, 0.1):
            if look(state, asked, increments, now).decision == "abort":
                break
        seconds.append(now - START)
    assert np.median(seconds) <= longest


HUNDRED = Plan(
    metrics=tuple(
        MetricPlan(name=f"m{number}", spread=0.0, cluster=1.0, critical=number == 7) for number in range(100)
    ),
    beta=1e-200,
)
FIVE = World(ratio=5.0, pods=(1, 1))


def test_one_bad_metric_among_a_hundred_is_seen_soon() -> None:
    """The others have no events, which is evidence of nothing: 1 each in the average."""
    rng = np.random.default_rng(36)
    seconds = []
    for _ in range(80):
        state = begin(HUNDRED, "r", START)
        for now, increments in looks(rng, FIVE, 360):
            if look(state, HUNDRED, [replace(one, metric="m7") for one in increments], now).decision == "abort":
                break
        seconds.append(now - START)
    assert np.median(seconds) <= 150


def test_one_bad_metric_among_a_hundred_is_named() -> None:
    rng = np.random.default_rng(37)
    state = begin(HUNDRED, "r", START)
    parts = [looks(rng, FIVE if metric.name == "m7" else World(pods=(1, 1)), 360) for metric in HUNDRED.metrics]
    for several in zip(*parts, strict=True):
        increments = [
            replace(one, metric=metric.name)
            for metric, (_, found) in zip(HUNDRED.metrics, several, strict=True)
            for one in found
        ]
        judgement = look(state, HUNDRED, increments, several[0][0])
        if judgement.decision == "abort":
            break
    assert judgement.culprits == (("m7", "worse than stable"),)
