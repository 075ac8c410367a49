"""Counts beside the truth of simulated exporters: exact, whatever is restarted, born, missed or looked at late."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.samples.counters import START_JITTER
from aegis.gates.canary.samples.look import look
from aegis.gates.canary.samples.selectors import parse_selector
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import Source
from aegis.gates.canary.samples.state import Counters
from tests.doubles.metrics_store import MetricsStore

INTERVAL = 10
BEGIN = 1_700_000_000.0
EDGES = (0.1, 0.5, 1.0, math.inf)
SCOPE = Scope("shop", Hashes("web", "new", "old"))


def source(metric: str, *, total: str = "", bad: str = "", buckets: str = "", slo: float = 0.0) -> Source:
    return Source(
        metric=metric,
        namespace_label="namespace",
        pod_label="pod",
        hash_label=None,
        total=parse_selector(total, where="test") if total else None,
        bad=(parse_selector(bad, where="test"),) if bad else (),
        buckets=parse_selector(buckets, where="test") if buckets else None,
        slo=slo,
    )


ERRORS = source("errors", total="http_requests_total", bad='http_requests_total{code=~"5.."}')
SLOW = source("slow", buckets="seconds_bucket", slo=0.4)
STARTS = source("starts", total="process_start_time_seconds")


@dataclass
class Process:
    """What an exporter of one process knows. Counters of a label appear with its first event."""

    start: float
    codes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: list[int] = field(default_factory=lambda: [0] * len(EDGES))

    def request(self, code: str, bucket: int) -> None:
        self.codes[code] += 1
        self.seconds[bucket] += 1

    def exposition(self, *, tells_start: bool) -> dict[tuple[str, str], float]:
        told: dict[tuple[str, str], float] = {
            ("http_requests_total", f'code="{code}"'): float(count) for code, count in self.codes.items()
        }
        for number, edge in enumerate(EDGES):
            le = "+Inf" if edge == math.inf else str(edge)
            told[("seconds_bucket", f'le="{le}"')] = float(sum(self.seconds[: number + 1]))
        if tells_start:
            told[("process_start_time_seconds", "")] = self.start
        return told


@dataclass(frozen=True)
class Step:
    """One scrape interval of one pod."""

    before: tuple[tuple[str, int], ...]
    """Requests (code, bucket), then perhaps a restart, then more requests."""
    restarts: bool
    after: tuple[tuple[str, int], ...]
    scraped: bool


@dataclass(frozen=True)
class Life:
    """One pod."""

    name: str
    born: int
    """The step with which it begins; below 0: long before."""
    steps: tuple[Step, ...]


STEADY = 14


def lives(chance: random.Random) -> list[Life]:
    """One to four pods; a fifth of the steps have a restart, and a fifth no scrape."""

    def requests() -> tuple[tuple[str, int], ...]:
        codes = chance.choices(["200", "404", "500", "503"], k=chance.randrange(5))
        return tuple((code, chance.randrange(len(EDGES))) for code in codes)

    def step() -> Step:
        return Step(requests(), chance.random() < 0.2, requests(), chance.random() < 0.8)

    hashes = chance.choices(["new", "old"], k=chance.randint(1, 4))
    return [
        Life(f"web-{hash_}-{number:05}", chance.choice([-1, -1, 6, 9]), tuple(step() for _ in range(STEADY)))
        for number, hash_ in enumerate(hashes)
    ]


def looks(chance: random.Random) -> list[str]:
    """How each step is looked at."""
    return chance.choices(["none", "look", "down", "middle", "twice"], k=STEADY)


FIRST_LOOK = 2
"""The step after which the watch begins: two scrapes were there before."""
WATCH = BEGIN + FIRST_LOOK * INTERVAL + 5


@dataclass
class Truth:
    """What scrapes have shown of one pod since the watch could know it: no way of counting could know more."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    before: int = 0
    """Requests of the first scrape that showed any."""
    hidden: int = 0
    """Requests of processes that have ended: what a counter that passes its earlier value hides at most."""


