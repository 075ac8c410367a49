"""What is decided, and when: each with counts that leave no doubt, so that nothing here is a matter of chance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.judge import MOST_POINTS, claims
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import save
from tests.support.canary.counted import START, Counts, Watched

GOOD: Counts = (100.0, 1.0)
BAD: Counts = (100.0, 12.0)
STABLE: Counts = (1_900.0, 19.0)


def metric(name: str = "errors", **words: Any) -> MetricPlan:
    return MetricPlan(**{"name": name, "spread": 0.0, "cluster": 1.0, **words})


def plan(*metrics: MetricPlan, **words: Any) -> Plan:
    return Plan(metrics=metrics or (metric(),), **words)


def ends(watched: Watched, canary: Counts | None, stable: Counts | None = STABLE, most: int = 400, **words: Any) -> str:
    """The answer after as many equal looks as it takes, with its reason."""
    for _ in range(most):
        judgement = watched.look(canary, stable, **words)
        if judgement.decision != "continue":
            return f"{judgement.decision} {judgement.reason}"
    return "continue"


class TestDecisions:
    def test_a_bad_canary_is_aborted(self) -> None:
        watched = Watched(plan())
        assert ends(watched, BAD) == "abort canary.worse"
        assert watched.now - START <= 60

    def test_a_good_canary_is_promoted(self) -> None:
        watched = Watched(plan())
        assert ends(watched, GOOD) == "promote canary.not_worse"
        assert watched.now - START <= 600

    def test_what_happens_to_both_sides_is_no_harm(self) -> None:
        watched = Watched(plan())
        assert watched.look((100.0, 40.0), (1_900.0, 760.0)).decision != "abort"
        assert ends(watched, (100.0, 40.0), (1_900.0, 760.0)) == "promote canary.not_worse"

    def test_evidence_reaches_exactly_its_bound(self) -> None:
        """The bound is 1/alpha: at a look's own evidence as alpha, it aborts; a hair below, it does not."""
        watched = Watched(plan(alpha=1e-9))
        harm = watched.look(BAD, STABLE).harm
        assert Watched(plan(alpha=math.exp(-harm) * 1.0001)).look(BAD, STABLE).decision == "abort"
        assert Watched(plan(alpha=math.exp(-harm) * 0.9999)).look(BAD, STABLE).decision == "continue"

    def test_promotion_needs_the_evidence_of_its_bound(self) -> None:
        watched = Watched(plan(beta=1e-9))
        good = watched.look((1_000.0, 1.0), STABLE).good
        assert good > 0
        assert Watched(plan(beta=math.exp(-good) * 1.0001)).look((1_000.0, 1.0), STABLE).decision == "promote"
        assert Watched(plan(beta=math.exp(-good) * 0.9999)).look((1_000.0, 1.0), STABLE).decision == "continue"

    def test_a_decision_stands(self) -> None:
        watched = Watched(plan())
        ends(watched, BAD)
        decided = watched.look(GOOD, STABLE)
        assert decided.decision == "abort"
        for _ in range(100):
            assert watched.look(GOOD, STABLE) == decided
        assert watched.state.tallies["errors"].last["canary-0"] == decided.time

    def test_without_traffic_it_goes_on(self) -> None:
        watched = Watched(plan())
        judgement = watched.look((0.0, 0.0), STABLE)
        assert (judgement.decision, judgement.reason) == ("continue", "canary.undecided")

    @pytest.mark.parametrize(("policy", "answer"), [("hold", "inconclusive"), ("abort", "abort")])
    def test_at_the_deadline_the_policy_decides(self, policy: Any, answer: str) -> None:
        watched = Watched(plan(at_deadline=policy, deadline=600.0))
        assert ends(watched, (1.0, 0.0)) == f"{answer} canary.undecided"
        assert watched.now - START == 600

    def test_a_clock_that_goes_back_does_not_move_the_deadline(self) -> None:
        watched = Watched(plan(deadline=600.0))
        watched.look((1.0, 0.0), STABLE, seconds=590)
        watched.look((1.0, 0.0), STABLE, seconds=-500)
        assert watched.state.now == START + 590
        assert watched.look((1.0, 0.0), STABLE, seconds=511).decision == "inconclusive"


