"""A ceiling over a window: what was good for long does not hide what is bad now, and chance is not taken for it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from aegis.core.errors import UsageError
from aegis.gates.canary.answer import progress
from aegis.gates.canary.evidence.absolute import above, above_since
from aegis.gates.canary.plan import MOST_STEPS, MOST_WINDOWS, MetricPlan, Plan
from aegis.gates.canary.state import resume, save
from tests.support.canary.binomial_bounds import at_most
from tests.support.canary.counted import Watched
from tests.support.canary.rollouts import World, judged, plan, together

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
    assert len(whole.state.tallies["errors"].marks) == 4


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


BOTH_BAD = World(requests=10.0, share=0.2, rate=0.08)


@pytest.mark.parametrize("window", [None, 300.0], ids=["whole", "window"])
@pytest.mark.parametrize("rate", [0.08, 0.04])
def test_where_both_sides_are_over_the_ceiling_nothing_is_promoted(window: float | None, rate: float) -> None:
    """The comparison alone finds nothing wrong with it."""
    runs = 12
    asked = plan(ceiling=0.02, window=window)
    world = replace(BOTH_BAD, rate=rate)
    ended = [judged(np.random.default_rng(seed), asked, world, 180).judgement.decision for seed in range(runs)]
    assert ended.count("promote") <= at_most(runs, 0.05)
    alone = replace(asked, metrics=(replace(asked.metrics[0], ceiling=None, window=None),))
    compared = [judged(np.random.default_rng(seed), alone, world, 180).judgement.decision for seed in range(runs)]
    assert compared.count("promote") > at_most(runs, 0.05)


def test_a_canary_well_below_its_ceiling_is_promoted() -> None:
    for window in (None, 300.0):
        watched = Watched(plan(ceiling=0.05, window=window))
        decisions = [watched.look((100.0, 1.0), (1_900.0, 19.0)).decision for _ in range(90)]
        assert decisions[-1] == "promote"


@pytest.mark.parametrize(("bad", "answer"), [(10.0, "continue"), (0.0, "promote")], ids=["over", "below"])
def test_one_that_is_not_critical_only_must_not_be_over_its_ceiling(bad: float, answer: str) -> None:
    """Its tolerated ratio and the other side's failures keep it from being aborted."""
    other = MetricPlan(
        name="other", critical=False, ceiling=0.05, tolerated=9.0, margin=10.0, weight=1e-6, spread=0.0, cluster=1.0
    )
    asked = replace(plan(), metrics=(*plan().metrics, other))
    watched = Watched(asked)
    watched.now += 10
    told = [
        *watched.counts((10_000.0, 50.0), (100_000.0, 500.0)),
        *watched.counts((100.0, bad), (1_900.0, 190.0), metric="other"),
    ]
    assert watched.take(*told).decision == answer


def test_one_that_is_not_critical_and_was_never_seen_stops_nothing() -> None:
    other = MetricPlan(name="other", critical=False, ceiling=0.05, spread=0.0, cluster=1.0)
    watched = Watched(replace(plan(), metrics=(*plan().metrics, other)))
    assert watched.look((10_000.0, 50.0), (100_000.0, 500.0)).decision == "promote"


def test_what_is_over_its_ceiling_in_this_window_is_not_promoted_for_what_it_was() -> None:
    """Both sides fail in the end: the comparison would promote just then, and all together is far below the ceiling."""
    asked = replace(plan(ceiling=0.05, window=60.0), alpha=1e-300, beta=1e-300)

    def looked_at(asked: Plan) -> Watched:
        watched = Watched(asked)
        for number in range(212):
            bad = 1.0 if number < 200 else 8.0
            watched.look((100.0, bad), (1_900.0, 19.0 * bad))
        return watched

    compared = looked_at(asked).state.tallies["errors"].good
    watched = looked_at(replace(asked, beta=math.exp(-compared)))
    tally = watched.state.tallies["errors"]
    assert (tally.good, sum(tally.canary.values())) == (compared, 21_200.0)
    assert tally.lanes[0].canary_bad / 21_200 < 0.05 / 3
    assert (watched.state.decision, tally.under) == (None, 0.0)


def test_the_answer_says_that_it_is_the_ceiling_which_holds() -> None:
    watched = Watched(plan(ceiling=0.05))
    judgement = watched.look((10.0, 0.0), (190.0, 9.0))
    told = progress(judgement, watched.state, watched.plan)
    assert "not shown to be below its ceiling" not in told
    for _ in range(30):
        judgement = watched.look((1_000.0, 50.0), (19_000.0, 950.0))
    assert judgement.decision == "continue"
    assert progress(judgement, watched.state, watched.plan).endswith("; not shown to be below its ceiling: errors")
