"""Counts from a real Prometheus, beside what the exporters' processes were told to count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aegis.adapters.prometheus.server import PrometheusServer
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import CanaryMetric, Rollout
from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.samples.counters import START_JITTER
from aegis.gates.canary.samples.look import Reading, look
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import Source, source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from tests.support.canary.exporters import Exporter
from tests.support.canary.prometheus import RealPrometheus, prometheus
from tests.support.network.ports import free_port

ROLLOUT = Rollout(namespace="shop", name="web")
SCOPE = Scope("shop", Hashes("web", "new", "old"))
HTTP = source_of(CanaryMetric(preset="http"), ROLLOUT)
SLOW = source_of(CanaryMetric(preset="http-latency", slo=0.5), ROLLOUT)
CANARY, STABLE = "web-new-aaaaa", "web-old-bbbbb"
OLD = 3 * START_JITTER
"""Seconds; a start is known to a second or so."""
PATIENCE = 120.0
"""Seconds for an answer, and until a scrape must have shown what was counted; the machine has other work."""


@dataclass
class World:
    """A server, its pods, and a watch of them."""

    server: RealPrometheus
    pods: dict[str, Exporter] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    counted: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """Metric and pod → exposure and bad events."""
    before: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """What a pod had counted when the watch first saw it."""

    def add(self, pod: str, *counts: tuple[str, int, float]) -> Exporter:
        """A pod that has counted before it is scraped."""
        added = Exporter(free_port())
        added.start()
        for each in counts:
            added.count(*each)
        self.pods[pod] = added
        self.tell()
        return added

    def tell(self) -> None:
        self.server.scrape([(each.port, {"namespace": "shop", "pod": pod}) for pod, each in self.pods.items()])

    def look(self, *sources: Source, timeout: float = PATIENCE) -> Reading:
        asked = PrometheusServer(self.server.url, timeout=timeout)
        reading = look(asked, sources or (HTTP, SLOW), starts_of(ROLLOUT), SCOPE, self.counters, scrape_interval=1)
        for each in reading.increments:
            sums = self.counted.setdefault((each.metric, each.pod), [0.0, 0.0])
            sums[0] += each.exposure
            sums[1] += each.bad[0]
        return reading

    def truth(self) -> dict[tuple[str, str], list[float]]:
        told: dict[tuple[str, str], list[float]] = {}
        for pod, each in self.pods.items():
            requests, errors, slow = self.before.get(pod, (0, 0, 0))
            told["http", pod] = [each.requests - requests, each.errors - errors]
            told["http-latency", pod] = [each.requests - requests, each.slow - slow]
        return told

    def await_truth(self) -> None:
        """Look until all is counted; never more than that."""

        def is_counted() -> bool:
            self.look()
            for key, sums in self.counted.items():
                assert all(mine <= true for mine, true in zip(sums, self.truth()[key], strict=True)), key
            return self.counted == self.truth()

        awaited(is_counted, lambda: f"counted {self.counted}, and it was {self.truth()}")

    def begin(self) -> None:
        """Two pods that have counted for a while, and a first look that knows them."""
        for pod in (CANARY, STABLE):
            each = self.add(pod, ("200", 100, 0.2), ("200", 7, 0.7), ("500", 2, 0.2))
            self.before[pod] = (each.requests, each.errors, each.slow)
        begun = time.time()
        awaited(lambda: scraped(self.server) == {CANARY, STABLE}, lambda: "no scrape")
        # what began with the watch would be new
        awaited(lambda: time.time() - begun > OLD, lambda: "the clock stands")
        awaited(self._knows_both, lambda: "a pod is not scraped")

    def _knows_both(self) -> bool:
        """Whether a watch that begins now sees both pods: what one counts before it is seen would be lost."""
        self.counters, self.counted = Counters(), {}
        return all(len(sides) == 2 for sides in self.look().newest.values())


def scraped(server: RealPrometheus) -> set[str]:
    """The pods that stand in the store."""
    asked = PrometheusServer(server.url, timeout=PATIENCE)
    return {each.labels["pod"] for each in asked.samples("http_requests_total{}", 30, asked.now())}


def awaited(is_so: Callable[[], bool], told: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(0.1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with prometheus(tmp_path, free_port()) as server:
        made = World(server)
        try:
            yield made
        finally:
            for each in made.pods.values():
                each.stop()


def test_errors_births_and_restarts_are_counted_exactly(world: World) -> None:
    world.begin()
    assert world.counted.get(("http", CANARY), [0, 0]) == [0, 0]
    world.pods[CANARY].count("500", 3)
    world.pods[CANARY].count("503", 4, seconds=2.0)  # a series that is born late
    world.pods[STABLE].count("200", 20)
    world.await_truth()
    world.pods[CANARY].stop()
    world.pods[CANARY].start()  # more at once than before: the counts alone would hide the restart
    world.pods[CANARY].count("200", 500)
    world.pods[CANARY].count("500", 9, seconds=0.9)
    world.await_truth()
    world.add("web-new-ccccc", ("500", 5, 0.2)).count("200", 3)
    world.add("web-old-ccccc", ("200", 8, 0.2)).count("500", 1)
    world.await_truth()


def test_a_target_that_is_down_adds_nothing_and_loses_nothing(world: World) -> None:
    world.begin()
    hidden = world.pods.pop(CANARY)
    world.tell()
    awaited(lambda: stale(world), lambda: "the target is still there")
    world.look()
    assert world.counted.get(("http", CANARY), [0, 0]) == [0, 0]
    hidden.count("500", 6)
    world.pods[CANARY] = hidden
    world.tell()
    world.await_truth()


def test_canary_pods_that_hang_are_told_until_they_answer_again_or_are_gone(world: World) -> None:
    world.begin()
    others = ["web-new-bbbbb", "web-new-ccccc", "web-new-ddddd"]
    for pod in others:
        world.add(pod, ("200", 5, 0.2))
    world.await_truth()
    for pod in (*others, STABLE):
        world.pods[pod].stop()
    awaited(lambda: world.look().out_of_reach == tuple(others), lambda: "they were not missed")
    assert world.look().blind
    world.pods[others[0]].start()
    awaited(lambda: world.look().out_of_reach == tuple(others[1:]), lambda: "it answers again")
    for pod in others[1:]:
        del world.pods[pod]
    world.tell()
    awaited(lambda: not world.look().blind, lambda: "pods that are gone are waited for")


def stale(world: World) -> bool:
    """Whether no scrape of the last second shows the canary."""
    asked = PrometheusServer(world.server.url, timeout=PATIENCE)
    return CANARY not in {each.labels["pod"] for each in asked.samples("http_requests_total{}", 1, asked.now())}


def test_a_server_that_was_killed_loses_nothing_that_it_scrapes_later(world: World) -> None:
    world.begin()
    world.pods[CANARY].count("500", 3)
    world.await_truth()
    world.server.kill()
    with pytest.raises(CouldNotDecide) as raised:
        world.look()
    assert raised.value.code == "canary.prometheus_unavailable"
    world.pods[CANARY].count("503", 4)
    world.pods[STABLE].count("200", 50)
    world.server.start()
    world.await_truth()


def test_a_server_that_does_not_answer_is_left_and_asked_again(world: World) -> None:
    world.begin()
    world.server.halt()
    try:
        with pytest.raises(CouldNotDecide) as raised:
            world.look(timeout=0.5)
    finally:
        world.server.go_on()
    assert raised.value.code == "canary.prometheus_unavailable"
    world.pods[CANARY].count("500", 1)
    world.await_truth()


def test_a_counter_that_is_no_number_is_told_and_the_others_are_counted(world: World) -> None:
    world.begin()
    world.pods[STABLE].count("500", 1)
    world.await_truth()
    world.pods[CANARY].spoil()

    def told() -> bool:
        return any(each.pod == CANARY and "nan" in each.why for each in world.look().unusable)

    awaited(told, lambda: "NaN was not told")
    before = list(world.counted["http", CANARY])
    world.pods[CANARY].count("500", 3)
    world.pods[STABLE].count("500", 2)
    awaited(
        lambda: bool(world.look()) and world.counted["http", STABLE] == world.truth()["http", STABLE],
        lambda: "stable was not counted",
    )
    assert world.counted["http", CANARY] == before


def test_what_the_server_does_not_understand_is_told(world: World) -> None:
    wrong = source_of(CanaryMetric(name="m", bad='a_total{b=~"("}'), ROLLOUT)
    with pytest.raises(CouldNotDecide, match="bad_data") as raised:
        world.look(wrong)
    assert raised.value.code == "canary.query_refused"


def test_a_metric_that_is_not_there_is_no_data_and_no_pass(world: World) -> None:
    world.begin()
    reading = world.look(source_of(CanaryMetric(name="m", total="nothing_total", bad="none_total"), ROLLOUT))
    newest: dict[Side, float] = {}
    nothing: tuple[Increment, ...] = ()
    assert (reading.increments, reading.newest["m"]) == (nothing, newest)