class TestNoData:
    def test_silence_holds_and_never_promotes(self) -> None:
        watched = Watched(plan(deadline=600.0))
        for _ in range(6):
            assert watched.look(None, STABLE).reason == "canary.undecided"
        assert watched.look(None, STABLE).reason == "canary.no_data"
        assert ends(watched, None) == "inconclusive canary.no_data"

    def test_evidence_for_it_does_not_promote_a_canary_that_fell_silent(self) -> None:
        watched = Watched(plan(no_data_after=30.0))
        watched.look((1_000.0, 0.0), None)
        judgement = watched.look(None, STABLE, seconds=50)
        assert judgement.good > -math.log(watched.plan.beta)
        assert (judgement.decision, judgement.reason) == ("continue", "canary.no_data")

    @pytest.mark.parametrize(("canary", "stable"), [(None, STABLE), (GOOD, None)], ids=["canary", "stable"])
    def test_silence_aborts_where_the_policy_says_so(self, canary: Counts | None, stable: Counts | None) -> None:
        assert ends(Watched(plan(no_data="abort")), canary, stable) == "abort canary.no_data"

    def test_a_look_that_does_not_see_all_of_the_canary_promotes_nothing(self) -> None:
        watched = Watched(plan())
        judgement = watched.look((1_000.0, 0.0), (19_000.0, 190.0), blind=True)
        assert judgement.good > -math.log(watched.plan.beta)
        assert (judgement.decision, judgement.reason) == ("continue", "canary.no_data")
        assert watched.look((0.0, 0.0), STABLE).decision == "promote"

    def test_a_look_that_does_not_see_all_of_the_canary_can_abort(self) -> None:
        assert ends(Watched(plan()), BAD, blind=True) == "abort canary.worse"

    def test_a_part_that_is_not_seen_is_no_silence(self) -> None:
        watched = Watched(plan(no_data="abort", deadline=600.0))
        assert ends(watched, GOOD, blind=True) == "inconclusive canary.no_data"

    def test_a_first_version_has_no_stable_side_that_could_be_silent(self) -> None:
        first = plan(metric(ceiling=0.05), first=True, no_data="abort")
        assert ends(Watched(first), GOOD, None) == "promote canary.not_worse"

    def test_a_pod_without_requests_is_not_silent(self) -> None:
        watched = Watched(plan(no_data="abort", deadline=600.0))
        assert ends(watched, (0.0, 0.0)) == "inconclusive canary.undecided"

    def test_one_critical_metric_that_is_missing_is_silence(self) -> None:
        watched = Watched(plan(metric(), metric("slow"), no_data="abort"))
        assert ends(watched, GOOD) == "abort canary.no_data"

    def test_a_metric_that_is_not_critical_may_be_missing(self) -> None:
        watched = Watched(plan(metric(), metric("slow", critical=False), no_data="abort"))
        assert ends(watched, GOOD) == "promote canary.not_worse"

    def test_samples_that_come_back_end_it(self) -> None:
        watched = Watched(plan())
        for _ in range(10):
            watched.look(None, STABLE)
        assert watched.look(GOOD, STABLE).reason == "canary.undecided"


