"""A history that was written into a real Prometheus, replayed look by look: every count is the one that was written."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from aegis.adapters.prometheus.server import PrometheusServer
from aegis.core.policy import CanaryMetric, Rollout
from aegis.core.ports.metrics import Series
from aegis.gates.canary.samples.look import OVERLAP, look
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import source_of, starts_of
from aegis.gates.canary.samples.spelling import never_matched
from aegis.gates.canary.samples.state import Counters
from tests.support.canary.prometheus import backfill, prometheus
from tests.support.network.ports import free_port

ROLLOUT = Rollout(namespace="shop", name="web")
BEGIN = 1_750_000_000
SCRAPE = 10
SCRAPES = 180
WATCH = 30
"""The scrape at which the watch begins."""
EDGES = ("0.1", "0.5", "1.0", "+Inf")
SOURCES = [
    source_of(CanaryMetric(preset="http"), ROLLOUT),
    source_of(CanaryMetric(preset="http-latency", slo=0.5), ROLLOUT),
]


class Replayed:
    """The store as it was at a time."""

    def __init__(self, server: PrometheusServer) -> None:
        self.server, self.at = server, 0.0

    def now(self) -> float:
        return self.at

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        return self.server.samples(selector, window, at)


@dataclass
class Pod:
    """One pod's counters, its restarts, and what scrapes showed of it during the watch."""

    name: str
    born: int
    chance: random.Random
    codes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: list[int] = field(default_factory=lambda: [0] * len(EDGES))
    start: float = 0.0
    shown: tuple[int, int, int] = (0, 0, 0)
    truth: list[int] = field(default_factory=lambda: [0, 0, 0])
    known: bool = False

    def live(self, number: int, time: float, rate: float) -> None:
        if number == self.born or (number > self.born and self.chance.random() < 0.03):
            self.codes.clear()
            self.seconds = [0] * len(EDGES)
            self.start = time - 3 if number else BEGIN - 86_400
            self.shown = (0, 0, 0)
        for _ in range(self.chance.randrange(60)):
            self.codes["500" if self.chance.random() < rate else "200"] += 1
            self.seconds[self.chance.choices(range(len(EDGES)), (80, 15, 4, 1))[0]] += 1
        now = (sum(self.codes.values()), self.codes.get("500", 0), sum(self.seconds[2:]))
        if number > WATCH - OVERLAP:
            # the first of the scrapes that the first look reads is where counting begins, but of a new pod
            if self.known or self.born:
                for index, (mine, before) in enumerate(zip(now, self.shown, strict=True)):
                    self.truth[index] += mine - before
            self.known = True
        self.shown = now

    def samples(self, time: float) -> list[tuple[str, str]]:
        labels = f'namespace="shop",pod="{self.name}",job="web",instance="{self.name}:80"'
        told = [
            (f'http_requests_total{{{labels},code="{code}"}}', f"{count} {time}") for code, count in self.codes.items()
        ]
        told += [
            (
                f'http_request_duration_seconds_bucket{{{labels},le="{edge}"}}',
                f"{sum(self.seconds[: index + 1])} {time}",
            )
            for index, edge in enumerate(EDGES)
        ]
        return [*told, (f"process_start_time_seconds{{{labels}}}", f"{self.start} {time}")]


def lived() -> tuple[list[Pod], str]:
    """Six pods of half an hour, two of which begin during the watch; and their exposition with times."""
    chance = random.Random(7)
    pods = [
        Pod(f"web-{hash_}-{number:05}", born, random.Random(number))
        for number, (hash_, born) in enumerate(
            (("old", 0), ("old", 0), ("old", 0), ("new", 0), ("new", 60), ("old", 90))
        )
    ]
    series: dict[str, list[str]] = defaultdict(list)
    for number in range(SCRAPES):
        for offset, pod in enumerate(pods):
            time = BEGIN + number * SCRAPE + offset + 0.125
            if number < pod.born or chance.random() < 0.05:
                continue  # not there yet, or a scrape that failed
            pod.live(number, time, 0.05 if "new" in pod.name else 0.01)
            for name, sample in pod.samples(time):
                series[name].append(sample)
    families = {"http_requests": "counter", "http_request_duration_seconds": "histogram"}
    lines = []
    for family, kind in {**families, "process_start_time_seconds": "gauge"}.items():
        lines.append(f"# TYPE {family} {kind}")
        for name in series:
            if name.startswith(family + ("_" if kind != "gauge" else "{")):
                lines += [f"{name} {sample}" for sample in series[name]]
    return pods, "\n".join([*lines, "# EOF", ""])


def test_a_replayed_history_is_counted_exactly(tmp_path: Path) -> None:
    pods, exposition = lived()
    backfill(tmp_path, exposition)
    counted: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    with prometheus(tmp_path, free_port()) as server:
        store, counters = Replayed(PrometheusServer(server.url, timeout=120)), Counters()
        scope = Scope("shop", Hashes("web", "new", "old"))
        for number in (*range(WATCH, SCRAPES - 1, 3), SCRAPES - 1):
            store.at = BEGIN + number * SCRAPE + 9.0
            reading = look(store, SOURCES, starts_of(ROLLOUT), scope, counters, scrape_interval=SCRAPE)
            assert reading.unusable == ()
            for each in reading.increments:
                counted[each.metric, each.pod][0] += each.exposure
                counted[each.metric, each.pod][1] += each.bad[0]
    for pod in pods:
        requests, errors, slow = pod.truth
        assert counted["http", pod.name] == [requests, errors]
        assert counted["http-latency", pod.name] == [requests, slow]


def test_what_labels_were_days_ago_shows_a_value_that_is_misspelt(tmp_path: Path) -> None:
    days_ago, now = BEGIN, BEGIN + 2 * 86_400
    shown = [("web-older-ccccc", days_ago, "200"), ("web-older-ccccc", days_ago, "500"), ("web-old-bbbbb", now, "200")]
    lines = [
        f'http_requests_total{{namespace="shop",pod="{pod}",job="web",code="{code}"}} {number} {time + 10 * number}'
        for pod, time, code in shown
        for number in range(6)
    ]
    backfill(tmp_path, "\n".join(["# TYPE http_requests counter", *lines, "# EOF", ""]))
    wrong = CanaryMetric(name="m", total="http_requests_total", bad='http_requests_total{code="5xx"}')
    with prometheus(tmp_path, free_port()) as server:
        store = Replayed(PrometheusServer(server.url, timeout=120))
        store.at = now + 55.0
        scope = Scope("shop", Hashes("web", "old", None))
        source = source_of(wrong, ROLLOUT)
        reading = look(store, [source], starts_of(ROLLOUT), scope, Counters(), scrape_interval=SCRAPE)
        here = 'code has the values 200; no series has code="5xx"'
        assert (reading.unusable, reading.notices) == ((), (f"m: no series of bad events yet ({here})",))
        told = never_matched(store, source, ROLLOUT, window=2 * SCRAPE, at=store.at)
        assert told == 'code has the values 200, 500; no series has code="5xx"'
        assert never_matched(store, SOURCES[0], ROLLOUT, window=2 * SCRAPE, at=store.at) == ""
