"""A ceiling over a window: what was good for long does not hide what is bad now, and chance is not taken for it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from aegis.core.errors import UsageError
from aegis.gates.canary.evidence.absolute import above, above_since
from aegis.gates.canary.plan import MOST_STEPS, MOST_WINDOWS, MetricPlan, Plan
from aegis.gates.canary.state import resume, save
from tests.support.binomial_bounds import at_most
from tests.support.counted import Watched
from tests.support.rollouts import World, plan, together

WHOLE = replace(plan(ceiling=0.02, tolerated=5.0, margin=10.0), beta=1e-300)
WINDOW = replace(plan(ceiling=0.02, window=300.0, tolerated=5.0, margin=10.0), beta=1e-300)


def looks_until_abort(asked: Plan, good: int, most: int = 60) -> int | None:
    """Both sides are good for so many looks, and then 8 % of their requests fail."""
    watched = Watched(asked)
    for _ in range(good):
        assert watched.look((500.0, 1.0), (9_500.0, 19.0)).decision == "continue"
    for number in range(1, most):
        judgement = watched.look((500.0, 40.0), (9_500.0, 760.0))
        if judgement.decision == "abort":
            assert judgement.culprits == (("errors", "over its ceiling"),)
            return number
    return None


def test_what_was_good_for_long_does_not_hide_what_is_bad_now() -> None:
    """Both sides fail, so no comparison sees it; the whole hour's share is below the ceiling for long."""
    by_window, by_whole = looks_until_abort(WINDOW, 180), looks_until_abort(WHOLE, 180, 200)
    assert by_window is not None
    assert by_whole is not None
    assert by_window <= 31 < by_whole


def test_from_the_start_it_takes_hardly_longer() -> None:
    assert (looks_until_abort(WINDOW, 0) or math.inf) <= (looks_until_abort(WHOLE, 0) or 0) + 3


@pytest.mark.parametrize("rate", [0.02, 0.015], ids=["at-the-ceiling", "below"])
def test_a_canary_at_its_ceiling_is_seldom_aborted(rate: float) -> None:
    rng = np.random.default_rng(51)
    asked = replace(WINDOW, alpha=0.05)
    runs = 60
    world = World(requests=400.0, share=0.5, rate=rate)
    ended = [fate.decision for fate in together(rng, asked, world, runs, 120)]
    assert ended.count("abort") <= at_most(runs, 0.05)


def test_windows_that_have_not_come_say_nothing() -> None:
    marks = [(0.0, 0.0), (5.0, 1_000.0)]
    told = above_since(marks, 45.0, 2_000.0, 0.02, 1.0, 4)
    each = [
        math.exp(float(above(45.0, 2_000.0, 0.02, 1.0))),
        math.exp(float(above(40.0, 1_000.0, 0.02, 1.0))),
        1.0,
        1.0,
    ]
    assert told == pytest.approx(math.log(sum(each) / 4))


def test_windows_go_on_where_they_were_saved() -> None:
    whole, parts = Watched(WINDOW), Watched(WINDOW)
    for _ in range(90):
        for watched in (whole, parts):
            watched.look((500.0, 6.0), (9_500.0, 114.0))
        parts.state = resume(WINDOW, parts.state.rollout, save(parts.state))
    assert save(whole.state) == save(parts.state)
    assert len(whole.state.tallies["errors"].marks) == 3


@pytest.mark.parametrize(
    ("window", "ceiling"),
    [(60.0, None), (0.0, 0.1), (3600 / (MOST_WINDOWS + 1), 0.1)],
    ids=["no-ceiling", "zero", "too-many"],
)
def test_windows_that_make_no_sense_are_refused(window: float, ceiling: float | None) -> None:
    with pytest.raises(UsageError, match="window") as caught:
        Plan(metrics=(MetricPlan(name="m", window=window, ceiling=ceiling),))
    assert caught.value.code == "canary.plan_invalid"


def test_pauses_that_are_too_many_are_refused() -> None:
    with pytest.raises(UsageError, match="steps"):
        Plan(metrics=(MetricPlan(name="m"),), steps=MOST_STEPS + 1)


def test_the_bounds_of_all_pauses_are_missed_with_less_than_beta() -> None:
    asked = Plan(metrics=(MetricPlan(name="m"),), beta=0.05, steps=5)
    assert sum(math.exp(-asked.bound(step)) for step in range(1, 6)) < 0.05
    assert math.exp(asked.promotes_at) == pytest.approx(32 / 0.05)
    assert math.exp(replace(asked, steps=0).promotes_at) == pytest.approx(20)