class TestCounting:
    def test_increments_that_come_twice_add_nothing(self) -> None:
        once, twice = Watched(plan()), Watched(plan())
        for _ in range(5):
            once.look(GOOD, STABLE)
            twice.look(GOOD, STABLE)
            repeated = twice.counts(GOOD, STABLE)
            twice.take(*repeated, *repeated)
        assert twice.state.tallies["errors"].repeated == 20
        assert twice.state.tallies["errors"].lanes == once.state.tallies["errors"].lanes

    def test_an_increment_before_the_last_one_adds_nothing(self) -> None:
        watched = Watched(plan())
        watched.look(GOOD, STABLE)
        before = watched.state.tallies["errors"].lanes[0].canary_bad
        watched.take(Increment("errors", "canary", "canary-0", watched.now - 5, 10.0, (10.0,)))
        assert watched.state.tallies["errors"].lanes[0].canary_bad == before

    def test_sides_that_are_scraped_at_other_times_are_compared(self) -> None:
        """A look each 10 s, a scrape of each pod each 30 s: no look sees both sides."""
        watched = Watched(plan())
        answers = []
        for number in range(30):
            canary, stable = number % 3 == 0, number % 3 == 2
            answers.append(watched.look((300.0, 36.0) if canary else None, (5_700.0, 57.0) if stable else None))
        assert answers[-1].decision == "abort"

    def test_counts_of_one_side_do_not_wait_for_ever(self) -> None:
        """Stable's incident of half an hour ago says nothing about a canary that begins to get requests now."""
        watched = Watched(plan(no_data_after=3_000.0))
        for number in range(180):
            watched.look(None, (1_900.0, 1_900.0) if number < 170 else STABLE)
        for _ in range(3):
            assert watched.look((100.0, 5.0), STABLE).good < 0

    def test_stable_s_incident_is_not_held_for_a_canary_without_requests(self) -> None:
        watched = Watched(plan())
        watched.look((0.0, 0.0), (1_900.0, 1_900.0))
        assert watched.look((100.0, 5.0), STABLE).good < 0

    def test_what_the_canary_did_before_the_start_does_not_count(self) -> None:
        watched = Watched(plan())
        watched.take(Increment("errors", "canary", "canary-0", START - 5, 100.0, (50.0,)))
        assert watched.look(GOOD, STABLE).harm < 1
        assert watched.state.tallies["errors"].canary == {"canary-0": 100.0}

    def test_stable_before_the_start_tells_of_pods_and_clusters_only(self) -> None:
        watched = Watched(plan(metric(cluster=None)))
        history = [
            Increment("errors", "stable", f"stable-{pod}", START - 1_800 + 10 * number, 500.0, (float(5 + number % 2),))
            for number in range(180)
            for pod in range(4)
        ]
        watched.take(*history)
        tally = watched.state.tallies["errors"]
        assert tally.clustering.variance > 100
        assert (tally.stable, tally.lanes[0].stable_bad) == ({}, 0.0)
        watched.look(GOOD, STABLE)
        assert tally.size < 1.2

    def test_what_the_canary_does_says_nothing_of_chance(self) -> None:
        """Else a bad canary would look like one whose pods differ and whose errors come in clusters."""
        watched = Watched(plan(metric(spread=None, cluster=None)))
        for number in range(30):
            watched.look((100.0, 40.0 * (number % 2)), STABLE)
        tally = watched.state.tallies["errors"]
        assert {*tally.clustering.first, *tally.spread.open, *tally.spread.expected} <= {"stable-0"}
        assert tally.size < 2

    def test_the_first_seconds_of_a_pod_are_left_out(self) -> None:
        watched = Watched(plan(warm_up=30.0))
        for _ in range(3):
            assert watched.look(BAD, STABLE).harm == 0
        watched.look(GOOD, STABLE)
        assert watched.state.tallies["errors"].lanes[0].canary_bad == 1

    def test_restarts_count_from_the_first_second(self) -> None:
        watched = Watched(plan(metric("restarts", kind="pace"), warm_up=300.0))
        answers = [watched.look((10.0, 1.0), (40.0, 0.0)) for _ in range(6)]
        assert answers[-1].decision == "abort"

    def test_a_failure_counted_before_its_request_is_one_request(self) -> None:
        watched = Watched(plan())
        watched.look((0.0, 1.0), STABLE)
        assert watched.state.tallies["errors"].canary == {"canary-0": 1.0}
        assert math.isfinite(watched.look((0.0, 1.0), STABLE).harm)

    @pytest.mark.parametrize(
        "increment",
        [
            Increment("errors", "canary", "p", START + 1, math.nan, (0.0,)),
            Increment("errors", "canary", "p", START + 1, 1.0, (math.nan,)),
            Increment("errors", "canary", "p", START + 1, math.inf, (0.0,)),
            Increment("errors", "canary", "p", START + 1, 1.0, (math.inf,)),
            Increment("errors", "canary", "p", START + 1, -1.0, (0.0,)),
            Increment("errors", "canary", "p", START + 1, 1.0, (-1.0,)),
            Increment("errors", "canary", "p", math.nan, 1.0, (0.0,)),
            Increment("errors", "canary", "p", START + 1, 1.0, ()),
            Increment("errors", "canary", "p", START + 1, 1.0, (0.0, 0.0)),
            Increment("errors", "canary", "p", START + 1, 1.0, (0.0,), (0.5,)),
            Increment("slow", "canary", "p", START + 1, 1.0, (0.0,)),
            Increment("slow", "canary", "p", START + 1, 1.0, (0.0,), (0.5, 1.0)),
            Increment("slow", "canary", "p", START + 1, 1.0, (0.0, 0.0), (1.0, 0.5)),
            Increment("slow", "canary", "p", START + 1, 1.0, (0.0,), (math.nan,)),
            Increment("slow", "canary", "p", START + 1, 1.0, (0.0,), (math.inf,)),
            Increment("slow", "canary", "p", START + 1, 1.0, (math.nan,), (0.5,)),
            Increment("slow", "canary", "p", START + 1, 1.0, (), ()),
            Increment("other", "canary", "p", START + 1, 1.0, (0.0,)),
        ],
        ids=range(18),
    )
    def test_what_is_no_count_is_refused(self, increment: Increment) -> None:
        watched = Watched(plan(metric(), metric("slow", kind="latency")))
        with pytest.raises(CouldNotDecide) as caught:
            watched.take(increment)
        assert caught.value.code == "canary.increment_invalid"

    def test_a_look_that_is_refused_has_changed_nothing(self) -> None:
        watched = Watched(plan(metric(), metric("slow")))
        watched.look(GOOD, STABLE)
        before = save(watched.state)
        watched.now += 10
        good = [*watched.counts(GOOD, STABLE), *watched.counts(GOOD, STABLE, metric="slow")]
        with pytest.raises(CouldNotDecide):
            watched.take(*good, Increment("slow", "canary", "canary-1", watched.now, 1.0, (math.nan,)))
        assert save(watched.state) == before


