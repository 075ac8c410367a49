"""How often the judge is wrong, by simulation, with bounds that a valid judge misses once in a million times.

Short rollouts and few: what a broken judge (looking again and again at a p-value) does is far beyond these bounds. The
long runs are in tests/e2e/canary.
"""

from __future__ import annotations

import numpy as np
import pytest

from aegis.gates.canary.evidence.grid import grid
from aegis.gates.canary.evidence.ratio import NO_SPREAD, interval
from aegis.gates.canary.judge import look
from aegis.gates.canary.state import begin
from tests.support.canary.binomial_bounds import at_least, at_most
from tests.support.canary.rollouts import NAME, START, World, looks, never_promoting, plan, together

RUNS, LOOKS = 80, 60
ALPHA = BETA = 0.05
WORLDS = {
    "usual": World(),
    "little-traffic": World(requests=20.0),
    "rare-errors": World(rate=0.001),
    "half": World(share=0.5),
    "every-third-fails": World(requests=20.0, rate=0.3),
    "incidents": World(incidents=True),
    "ramp": World(share=(0.05, 0.1, 0.25, 0.5)),
    "staggered": World(staggered=True),
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_good_canary_is_seldom_aborted(world: World) -> None:
    rng = np.random.default_rng(20)
    asked = never_promoting(plan(alpha=ALPHA))
    answers = [fate.decision for fate in together(rng, asked, world, RUNS, LOOKS)]
    assert answers.count("abort") <= at_most(RUNS, ALPHA)


@pytest.mark.parametrize("world", [World(ratio=2.0), World(ratio=2.0, share=0.5)], ids=["usual", "half"])
def test_a_canary_at_the_margin_is_seldom_promoted(world: World) -> None:
    """Nothing else ends these: what is aborted can't be promoted any more."""
    rng = np.random.default_rng(21)
    asked = plan(alpha=1e-200, beta=BETA)
    answers = [fate.decision for fate in together(rng, asked, world, RUNS, LOOKS)]
    assert answers.count("promote") <= at_most(RUNS, BETA)


@pytest.mark.parametrize(("ratio", "seconds"), [(5.0, 300.0), (10.0, 120.0)])
def test_a_bad_canary_is_aborted_soon(ratio: float, seconds: float) -> None:
    rng = np.random.default_rng(22)
    ended = together(rng, never_promoting(plan()), World(ratio=ratio), RUNS, 60)
    soon = [end for end in ended if end.decision == "abort" and end.seconds <= seconds]
    assert len(soon) >= at_least(RUNS, 0.98)


def test_a_good_canary_is_promoted() -> None:
    rng = np.random.default_rng(23)
    ended = together(rng, plan(), World(share=0.5), RUNS, 60)
    assert [end.decision for end in ended].count("promote") >= at_least(RUNS, 0.95)


@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_the_interval_holds_the_true_ratio_at_every_look(ratio: float) -> None:
    rng = np.random.default_rng(26)
    asked, runs, missed = never_promoting(plan(alpha=ALPHA)), 40, 0
    for _ in range(runs):
        state, held = begin(asked, "r", START), True
        for now, increments in looks(rng, World(ratio=ratio), 30):
            state.decision = None  # goes on whatever was decided
            look(state, asked, increments, now)
            low, high = interval(state.tallies[NAME].lanes[0].likelihood, 1.0, grid(1.0, 2.0), NO_SPREAD, ALPHA)
            held = held and low <= ratio <= high
        missed += not held
    assert missed <= at_most(runs, ALPHA)


def test_what_pods_differ_by_is_learned() -> None:
    """The plain judge aborts a third of these good canaries."""
    rng = np.random.default_rng(24)
    world = World(requests=500.0, share=0.2, spread=0.4, history=20)
    runs = 50
    plain, estimated = (
        [fate.decision for fate in together(rng, never_promoting(plan(spread=spread)), world, runs, 40)]
        for spread in (0.0, None)
    )
    assert estimated.count("abort") <= at_most(runs, 0.01)
    assert plain.count("abort") > at_most(runs, 0.01)


def test_how_errors_cluster_is_learned() -> None:
    rng = np.random.default_rng(25)
    world = World(cluster=8, history=20)
    runs = 40
    plain, estimated = (
        [fate.decision for fate in together(rng, never_promoting(plan(cluster=cluster)), world, runs, 60)]
        for cluster in (1.0, None)
    )
    assert estimated.count("abort") <= at_most(runs, 0.01)
    assert plain.count("abort") > at_most(runs, 0.01)
