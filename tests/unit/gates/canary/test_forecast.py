from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from aegis.gates.canary.evidence.clustering import Clustering
from aegis.gates.canary.evidence.spread import WINDOW
from aegis.gates.canary.forecast import Forecast, Traffic, forecast, more
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.tally import Tally
from tests.support.canary.counted import Watched
from tests.support.canary.learned import Learned
from tests.support.canary.rollouts import World, judged, never_promoting, plan

TRAFFIC = Traffic(canary=5.0, stable=95.0, rate=0.005)


def by_ratio(asked: Plan, traffic: Traffic = TRAFFIC, learned: Tally | None = None) -> dict[float, Forecast]:
    return {told.ratio: told for told in forecast(asked, asked.metrics[0], traffic, learned)}


def kullback_leibler(ratio: float, traffic: Traffic = TRAFFIC) -> float:
    """Evidence a second, were the ratio known: Wald's bound is log(1/alpha) over it."""
    share = traffic.canary / (traffic.canary + traffic.stable)
    bad = (traffic.canary * ratio + traffic.stable) * traffic.rate
    own = traffic.canary * ratio * traffic.rate
    return own * math.log(ratio) - bad * math.log1p(share * (ratio - 1))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 5.0, 10.0])
def test_no_forecast_beats_what_is_possible_nor_is_far_from_it(ratio: float) -> None:
    seconds = by_ratio(plan())[ratio].seconds
    assert seconds is not None
    bound = math.log(100) / kullback_leibler(ratio)
    assert bound <= seconds <= 2 * bound


def test_the_judge_keeps_the_forecast() -> None:
    asked = never_promoting(plan())
    rng = np.random.default_rng(11)
    for ratio in (3.0, 10.0):
        told = by_ratio(plan())[ratio].seconds
        assert told is not None
        middle = float(np.median([judged(rng, asked, World(ratio=ratio)).seconds for _ in range(31)]))
        assert 0.5 * told - 10 <= middle <= 1.6 * told + 10


def test_a_good_canary_s_promotion_is_told() -> None:
    told = by_ratio(plan())[1.0]
    assert told.decision == "promote"
    assert told.seconds is not None
    assert 200 < told.seconds < 800
    assert told.requests == pytest.approx(told.seconds * 5)
    assert 1.0 not in by_ratio(Plan(metrics=(MetricPlan(name="m", critical=False), MetricPlan(name="n"))))


def test_more_traffic_is_faster() -> None:
    slow, fast = by_ratio(plan()), by_ratio(plan(), replace(TRAFFIC, canary=50.0, stable=950.0))
    for ratio in (1.0, 1.5, 2.0):
        assert (fast[ratio].seconds or math.inf) < (slow[ratio].seconds or 0.0) / 5


def test_without_bad_events_nothing_can_be_told() -> None:
    assert all(told.seconds is None for told in by_ratio(plan(), replace(TRAFFIC, rate=0.0)).values())


def test_a_floor_promotes_without_any() -> None:
    told = by_ratio(plan(floor=0.001), replace(TRAFFIC, rate=0.0))[1.0]
    assert told.requests is not None
    assert 3_000 < told.requests < 6_000


def test_what_one_pod_can_not_prove_is_told_as_never() -> None:
    told = by_ratio(plan(spread=0.4))
    assert told[2.0].seconds is None
    assert told[10.0].seconds is not None


def test_history_of_pods_that_are_alike_makes_it_faster() -> None:
    found = Learned()
    for window in range(60):
        for pod in range(20):
            found.add(f"p{pod}", window * WINDOW, 10_000.0, 50.0)
    learned = Tally(spread=found.spread, clustering=Clustering(variance=1e4, squares=1e4))
    asked, traffic = plan(spread=None, cluster=None), replace(TRAFFIC, stable_pods=20)
    before, after = by_ratio(asked, traffic), by_ratio(asked, traffic, learned)
    assert (after[3.0].seconds or math.inf) < (before[3.0].seconds or math.inf)


def test_fewer_orders_are_forecast_too() -> None:
    told = by_ratio(plan(direction="decrease"), replace(TRAFFIC, rate=0.2))
    assert all(told[ratio].seconds is not None for ratio in (1.0, 2.0, 10.0))


def test_more_metrics_and_a_ceiling_need_more() -> None:
    one = by_ratio(plan())[2.0].seconds
    others = tuple(MetricPlan(name=f"m{number}", spread=0.0, cluster=1.0) for number in range(19))
    twenty = by_ratio(Plan(metrics=(*plan().metrics, *others)))[2.0].seconds
    ceiling = by_ratio(plan(ceiling=0.5))[2.0].seconds
    assert one is not None
    assert twenty is not None
    assert ceiling is not None
    assert one < ceiling < twenty


def test_a_promotion_needs_to_be_below_the_ceiling_as_well() -> None:
    """0.5 % fail: far below a ceiling it costs nothing, near it time, and at it there is none."""
    none, far, near, at = (by_ratio(plan(ceiling=ceiling))[1.0].seconds for ceiling in (None, 0.1, 0.0075, 0.005))
    assert none is not None
    assert near is not None
    assert far == none
    assert near > 1.5 * none
    assert at is None


class TestMore:
    def test_it_is_what_the_forecast_says_at_the_start(self) -> None:
        watched = Watched(plan())
        watched.look((1_000.0, 5.0), (19_000.0, 95.0))
        asked = watched.plan
        needed = more(asked, asked.metrics[0], watched.state.tallies["errors"])
        told = by_ratio(asked)[2.0].requests
        assert needed is not None
        assert told is not None
        assert needed + 1_000 > told

    def test_it_shrinks_as_a_bad_canary_goes_on(self) -> None:
        watched = Watched(plan())
        needed = []
        for _ in range(10):
            watched.look((500.0, 5.0), (9_500.0, 47.0))
            needed.append(more(watched.plan, watched.plan.metrics[0], watched.state.tallies["errors"]) or 0.0)
        assert needed[-1] < needed[0] / 2

    def test_nothing_is_needed_any_more(self) -> None:
        watched = Watched(plan())
        watched.look((1_000.0, 100.0), (19_000.0, 95.0))
        assert more(watched.plan, watched.plan.metrics[0], watched.state.tallies["errors"]) == 0.0

    @pytest.mark.parametrize(
        "counts", [(None, None), ((0.0, 0.0), (10.0, 1.0)), ((10.0, 1.0), (10.0, 0.0))], ids=range(3)
    )
    def test_without_a_base_nothing_is_told(self, counts: tuple[tuple[float, float] | None, ...]) -> None:
        watched = Watched(plan())
        watched.look(*counts)
        assert more(watched.plan, watched.plan.metrics[0], watched.state.tallies["errors"]) is None