class TestGuards:
    def test_two_bad_events_abort_nothing(self) -> None:
        """The canary fails twice in its first requests, stable never: e > 20, but two are no pattern."""
        counts = ((2.0, 2.0), (1_000.0, 0.0))
        assert Watched(plan(alpha=0.05, min_bad_events=1)).look(*counts).decision == "abort"
        assert Watched(plan(alpha=0.05)).look(*counts).decision == "continue"

    def test_below_the_floor_nobody_minds(self) -> None:
        """Ten times as many, but one in a thousand."""
        counts = ((10_000.0, 10.0), (190_000.0, 19.0))
        assert ends(Watched(plan()), *counts) == "abort canary.worse"
        assert ends(Watched(plan(metric(floor=0.01))), *counts) == "promote canary.not_worse"

    def test_above_the_floor_it_counts(self) -> None:
        assert ends(Watched(plan(metric(floor=0.01))), BAD) == "abort canary.worse"

    def test_without_any_bad_event_a_floor_promotes(self) -> None:
        counts = ((100.0, 0.0), (1_900.0, 0.0))
        assert ends(Watched(plan()), *counts) == "inconclusive canary.undecided"
        assert ends(Watched(plan(metric(floor=0.001))), *counts) == "promote canary.not_worse"

    def test_a_tolerated_ratio_is_tolerated(self) -> None:
        counts = ((100.0, 3.0), STABLE)
        assert ends(Watched(plan()), *counts) == "abort canary.worse"
        tolerant = plan(metric(tolerated=3.0, margin=6.0))
        assert ends(Watched(tolerant), *counts) == "promote canary.not_worse"

    def test_a_canary_at_the_margin_is_not_promoted(self) -> None:
        watched = Watched(plan(metric(margin=2.0), alpha=1e-300))
        for _ in range(300):
            assert watched.look((100.0, 2.0), STABLE).decision == "continue"

    def test_pods_that_differ_need_more_evidence(self) -> None:
        plain, spread = Watched(plan()), Watched(plan(metric(spread=0.4)))
        ends(plain, (100.0, 3.0))
        ends(spread, (100.0, 3.0), most=60)
        assert plain.state.decision is not None
        assert spread.state.decision is None

    def test_clusters_need_more_evidence(self) -> None:
        plain, clustered = Watched(plan()), Watched(plan(metric(cluster=4.0)))
        ends(plain, BAD)
        ends(clustered, BAD)
        assert clustered.now - START >= 2 * (plain.now - START)