class Fleet:
    """Lives that are lived, scraped into a store, and summed up."""

    def __init__(self, store: MetricsStore, told: Sequence[Life], *, tells_start: bool) -> None:
        self.store, self.told, self.tells_start = store, told, tells_start
        self.truth: dict[str, Truth] = {}
        self._processes: dict[str, Process] = {}
        self._shown: dict[str, tuple[int, int, int]] = {}

    def live(self, number: int, some: slice) -> None:
        """One step of some of the pods, each up to its scrape."""
        for index, life in list(enumerate(self.told))[some]:
            if number >= life.born:
                self._step(life, life.steps[number], BEGIN + number * INTERVAL + index)

    def _step(self, life: Life, step: Step, time: float) -> None:
        if life.name not in self._processes:
            process = self._processes[life.name] = Process(time - 7 if life.born >= 0 else BEGIN - 86_400)
            for code in ("200", "500") * (life.born < 0):
                process.request(code, 3)
        for request in step.before:
            self._processes[life.name].request(*request)
        if step.restarts:
            if life.name in self._shown:
                self.truth[life.name].hidden += self._shown[life.name][0]
                self._shown[life.name] = (0, 0, 0)
            self._processes[life.name] = Process(time - 4)
        for request in step.after:
            self._processes[life.name].request(*request)
        if step.scraped:
            self._scrape(life, self._processes[life.name], time)

    def _scrape(self, life: Life, process: Process, time: float) -> None:
        labels = {"namespace": "shop", "pod": life.name, "job": "web", "instance": f"{life.name}:80"}
        self.store.scrape(labels, process.exposition(tells_start=self.tells_start), time)
        errors = sum(count for code, count in process.codes.items() if code[0] == "5")
        now = (sum(process.codes.values()), errors, sum(process.seconds[2:]))
        if life.name not in self.truth:
            # what a process counted before the watch is no business of it
            self._shown[life.name] = (0, 0, 0) if process.start > WATCH - START_JITTER else now
            self.truth[life.name] = Truth(before=now[0])
        truth, shown = self.truth[life.name], self._shown[life.name]
        truth.before = truth.before or now[0]
        truth.requests += now[0] - shown[0]
        truth.errors += now[1] - shown[1]
        truth.slow += now[2] - shown[2]
        self._shown[life.name] = now


def watched(told: list[Life], hows: Sequence[str], *, tells_start: bool) -> tuple[Fleet, list[Increment]]:
    """Look as `hows` says: not at all, with success, in vain, before all of a scrape is there, or twice at once."""
    store = MetricsStore()
    fleet = Fleet(store, told, tells_start=tells_start)
    counters = Counters()
    increments: list[Increment] = []
    for number in range(STEADY):
        how = "look" if number in {FIRST_LOOK, STEADY - 1} else "none" if number < FIRST_LOOK else hows[number]
        early = 1 if how == "middle" else len(told)
        fleet.live(number, slice(early))
        store.clock, store.down = BEGIN + number * INTERVAL + 5, how == "down"
        for _ in range({"none": 0, "twice": 2}.get(how, 1)):
            if store.down:
                with pytest.raises(CouldNotDecide):
                    look(store, [ERRORS, SLOW], STARTS, SCOPE, counters, scrape_interval=INTERVAL)
                continue
            reading = look(store, [ERRORS, SLOW], STARTS, SCOPE, counters, scrape_interval=INTERVAL)
            assert not (reading.unusable and tells_start)
            increments += reading.increments
            # each look is of another process, which knows what was kept
            counters = Counters.load(json.loads(json.dumps(counters.dump())))
        fleet.live(number, slice(early, None))
        if number == STEADY - 1 and how == "look":
            break
    return fleet, increments


def summed(increments: list[Increment], metric: str) -> dict[str, tuple[float, float]]:
    """Pod → exposure and bad events."""
    found: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for each in increments:
        if each.metric == metric:
            exposure, bad = found[each.pod]
            found[each.pod] = (exposure + each.exposure, bad + each.bad[0])
    return found


def both_sides_were_there(told: list[Life]) -> bool:
    """Whether the first look found histograms of both sides, which tell it the edges that both have."""
    early = {life.name[4:7] for life in told if life.born < 0 and any(step.scraped for step in life.steps[:3])}
    return early == {"new", "old"}


SEEDS = st.integers(0, 2**32)


@settings(max_examples=60)
@given(SEEDS)
@example(5_167_172)  # a scrape without any request yet, and then none for longer than a look reads back
def test_what_is_counted_is_what_happened(seed: int) -> None:
    chance = random.Random(seed)
    told = lives(chance)
    fleet, increments = watched(told, looks(chance), tells_start=True)
    errors, slow = summed(increments, "errors"), summed(increments, "slow")
    for name, truth in fleet.truth.items():
        assert errors[name] == (truth.requests, truth.errors)
        if both_sides_were_there(told):
            assert slow[name] == (truth.requests, truth.slow)
        else:  # what was before both sides told their edges cannot be judged
            assert slow[name][0] <= truth.requests
            assert slow[name][1] <= truth.slow


@settings(max_examples=60)
@given(SEEDS)
def test_without_starts_nothing_is_counted_that_did_not_happen(seed: int) -> None:
    chance = random.Random(seed)
    told = lives(chance)
    fleet, increments = watched(told, looks(chance), tells_start=False)
    errors = summed(increments, "errors")
    for name, truth in fleet.truth.items():
        requests, bad = errors[name]
        assert truth.requests - truth.before - truth.hidden <= requests <= truth.requests + truth.before
        assert bad <= requests


@settings(max_examples=40)
@given(SEEDS)
def test_a_scrape_is_counted_once(seed: int) -> None:
    chance = random.Random(seed)
    _, increments = watched(lives(chance), looks(chance), tells_start=True)
    once = [(each.metric, each.pod, each.time) for each in increments]
    assert len(once) == len(set(once))
    last: dict[tuple[str, str], float] = {}
    for each in increments:
        assert each.time > last.get((each.metric, each.pod), 0.0)
        last[each.metric, each.pod] = each.time
        assert min(each.exposure, *each.bad) >= 0
        assert each.side == {"new": "canary", "old": "stable"}[each.pod[4:7]]
