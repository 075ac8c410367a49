"""Each rule of counting alone: the fault that it is for, and what is counted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import CanaryMetric, Rollout
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.samples.look import MAX_GAP, Reading, look
from aegis.gates.canary.samples.sides import Hashes, Pods, Scope
from aegis.gates.canary.samples.sources import Source, source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from tests.doubles.metrics_store import MetricsStore

T0 = 1_700_000_000.0
ROLLOUT = Rollout(namespace="shop", name="web")
CANARY, STABLE = "web-new-aaaaa", "web-old-bbbbb"
OK, ERROR = ("http_requests_total", 'code="200"'), ("http_requests_total", 'code="500"')
HTTP = source_of(CanaryMetric(preset="http"), ROLLOUT)
LATENCY = source_of(CanaryMetric(preset="http-latency", slo=0.3), ROLLOUT)


def target(pod: str, **more: str) -> dict[str, str]:
    return {"namespace": "shop", "pod": pod, "job": "web", "instance": f"{pod}:80"} | more


def buckets(below: Mapping[str, float]) -> dict[tuple[str, str], float]:
    return {("http_request_duration_seconds_bucket", f'le="{edge}"'): count for edge, count in below.items()}


class Watch:
    """One store and one watch of it; times are seconds after the first look."""

    def __init__(self, *sources: Source, scope: Scope | None = None) -> None:
        self.store, self.counters = MetricsStore(), Counters()
        self.sources, self.scope = sources or (HTTP,), scope or Scope("shop", Hashes("web", "new", "old"))

    def scrape(self, pod: str, at: float, values: Mapping[tuple[str, str], float], **labels: str) -> None:
        self.store.scrape(target(pod, **labels), values, T0 + at)

    def look(self, at: float, **options: Any) -> Reading:
        self.store.clock = T0 + at
        return look(
            self.store, self.sources, starts_of(ROLLOUT), self.scope, self.counters, scrape_interval=10, **options
        )

    def counts(self, at: float) -> list[tuple[float, float, tuple[float, ...]]]:
        return [(each.time - T0, each.exposure, each.bad) for each in self.look(at).increments]


def test_differences_between_scrapes_are_counted() -> None:
    watch = Watch()
    watch.scrape(CANARY, -20, {OK: 100, ERROR: 5})
    watch.scrape(CANARY, -10, {OK: 110, ERROR: 7})
    watch.scrape(CANARY, 0, {OK: 110, ERROR: 7})
    reading = watch.look(0)
    assert reading.increments == (
        Increment("http", "canary", CANARY, T0 - 10, 12.0, (2.0,)),
        Increment("http", "canary", CANARY, T0, 0.0, (0.0,)),
    )
    assert (reading.time, reading.newest, reading.unusable, reading.notices) == (T0, {"http": {"canary": T0}}, (), ())


def test_samples_that_were_counted_are_not_counted_again() -> None:
    watch = Watch()
    watch.scrape(CANARY, -10, {OK: 100})
    watch.scrape(CANARY, 0, {OK: 110})
    assert watch.counts(1) == [(0, 10, (0.0,))]
    assert watch.counts(1) == watch.counts(5) == []


def test_a_first_error_is_an_event_though_its_series_has_no_earlier_sample() -> None:
    watch = Watch()
    watch.scrape(STABLE, -10, {OK: 100})
    watch.scrape(STABLE, 0, {OK: 110, ERROR: 3})
    assert watch.counts(0) == [(0, 13, (3.0,))]


def test_a_series_that_fell_was_reset() -> None:
    watch = Watch()
    watch.scrape(STABLE, -10, {OK: 100, ERROR: 50})
    watch.scrape(STABLE, 0, {OK: 4, ERROR: 1})
    assert watch.counts(0) == [(0, 5, (1.0,))]


START = ("process_start_time_seconds", "")


def test_a_start_shows_a_restart_that_the_counts_hide() -> None:
    watch = Watch()
    watch.scrape(STABLE, -10, {OK: 10, ERROR: 1, START: T0 - 900})
    watch.scrape(STABLE, 0, {OK: 30, ERROR: 4, START: T0 - 5})
    assert watch.counts(0) == [(0, 34, (4.0,))]


@pytest.mark.parametrize("start", [T0 - 4000, T0 - 899, T0 + 500], ids=["clock set back", "jitter", "clock set on"])
def test_a_clock_that_was_set_is_no_restart(start: float) -> None:
    watch = Watch()
    watch.scrape(STABLE, -10, {OK: 10_000, ERROR: 100, START: T0 - 900})
    watch.scrape(STABLE, 0, {OK: 10_030, ERROR: 103, START: start})
    assert watch.counts(0) == [(0, 33, (3.0,))]


@pytest.mark.parametrize("starts", [True, False])
def test_what_a_new_process_has_not_shown_yet_counts_from_zero(starts: bool) -> None:
    watch = Watch()
    old, new = ({START: T0 - 900}, {START: T0 - 5}) if starts else ({}, {})
    watch.scrape(STABLE, -10, {OK: 100, ERROR: 2, **old})
    watch.scrape(STABLE, 0, {OK: 5, **new})
    watch.scrape(STABLE, 10, {OK: 6, ERROR: 3, **new})
    assert watch.counts(10) == [(0, 5, (0.0,)), (10, 4, (3.0,))]


def test_scrapes_that_are_missing_add_nothing_and_lose_nothing() -> None:
    watch = Watch()
    watch.scrape(STABLE, 0, {OK: 100, ERROR: 1})
    assert watch.counts(0) == []
    assert watch.counts(30) == []
    watch.scrape(STABLE, 300, {OK: 400, ERROR: 4})
    assert watch.counts(300) == [(300, 303, (3.0,))]


def test_what_an_old_pod_counted_before_the_watch_is_not_counted() -> None:
    watch = Watch()
    for pod in (CANARY, STABLE):
        watch.scrape(pod, 0, {OK: 1_000_000, ERROR: 500, START: T0 - 86_400})
    assert watch.counts(0) == []


def test_a_pod_that_began_after_the_watch_counts_from_zero() -> None:
    watch = Watch()
    watch.scrape(STABLE, 0, {OK: 9})
    watch.look(0)
    for pod in ("web-new-ccccc", "web-old-ccccc"):
        watch.scrape(pod, 40, {OK: 7, ERROR: 2, START: T0 + 31})
    assert watch.counts(40) == [(40, 9, (2.0,)), (40, 9, (2.0,))]


def test_without_a_start_a_canarys_new_pod_counts_from_zero_and_a_stable_one_may_be_old() -> None:
    watch = Watch()
    watch.scrape(STABLE, 0, {OK: 9})
    watch.look(0)
    for pod in ("web-new-ccccc", "web-old-ccccc"):
        watch.scrape(pod, 40, {OK: 7, ERROR: 2})
        watch.scrape(pod, 50, {OK: 8, ERROR: 3})
    counted = [(each.pod, each.exposure, each.bad) for each in watch.look(50).increments]
    assert sorted(counted) == [
        ("web-new-ccccc", 2, (1.0,)), ("web-new-ccccc", 9, (2.0,)), ("web-old-ccccc", 2, (1.0,))
    ]  # fmt: skip


def test_a_canary_that_was_there_at_the_beginning_may_be_old() -> None:
    watch = Watch()
    watch.scrape(STABLE, 0, {OK: 9})
    watch.look(5)
    watch.scrape(CANARY, 9, {OK: 1000, ERROR: 10})
    assert watch.counts(10) == []


def test_a_target_that_was_scraped_without_the_metric_counts_from_zero() -> None:
    watch = Watch()
    watch.scrape(STABLE, -20, {START: T0 - 900})
    watch.scrape(STABLE, -10, {OK: 1, ERROR: 1, START: T0 - 900})
    assert watch.counts(0) == [(-10, 2, (1.0,))]


def test_a_known_pods_other_address_counts_from_its_first_scrape_there() -> None:
    watch = Watch()
    watch.scrape(CANARY, 0, {OK: 1000, ERROR: 10})
    watch.look(0)
    watch.scrape(CANARY, 100, {OK: 1010, ERROR: 11}, instance="other:80")
    watch.scrape(CANARY, 110, {OK: 1020, ERROR: 12}, instance="other:80")
    (one,) = watch.look(110).increments
    assert (one.exposure, one.bad) == (11, (1.0,))
    assert one.pod == f'{CANARY} ["web","other:80","{CANARY}"]'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 2.0**54])
@pytest.mark.parametrize("of", [OK, ERROR])
def test_a_value_that_no_counter_has_leaves_the_scrape_out_and_is_told(of: tuple[str, str], value: float) -> None:
    watch = Watch()
    watch.scrape(CANARY, 0, {OK: 100, ERROR: 1})
    watch.scrape(CANARY, 10, {OK: 110, ERROR: 2} | {of: value})
    reading = watch.look(10)
    assert reading.increments == ()
    ((metric, side, pod, why),) = [(each.metric, each.side, each.pod, each.why) for each in reading.unusable]
    assert (metric, side, pod) == ("http", "canary", CANARY)
    assert "is none that a counter has" in why
    assert reading.newest == {"http": {"canary": T0}}
    watch.scrape(CANARY, 20, {OK: 120, ERROR: 3})
    assert watch.counts(20) == [(20, 22, (2.0,))]


@pytest.mark.parametrize("looked", [True, False], ids=["a look before", "the same look"])
def test_after_a_scrape_that_was_left_out_an_old_pods_history_is_not_counted(looked: bool) -> None:
    """It was scraped before, and not without the metric."""
    watch = Watch()
    old = {START: T0 - 86_400}
    watch.scrape(CANARY, 50, {OK: 1000, ERROR: 10} | old)
    watch.scrape(STABLE, 50, {OK: 1_000_000, ERROR: math.nan} | old)
    if looked:
        (left_out,) = watch.look(50).unusable
        assert left_out.pod == STABLE
        # the next look may be of another process, and read that scrape no more
        watch.counters = Counters.load(json.loads(json.dumps(watch.counters.dump())))
    for at in (60, 70):
        watch.scrape(STABLE, at, {OK: 1_000_000 + at, ERROR: 100_000} | old)
    assert watch.counts(70) == [(70, 10, (0.0,))]


def test_only_what_is_unusable_of_a_canary_makes_a_look_blind() -> None:
    for pod, blind in ((CANARY, True), (STABLE, False)):
        watch = Watch()
        watch.scrape(pod, 0, {OK: math.nan})
        assert watch.look(0).blind == blind
        watch.scrape(pod, 10, {OK: 5})
        assert not watch.look(10).blind


def test_the_newest_scrape_is_of_any_pod_of_a_side() -> None:
    watch = Watch()
    watch.scrape(CANARY, 20, {OK: 1})
    watch.scrape("web-new-zzzzz", 10, {OK: 1})
    assert watch.look(20).newest == {"http": {"canary": T0 + 20}}


def test_times_that_go_back_are_not_counted() -> None:
    watch = Watch()
    watch.scrape(STABLE, 80, {OK: 100})
    watch.scrape(STABLE, 100, {OK: 120})
    assert watch.counts(100) == [(100, 20, (0.0,))]
    # the store's clock was set back, and another of its replicas answers
    watch.store._held.clear()
    watch.scrape(STABLE, 50, {OK: 110})
    watch.scrape(STABLE, 60, {OK: 112})
    assert watch.counts(60) == []
    watch.scrape(STABLE, 110, {OK: 125})
    assert watch.counts(110) == [(110, 5, (0.0,))]


def test_a_look_reads_again_what_the_one_before_may_have_missed() -> None:
    watch = Watch()
    watch.look(0)
    watch.look(10)
    watch.look(200)
    watch.look(20_000)
    watch.look(0)
    assert list(dict.fromkeys(watch.store.windows)) == [40, 50, 230, 40 + MAX_GAP]
    assert watch.store.windows[-1] == 40


def test_the_first_look_reads_the_past_that_is_asked_for() -> None:
    watch = Watch()
    for number in range(12):
        watch.scrape(STABLE, -110 + 10 * number, {OK: 100 + number})
    assert len(watch.look(0, history=600).increments) == 11
    assert watch.store.windows[0] == 600
    watch.look(10, history=600)
    assert watch.store.windows[-1] == 50


def test_a_look_that_fails_changes_nothing() -> None:
    watch = Watch()
    watch.scrape(STABLE, 0, {OK: 100})
    watch.look(0)
    before = watch.counters.dump()
    watch.scrape(STABLE, 10, {OK: 110})
    watch.store.down = True
    with pytest.raises(CouldNotDecide):
        watch.look(10)
    assert watch.counters.dump() == before
    watch.store.down = False
    assert watch.counts(11) == [(10, 10, (0.0,))]


def test_bad_events_of_a_scrape_whose_other_events_are_not_there_yet_wait_for_them() -> None:
    source = source_of(CanaryMetric(name="m", total="requests_total", bad="errors_total"), ROLLOUT)
    watch = Watch(source)
    watch.scrape(CANARY, 0, {("requests_total", ""): 10.0, ("errors_total", ""): 1.0})
    watch.look(0)
    watch.scrape(CANARY, 10, {("errors_total", ""): 2.0})
    assert watch.counts(10) == []
    watch.scrape(CANARY, 10, {("requests_total", ""): 30.0})
    assert watch.counts(11) == [(10, 20, (1.0,))]


def test_bad_events_that_another_target_tells_are_told() -> None:
    source = source_of(CanaryMetric(name="m", total="requests_total", bad="errors_total"), ROLLOUT)
    watch = Watch(source)
    watch.scrape(CANARY, 0, {("requests_total", ""): 10.0})
    watch.scrape(CANARY, 0, {("errors_total", ""): 10.0}, instance="other:80")
    (one,) = watch.look(0).unusable
    assert (one.metric, one.side, one.pod) == ("m", "canary", CANARY)
    assert "does not tell all events" in one.why


def test_a_label_that_is_not_there_tells_no_errors_and_is_no_pass() -> None:
    watch = Watch()
    for at in (0, 10):
        watch.scrape(CANARY, at, {("http_requests_total", 'response="500"'): 10.0 + at})
    reading = watch.look(10)
    assert reading.increments == ()
    assert "no label code or status or status_code" in reading.unusable[0].why
    assert reading.newest == {"http": {}}


def test_a_metric_without_bad_events_yet_is_told() -> None:
    watch = Watch()
    watch.scrape(CANARY, 0, {OK: 1})
    (notice,) = watch.look(0).notices
    assert notice.startswith("http: no series of bad events yet (code has the values 200; no series has code=~")
    watch.scrape(CANARY, 10, {OK: 1, ERROR: 1})
    assert watch.look(10).notices == ()


def test_bad_events_with_a_counter_of_their_own_that_nobody_has_are_no_pass() -> None:
    watch = Watch(source_of(CanaryMetric(name="m", total="requests_total", bad="erors_total"), ROLLOUT))
    pods = {CANARY: "errors_total", STABLE: "errors_total"}
    for pod, counter in pods.items():
        watch.scrape(pod, 0, {("requests_total", ""): 10.0, (counter, ""): 1.0})
    reading = watch.look(0)
    assert reading.blind
    assert {each.side for each in reading.unusable} == {"canary", "stable"}
    assert "no pod has its counter of bad events, erors_total" in reading.unusable[0].why
    assert reading.notices == ("m: no series of bad events yet (erors_total)",)
    watch.scrape(STABLE, 10, {("requests_total", ""): 20.0, ("erors_total", ""): 0.0})
    assert not watch.look(10).blind


def test_pods_of_other_versions_and_namespaces_are_not_looked_at() -> None:
    watch = Watch()
    for at in (0, 10):
        watch.scrape("web-older-ccccc", at, {OK: 10.0 + at})
        watch.scrape(CANARY, at, {OK: 10.0 + at}, namespace="other", instance="x:80")
        watch.scrape("", at, {OK: 10.0 + at})
    assert watch.counts(10) == []


def test_series_without_a_pod_are_of_no_side() -> None:
    pods = frozenset({CANARY, *(f"x{number}" for number in range(30))})
    watch = Watch(scope=Scope("shop", Pods(pods, frozenset())))
    for at in (0, 10):
        watch.scrape(CANARY, at, {OK: 10.0 + at})
        watch.store.scrape({"namespace": "shop", "job": "x"}, {OK: 10.0 + at}, T0 + at)
    assert watch.counts(10) == [(10, 10, (0.0,))]


def test_series_of_a_version_without_a_pod_are_of_no_side() -> None:
    rollout = Rollout(namespace="shop", name="web", hash_label="hash")
    watch = Watch(source_of(CanaryMetric(preset="http"), rollout))
    for at in (0, 10):
        watch.scrape(CANARY, at, {OK: 10.0 + at}, hash="new")
        watch.store.scrape({"namespace": "shop", "job": "sum", "hash": "new"}, {OK: 10.0 + at}, T0 + at)
    assert [each.pod for each in watch.look(10).increments] == [CANARY]


@pytest.mark.parametrize(
    "copy", [{"job": "again"}, {"prometheus_replica": "b"}, {"replica": "b"}, {"endpoint": "x", "service": "y"}]
)
def test_events_that_are_told_twice_are_refused(copy: dict[str, str]) -> None:
    watch = Watch()
    for at in (0, 10):
        watch.scrape(CANARY, at, {OK: 10.0 + at})
        watch.scrape(CANARY, at + 1, {OK: 10.0 + at}, **copy)
    with pytest.raises(CouldNotDecide, match=next(iter(copy))) as raised:
        watch.look(11)
    assert raised.value.code == "canary.series_doubled"


def test_a_job_that_took_over_tells_nothing_twice() -> None:
    watch = Watch()
    watch.scrape(CANARY, 0, {OK: 10.0})
    watch.scrape(CANARY, 10, {OK: 12.0})
    watch.scrape(CANARY, 20, {OK: 14.0}, job="renamed")
    watch.scrape(CANARY, 30, {OK: 17.0}, job="renamed")
    assert watch.counts(30) == [(10, 2, (0.0,)), (30, 3, (0.0,))]


class TestPerTime:
    RESTARTS = source_of(CanaryMetric(preset="restarts"), ROLLOUT)

    def value(self, count: float) -> dict[tuple[str, str], float]:
        return {("kube_pod_container_status_restarts_total", 'container="app"'): count}

    def test_restarts_are_counted_per_second_of_a_pod(self) -> None:
        watch = Watch(self.RESTARTS)
        for at, count in ((0, 1), (10, 1), (30, 3)):
            watch.scrape(CANARY, at, self.value(count), instance="ksm:8080")
        assert watch.counts(30) == [(10, 10, (0.0,)), (30, 20, (2.0,))]

    def test_two_that_tell_the_same_restarts_are_refused(self) -> None:
        watch = Watch(self.RESTARTS)
        for instance in ("ksm-1:8080", "ksm-2:8080"):
            watch.scrape(CANARY, 0, self.value(1), instance=instance)
        with pytest.raises(CouldNotDecide, match="instance"):
            watch.look(0)


def test_traffic_is_counted_by_the_requests_themselves() -> None:
    watch = Watch(source_of(CanaryMetric(name="traffic", total="http_requests_total"), ROLLOUT))
    for at in (0, 10):
        watch.scrape(CANARY, at, {OK: 10.0 + at, ERROR: 5.0 + at})
    assert watch.counts(10) == [(10, 20, (20.0,))]


class TestHistograms:
    def test_requests_above_each_edge_from_the_slo_on_are_counted(self) -> None:
        watch = Watch(LATENCY)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 0, buckets({"0.1": 5, "0.5": 8, "1": 9, "+Inf": 10}))
            watch.scrape(pod, 10, buckets({"0.1": 6, "0.5": 10, "1": 13, "+Inf": 20}))
        reading = watch.look(10)
        assert [(each.exposure, each.bad, each.edges) for each in reading.increments] == [
            (10, (8.0, 6.0), (0.5, 1.0))
        ] * 2

    def test_groups_are_summed(self) -> None:
        watch = Watch(LATENCY)
        for at, counts in ((0, (0, 0)), (10, (3, 4))):
            for pod in (CANARY, STABLE):
                for route in ("a", "b"):
                    watch.scrape(pod, at, buckets({"0.5": counts[0], "+Inf": counts[1]}), route=route)
        assert [(each.exposure, each.bad) for each in watch.look(10).increments] == [(8, (2.0,))] * 2

    def test_edges_are_those_of_both_sides_and_stay(self) -> None:
        watch = Watch(LATENCY)
        watch.scrape(STABLE, 0, buckets({"0.3": 1, "0.5": 1, "2": 1, "+Inf": 1}))
        assert watch.look(0).increments == ()  # before the canary is there nothing is known of its edges
        watch.scrape(STABLE, 10, buckets({"0.3": 2, "0.5": 2, "2": 2, "+Inf": 3}))
        watch.scrape(CANARY, 10, buckets({"0.5": 2, "1": 2, "2.0": 2, "+Inf": 3}))
        assert [each.edges for each in watch.look(10).increments] == [(0.5, 2.0)]
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 20, buckets({"0.5": 2, "2.0": 3, "5": 3, "+Inf": 4}))
        assert [each.edges for each in watch.look(20).increments] == [(0.5, 2.0)] * 2

    def test_what_stable_counted_before_the_canary_was_there_is_not_counted(self) -> None:
        """Its start was told all the time: that is no target that was scraped without the metric."""
        watch = Watch(LATENCY)
        for number in range(8):
            slow = {"0.5": 900_000 + 10 * number, "+Inf": 1_000_000 + 10 * number}
            watch.scrape(STABLE, 10 * number, buckets(slow) | {START: T0 - 604_800})
            if number >= 6:
                watch.scrape(CANARY, 10 * number, buckets({"0.5": number, "+Inf": 2 * number}) | {START: T0 + 55})
            reading = watch.look(10 * number)
            # without edges there is nothing that could be judged, and nothing new of it
            assert number >= 6 or (reading.increments, reading.newest) == ((), {"http-latency": {}})
            counted = [(each.side, each.exposure, each.bad) for each in reading.increments]
            if number == 6:
                assert sorted(counted) == [("canary", 12, (6.0,)), ("stable", 10, (0.0,))]
        assert sorted(counted) == [("canary", 2, (1.0,)), ("stable", 10, (0.0,))]

    def test_an_edge_that_is_written_otherwise_is_the_same(self) -> None:
        watch = Watch(LATENCY)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 0, buckets({"0.5": 2, "2": 4, "+Inf": 5}))
        watch.look(0)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 10, buckets({"0.5": 2, "2.0": 5, "+Inf": 7}))
        assert [(each.bad, each.edges) for each in watch.look(10).increments] == [((2.0, 1.0), (0.5, 2.0))] * 2

    def test_a_first_deployment_has_the_canarys_edges(self) -> None:
        watch = Watch(LATENCY, scope=Scope("shop", Hashes("web", "new", None)))
        watch.scrape(CANARY, 0, buckets({"0.5": 2, "+Inf": 3}))
        watch.scrape(CANARY, 10, buckets({"0.5": 2, "+Inf": 4}))
        assert [(each.bad, each.edges) for each in watch.look(10).increments] == [((1.0,), (0.5,))]

    @pytest.mark.parametrize("edges", [("0.1", "0.2"), ("0.7", "0.9")], ids=["below the SLO", "others"])
    def test_without_a_shared_edge_nothing_is_counted_and_that_is_told(self, edges: tuple[str, str]) -> None:
        watch = Watch(LATENCY)
        for pod, edge in zip((CANARY, STABLE), edges, strict=True):
            watch.scrape(pod, 0, buckets({edge: 2, "+Inf": 3}))
        reading = watch.look(0)
        assert {each.pod for each in reading.unusable} == {CANARY, STABLE}
        assert "share no finite bucket edge at or above 0.3" in reading.unusable[0].why

    def test_the_buckets_of_one_histogram_are_reset_together(self) -> None:
        watch = Watch(LATENCY)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 0, buckets({"0.1": 1, "0.5": 2, "+Inf": 10}))
            watch.scrape(pod, 10, buckets({"0.1": 2, "0.5": 4, "+Inf": 5}))
        assert [(each.exposure, each.bad) for each in watch.look(10).increments] == [(5, (1.0,))] * 2

    @pytest.mark.parametrize(
        ("second", "why"),
        [
            ({"0.5": 9, "1": 8, "+Inf": 20}, 'le="1" holds 8, and le="0.5" holds 9'),
            ({"0.5": 9, "1": 12, "+Inf": 11}, "holds"),
            ({"0.5": 9, "1": 12}, "no bucket"),
            ({"0.5": 9, "+Inf": 12}, "lacks a bucket"),
            ({"0.5": 18, "1": 19, "+Inf": 20}, "have grown by 16, and all of them by 15"),
            ({"0.5": 9, "1": 9, "NaN": 9, "+Inf": 20}, 'le="NaN"'),
            ({"0.5": 9, "1": 9, "x": 9, "+Inf": 20}, 'le="x"'),
        ],
    )
    def test_buckets_that_contradict_each_other_are_left_out_and_told(self, second: Any, why: str) -> None:
        watch = Watch(LATENCY)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 0, buckets({"0.5": 2, "1": 3, "+Inf": 5}))
        watch.look(0)
        watch.scrape(CANARY, 10, buckets(second))
        reading = watch.look(10)
        assert reading.increments == ()
        (one,) = reading.unusable
        assert why in one.why
        assert (one.side, reading.newest["http-latency"]["canary"]) == ("canary", T0)


def test_each_query_is_asked_once_and_the_starts_last() -> None:
    traffic = source_of(CanaryMetric(name="traffic", total="http_requests_total"), ROLLOUT)
    watch = Watch(HTTP, traffic)
    watch.look(0)
    assert len(watch.store.asked) == len(set(watch.store.asked)) == 6
    assert watch.store.asked[-1].startswith("process_start_time_seconds{")
    assert watch.store.asked[0].startswith('http_requests_total{namespace="shop",pod=~')


UP = ("up", "")
HUNG = {UP: 0.0}


class TestPodsThatAreScrapedInVain:
    def scraped(self, *more: tuple[str, Mapping[tuple[str, str], float], dict[str, str]]) -> Reading:
        """Both sides are well; of others this is seen at four scrapes."""
        watch = Watch()
        for at in (0, 10, 20, 30):
            for pod in (CANARY, STABLE):
                watch.scrape(pod, at, {OK: at, UP: 1})
            for pod, told, labels in more:
                watch.scrape(pod, at, told, **labels)
        return watch.look(35)

    def test_a_canary_that_cannot_be_scraped_is_told_by_its_name_and_makes_the_look_blind(self) -> None:
        reading = self.scraped(("web-new-ccccc", HUNG, {}), ("web-new-bbbbb", HUNG, {}))
        assert (reading.out_of_reach, reading.blind) == (("web-new-bbbbb", "web-new-ccccc"), True)
        assert reading.unusable == ()

    def test_a_canary_that_was_counted_before_is_told_though_another_target_of_its_pod_is_reached(self) -> None:
        sidecar = {"instance": "web-new-ccccc:15020"}
        watch = Watch()
        for at in (0, 10, 20, 30):
            watch.scrape("web-new-ccccc", at, {OK: 9, UP: 1} if at < 20 else HUNG)
            watch.scrape("web-new-ccccc", at, {UP: 1}, **sidecar)
        assert watch.look(35).out_of_reach == ("web-new-ccccc",)

    @pytest.mark.parametrize(
        "more",
        [
            [("web-old-ccccc", HUNG, {})],
            [("web-other-ccccc", HUNG, {})],
            [("web-new-ccccc", HUNG, {"job": "probes"})],
            [("web-new-ccccc", HUNG, {"instance": "web-new-ccccc:5432"}), ("web-new-ccccc", {OK: 1, UP: 1}, {})],
            [("web-new-ccccc", {OK: 1, UP: 1, ("up", 'backend="db"'): 0}, {})],
            [("web-new-ccccc", {OK: 1}, {})],
        ],
        ids=["stable", "another rollout", "another job", "another port", "its own metric", "pushed"],
    )
    def test_what_else_is_down_is_no_canary_that_nobody_sees(self, more: list[Any]) -> None:
        reading = self.scraped(*more)
        assert (reading.out_of_reach, reading.blind) == ((), False)

    @pytest.mark.parametrize(("ups", "away"), [("1110", False), ("0111", False), ("1100", True), ("0", True)])
    def test_half_of_the_last_scrapes_must_have_succeeded(self, ups: str, away: bool) -> None:
        watch = Watch()
        watch.scrape(STABLE, 0, {OK: 1, UP: 1})
        watch.look(0)
        for number, up in enumerate(ups):
            watch.scrape(CANARY, 200 + 10 * number, {OK: 1, UP: 1} if up == "1" else HUNG)
        assert watch.look(235).blind == away

    def test_a_pod_that_is_gone_is_not_waited_for_however_long_ago_the_last_look_was(self) -> None:
        watch = Watch()
        watch.look(0)
        watch.scrape(STABLE, 950, {OK: 1, UP: 1})
        watch.scrape(CANARY, 950, HUNG)
        assert not watch.look(1000).blind

    def test_a_store_that_does_not_tell_it_leaves_nothing_half_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        watch = Watch()
        for at in (0, 10):
            watch.scrape(STABLE, at, {OK: 10 * at, UP: 1})
        before, plain = watch.counters.dump(), watch.store.samples

        def samples(selector: str, window: int, at: float) -> Any:
            if selector.startswith("up{"):
                raise CouldNotDecide("canary.prometheus_unavailable", "it is down", expected="", remedy="")
            return plain(selector, window, at)

        monkeypatch.setattr(watch.store, "samples", samples)
        with pytest.raises(CouldNotDecide):
            watch.look(10)
        assert watch.counters.dump() == before


WITHOUT_ANY: dict[str, Any] = {"since": None, "edges": [], "pods": [], "newest": {}, "targets": {}}


class TestState:
    def watched(self) -> Watch:
        watch = Watch(HTTP, LATENCY)
        for pod in (CANARY, STABLE):
            watch.scrape(pod, 0, {OK: 1, START: T0, **buckets({"0.5": 2, "+Inf": 3})})
        watch.look(0)
        return watch

    def test_another_process_goes_on_where_the_first_one_stopped(self) -> None:
        watch = self.watched()
        dumped = json.dumps(watch.counters.dump(), sort_keys=True)
        watch.counters = Counters.load(json.loads(dumped))
        assert json.dumps(watch.counters.dump(), sort_keys=True) == dumped
        assert watch.look(0).increments == ()
        watch.scrape(CANARY, 10, {OK: 3, START: T0, **buckets({"0.5": 2, "+Inf": 4})})
        assert [(each.exposure, each.bad) for each in watch.look(10).increments] == [(2, (0.0,)), (1, (1.0,))]

    @pytest.mark.parametrize(
        "change",
        [
            {"version": 2},
            {"version": True},
            {"extra": 1},
            {"began": "x"},
            {"looked": -1.0},
            {"metrics": []},
            {"metrics": {"http": {}}},
            {"metrics": {"http": {**WITHOUT_ANY, "left_out": "x"}}},
        ],
    )
    def test_what_no_look_keeps_is_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(CouldNotDecide) as raised:
            Counters.load(self.watched().counters.dump() | change)
        assert raised.value.code == "canary.counters_invalid"

    @pytest.mark.parametrize("value", [-1.0, 1e300, math.nan, math.inf, "1", None])
    def test_values_that_no_counter_has_are_refused(self, value: Any) -> None:
        dumped = self.watched().counters.dump()
        ((key, known), *_) = dumped["metrics"]["http"]["targets"].items()
        known["values"] = dict.fromkeys(known["values"], value)
        with pytest.raises(CouldNotDecide):
            Counters.load(dumped)
        assert key

    @pytest.mark.parametrize("value", [None, [], 1, "x"])
    def test_what_is_no_object_is_refused(self, value: Any) -> None:
        with pytest.raises(CouldNotDecide):
            Counters.load(value)