class TestCeilings:
    def test_both_sides_over_it_are_aborted(self) -> None:
        watched = Watched(plan(metric(ceiling=0.05)))
        assert ends(watched, (100.0, 20.0), (1_900.0, 380.0)) == "abort canary.worse"
        assert watched.look().culprits == (("errors", "over its ceiling"),)

    def test_below_it_only_the_comparison_counts(self) -> None:
        watched = Watched(plan(metric(ceiling=0.5)))
        assert ends(watched, BAD) == "abort canary.worse"
        assert watched.look().culprits == (("errors", "worse than stable"),)

    def test_it_shares_the_weight(self) -> None:
        watched = Watched(plan(metric(ceiling=0.5)))
        assert [part for part, _ in claims(watched.state, watched.plan).values()] == [0.5, 0.5]

    def test_two_bad_events_are_no_pattern_here_either(self) -> None:
        counts = ((2.0, 2.0), (0.0, 0.0))
        first = plan(metric(ceiling=0.001), first=True)
        assert Watched(replace(first, min_bad_events=1)).look(*counts).decision == "abort"
        assert Watched(first).look(*counts).decision == "continue"

    def test_a_first_version_is_judged_by_it_alone(self) -> None:
        first = plan(metric(ceiling=0.05), first=True)
        assert ends(Watched(first), (100.0, 1.0), None) == "promote canary.not_worse"
        assert ends(Watched(first), (100.0, 20.0), None) == "abort canary.worse"

    def test_a_first_version_does_not_promote_by_metrics_that_have_none(self) -> None:
        first = plan(metric(ceiling=0.05), metric("slow"), first=True)
        watched = Watched(first)
        assert list(claims(watched.state, first)) == [("errors", "over its ceiling")]

    def test_clusters_of_a_first_version_are_its_own(self) -> None:
        watched = Watched(plan(metric(ceiling=0.05, cluster=None), first=True, beta=1e-300))
        for number in range(60):
            watched.look((100.0, 8.0 if number % 4 == 0 else 0.0), None)
        assert watched.state.tallies["errors"].size > 7


class TestDirections:
    def test_fewer_orders_are_worse(self) -> None:
        orders = plan(metric("orders", direction="decrease"))
        watched = Watched(orders)
        assert ends(watched, (100.0, 10.0), (1_900.0, 380.0)) == "abort canary.worse"
        assert ends(Watched(orders), (100.0, 40.0), (1_900.0, 380.0)) == "promote canary.not_worse"
        assert ends(Watched(orders), (100.0, 20.0), (1_900.0, 380.0)) == "promote canary.not_worse"

    def test_orders_that_stop_are_seen_although_the_canary_has_no_events(self) -> None:
        assert ends(Watched(plan(metric("orders", direction="decrease"))), (100.0, 0.0)) == "abort canary.worse"

    @pytest.mark.parametrize("bad", [1.0, 30.0])
    def test_either_way(self, bad: float) -> None:
        watched = Watched(plan(metric(direction="either")))
        assert ends(watched, (100.0, bad), (1_900.0, 190.0)) == "abort canary.worse"


