"""A service that does not exist, with a policy's metrics: counters that grow by chance, told as Prometheus tells them.

It answers the queries of `samples.look`, so that all of the judge is at work on them.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aegis.core.ports.metrics import Series
from aegis.gates.canary.increment import Side
from aegis.gates.canary.samples.selectors import Selector
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import Source

START: Final = 1_700_000_000.0
"""Unix seconds; a simulation has no time of its own."""
CANARY, STABLE = "5d8f7c9b64", "7c6b5d4f89"
"""Hashes of the two versions."""
RESTARTS: Final = 1 / 3600
"""Of a pod, a second, while nothing is wrong: for metrics that are counted per time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is true of the service."""

    requests: float = 100.0
    """A second, of both versions together."""
    share: float = 0.1
    """The canary's part of them."""
    rate: float = 0.01
    """Bad ones among requests, while nothing is wrong."""
    ratio: float = 1.0
    """The canary's rate to stable's, in every metric that is counted in bad events."""
    pods: tuple[int, int] = (1, 4)
    """Of canary and stable."""
    seed: int = 1
    """Of chance."""


@dataclass(slots=True)
class _Counter:
    """One series of one pod."""

    queries: tuple[str, ...]
    """The queries that select it."""
    labels: dict[str, str]
    rate: float
    """Mean growth a second."""
    timed: bool = False
    """It grows by time, whatever the requests."""
    value: int = 0
    samples: list[tuple[float, float]] = field(default_factory=list)


class SimulatedService:
    """Fulfils `aegis.core.ports.metrics.Metrics`. Stable runs alone at first; the canary is there from `deploy`."""

    def __init__(self, sources: Sequence[Source], namespace: str, rollout: str, scenario: Scenario) -> None:
        """Its metrics are those of `sources`."""
        self.scope = Scope(namespace, Hashes(rollout, CANARY, STABLE))
        self._rollout, self._scenario, self._sources = rollout, scenario, sources
        self._chance, self._clock = random.Random(scenario.seed), START  # noqa: S311 - a simulation, no secret
        self._pods = self._started("stable", STABLE, scenario.pods[1], 1.0)

    def deploy(self) -> None:
        """The canary takes its share of requests from now on."""
        scenario = self._scenario
        for counters in self._pods:
            for counter in counters:
                counter.rate *= 1.0 if counter.timed else 1 - scenario.share
        self._pods += self._started("canary", CANARY, scenario.pods[0], scenario.share)

    def live(self, seconds: float) -> None:
        """Let time pass."""
        self._clock += seconds
        for counters in self._pods:
            for counter in counters:
                counter.value += _poisson(self._chance, counter.rate * seconds)

    def scrape(self) -> None:
        """Note what all counters say now."""
        for counters in self._pods:
            below = 0
            for counter in counters:
                # a bucket holds those of the smaller ones too
                below = below + counter.value if "le" in counter.labels else counter.value
                counter.samples.append((self._clock, float(below)))

    def now(self) -> float:
        """The time of the simulation."""
        return self._clock

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """Of one of the queries that the sources make; of any other nothing."""
        found = []
        for counter in (each for counters in self._pods for each in counters if selector in each.queries):
            first = bisect_left(counter.samples, (at - window, -math.inf))
            if inside := tuple(counter.samples[first:]):
                found.append(Series(counter.labels, inside))
        return tuple(found)

    def _started(self, side: Side, hash_: str, count: int, share: float) -> list[list[_Counter]]:
        """Pods, each with the series of all metrics; what several metrics are counted from is there once."""
        pods = []
        for number in range(count):
            name = f"{self._rollout}-{hash_}-{number:05d}"
            told: set[str] = set()
            for source in self._sources:
                pods.append(self._counters(source, side, name, hash_, share / count, told))
        return pods

    def _counters(
        self, source: Source, side: Side, pod: str, hash_: str, share: float, told: set[str]
    ) -> list[_Counter]:
        """The series of one metric of one pod; of a histogram in the order of its edges."""
        scenario, scope = self._scenario, self.scope.matchers(source)
        bare = {
            source.namespace_label: self.scope.namespace,
            source.pod_label: pod,
            "job": "simulated",
            "instance": pod,
        }
        if source.hash_label is not None:
            bare[source.hash_label] = hash_
        worse = scenario.ratio if side == "canary" else 1.0
        requests, rate = scenario.requests * share, min(1.0, scenario.rate * worse)
        if source.buckets is not None:
            query = source.buckets.query(scope)
            edges = ((f"{source.slo:g}", 1 - rate), (f"{2 * source.slo:g}", rate / 2), ("+Inf", rate / 2))
            named = {**bare, "__name__": source.buckets.name}
            return [_Counter((query,), {**named, "le": edge}, requests * part) for edge, part in edges]
        bad = tuple(each.query(scope) for each in source.bad)
        if source.total is None:
            return [_Counter(bad, {**bare, "__name__": source.bad[0].name}, RESTARTS * worse, timed=True)]
        total = source.total.query(scope)
        found = []
        if total not in told:
            told.add(total)
            found.append(_Counter((total,), _labelled(source, source.total, bare, "good"), requests * (1 - rate)))
        if total not in bad:
            same = source.bad[0].name == source.total.name
            queries = (total, *bad) if same else bad
            kind = f"bad of {source.metric}"
            found.append(_Counter(queries, _labelled(source, source.bad[0], bare, kind), requests * rate))
        return found


def _labelled(source: Source, selector: Selector, bare: Mapping[str, str], kind: str) -> dict[str, str]:
    """With the labels that tell bad events from others; what they say is of no matter here."""
    known = frozenset() if source.total is None else source.total.labels
    telling = frozenset().union(*(each.labels for each in source.bad)) - known
    return {**bare, **dict.fromkeys(sorted(telling) or ["kind"], kind), "__name__": selector.name}


def _poisson(chance: random.Random, mean: float) -> int:
    """A count with this mean (Knuth; of many, the normal approximation)."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