class TestTrafficShare:
    SHARE = metric("traffic", kind="share", direction="either", critical=False, tolerated=1.5, margin=3.0)

    def watched(self) -> Watched:
        return Watched(plan(metric(), self.SHARE, beta=1e-300))

    def test_the_share_that_was_asked_for_is_fine(self) -> None:
        assert ends(self.watched(), (100.0, 100.0), (1_900.0, 1_900.0), metric="traffic", weight=0.05).startswith(
            "incon"
        )

    @pytest.mark.parametrize("requests", [20.0, 500.0])
    def test_a_canary_that_answers_a_fifth_of_its_share_hangs_and_five_times_is_no_canary(
        self, requests: float
    ) -> None:
        watched = self.watched()
        ends(watched, (requests, requests), (1_900.0, 1_900.0), metric="traffic", weight=0.05)
        assert watched.look().culprits == (("traffic", "worse than stable"),)

    def test_pods_that_are_scraped_one_after_the_other_are_no_mismatch(self) -> None:
        watched = self.watched()
        for number in range(60):
            turn = number % 3
            watched.look(
                (300.0, 300.0) if turn == 0 else None,
                (5_700.0, 5_700.0) if turn == 2 else None,
                metric="traffic",
                weight=0.05,
            )
        assert watched.state.tallies["traffic"].peak < 1

    @pytest.mark.parametrize("weight", [None, 0.0, 1.0])
    def test_without_a_known_weight_nothing_is_said(self, weight: float | None) -> None:
        watched = self.watched()
        for _ in range(60):
            watched.look((500.0, 500.0), (1_900.0, 1_900.0), metric="traffic", weight=weight)
        assert watched.state.tallies["traffic"].peak < 1e-9

    def test_requests_from_before_a_step_are_not_held_against_the_new_weight(self) -> None:
        watched = self.watched()
        for number in range(180):
            weight = 0.05 if number % 12 < 6 else 0.5
            watched.look((2_000.0 * weight,) * 2, (2_000.0 * (1 - weight),) * 2, metric="traffic", weight=weight)
        assert watched.state.tallies["traffic"].peak < 1


class TestLatency:
    EDGES = (0.5, 1.0, 2.5)

    def watched(self) -> Watched:
        return Watched(plan(metric("slow", kind="latency")))

    def look(self, watched: Watched, canary: tuple[float, ...], stable: tuple[float, ...], edges: Any = EDGES) -> str:
        watched.now += 10
        judgement = watched.take(
            Increment("slow", "canary", "c", watched.now, 100.0, canary, edges),
            Increment("slow", "stable", "s", watched.now, 1_900.0, stable, edges),
        )
        return judgement.decision

    def test_a_tail_that_only_the_last_edge_sees_is_found(self) -> None:
        watched = self.watched()
        answers = [self.look(watched, (10.0, 5.0, 4.0), (190.0, 95.0, 1.0)) for _ in range(6)]
        assert "abort" in answers

    def test_the_average_over_edges_decides(self) -> None:
        watched = self.watched()
        self.look(watched, (10.0, 5.0, 4.0), (190.0, 95.0, 1.0))
        tally = watched.state.tallies["slow"]
        mean = sum(math.exp(lane.harm) for lane in tally.lanes) / 3
        assert math.exp(tally.harm) == pytest.approx(mean)

    def test_promotion_is_by_the_slo(self) -> None:
        watched = self.watched()
        answers = [self.look(watched, (10.0, 0.0, 0.0), (190.0, 0.0, 0.0)) for _ in range(60)]
        assert "promote" in answers
        assert [lane.edge for lane in watched.state.tallies["slow"].lanes] == [0.5, 1.0, 2.5]

    def test_an_edge_that_goes_away_keeps_its_evidence_and_a_new_one_has_none(self) -> None:
        watched = self.watched()
        self.look(watched, (10.0, 5.0, 2.0), (190.0, 95.0, 10.0))
        kept = list(watched.state.tallies["slow"].lanes[2].likelihood)
        self.look(watched, (10.0, 5.0, 9.0), (190.0, 95.0, 10.0), (0.5, 1.0, 9.0))
        lanes = watched.state.tallies["slow"].lanes
        assert [lane.edge for lane in lanes] == [0.5, 1.0, 2.5]
        assert lanes[2].likelihood == kept
        assert lanes[0].canary_bad == 20.0


class TestManyMetrics:
    NAMES = tuple(f"m{number}" for number in range(10))

    def watched(self, **weights: float) -> Watched:
        return Watched(plan(*(metric(name, weight=weights.get(name, 1.0)) for name in self.NAMES)))

    def look(self, watched: Watched, bad: dict[str, Counts]) -> Any:
        watched.now += 10
        return watched.take(
            *(one for name in self.NAMES for one in watched.counts(bad.get(name, GOOD), STABLE, metric=name))
        )

    def test_one_bad_one_is_found_and_named(self) -> None:
        watched = self.watched()
        for _ in range(20):
            judgement = self.look(watched, {"m3": BAD})
        assert judgement.decision == "abort"
        assert judgement.culprits == (("m3", "worse than stable"),)

    def test_several_bad_ones_are_named_the_strongest_first(self) -> None:
        watched = self.watched()
        for _ in range(20):
            judgement = self.look(watched, {"m3": (100.0, 40.0), "m7": (100.0, 80.0)})
        assert [name for name, _ in judgement.culprits] == ["m7", "m3"]

    def test_what_alone_would_abort_is_not_named_where_ten_were_looked_at(self) -> None:
        watched = self.watched()
        judgement = self.look(watched, {"m3": (100.0, 7.0), "m7": (100.0, 80.0)})
        assert 100 < math.exp(watched.state.tallies["m3"].harm) < 900
        assert judgement.culprits == (("m7", "worse than stable"),)

    def test_more_metrics_need_more_evidence_of_one(self) -> None:
        one, ten = Watched(plan()), self.watched()
        while one.state.decision is None:
            one.look((100.0, 4.0), STABLE)
        while ten.state.decision is None:
            self.look(ten, {"m0": (100.0, 4.0)})
        assert ten.now > one.now

    def test_weight_is_speed(self) -> None:
        light, heavy = self.watched(), self.watched(m0=50.0)
        self.look(light, {"m0": BAD})
        self.look(heavy, {"m0": BAD})
        parts = [claims(watched.state, watched.plan)["m0", "worse than stable"][0] for watched in (light, heavy)]
        assert parts == pytest.approx([0.1, 50 / 59])

    def test_each_critical_metric_must_be_good(self) -> None:
        watched = Watched(plan(metric(), metric("slow")))
        for _ in range(100):
            watched.now += 10
            judgement = watched.take(*watched.counts(GOOD, STABLE), *watched.counts((0.0, 0.0), STABLE, metric="slow"))
            assert judgement.decision == "continue"
        assert watched.state.tallies["errors"].good > math.log(20)

    def test_one_that_is_not_critical_may_be_undecided(self) -> None:
        watched = Watched(plan(metric(), metric("slow", critical=False)))
        answers = []
        for _ in range(100):
            watched.now += 10
            counts = (*watched.counts(GOOD, STABLE), *watched.counts((0.0, 0.0), STABLE, metric="slow"))
            answers.append(watched.take(*counts).decision)
        assert "promote" in answers

    def test_one_that_is_not_critical_can_still_abort(self) -> None:
        watched = Watched(plan(metric(), metric("slow", critical=False)))
        answers = []
        for _ in range(20):
            watched.now += 10
            counts = (*watched.counts(GOOD, STABLE), *watched.counts(BAD, STABLE, metric="slow"))
            answers.append(watched.take(*counts).decision)
        assert "abort" in answers


def test_the_history_has_an_end() -> None:
    watched = Watched(plan(deadline=1e9))
    for _ in range(3 * MOST_POINTS):
        watched.look((1.0, 0.0), (1.0, 0.0))
    points = watched.state.history
    assert MOST_POINTS / 2 <= len(points) <= MOST_POINTS
    assert points[-1].time == watched.now
    assert [point.time for point in points] == sorted(point.time for point in points)


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        ((1e300, 1e300), (1e300, 1e300)),
        ((1e308, 1.0), (1.0, 1.0)),
        ((5e-324, 5e-324), (100.0, 1.0)),
        ((100.0, 1.0), (5e-324, 5e-324)),
        ((100.0, 2.0**60), (100.0, 1.0)),
    ],
    ids=range(5),
)
def test_counts_that_would_make_evidence_of_nan_are_refused_before_they_count(canary: Counts, stable: Counts) -> None:
    watched = Watched(plan(metric(spread=None, cluster=None, floor=1e-3, ceiling=0.5)))
    watched.look(GOOD, STABLE)
    before = save(watched.state)
    with pytest.raises(CouldNotDecide) as caught:
        watched.look(canary, stable)
    assert caught.value.code == "canary.increment_invalid"
    assert save(watched.state) == before


def test_evidence_that_is_no_number_decides_nothing() -> None:
    watched = Watched(plan())
    watched.look(GOOD, STABLE)
    watched.state.tallies.metrics["good"] = math.nan
    with pytest.raises(CouldNotDecide, match="evidence of"):
        watched.look()
