"""From ten lines of policy to a decision: samples are read, counted and judged, by processes that stop and go on."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from aegis.core.policy import CanaryPolicy, seconds
from aegis.core.policy_file import parse_policy
from aegis.gates.canary import judge
from aegis.gates.canary.check import check_policy
from aegis.gates.canary.judge import Judgement
from aegis.gates.canary.planned import plan_of
from aegis.gates.canary.samples.look import look
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from aegis.gates.canary.state import begin, resume, save
from tests.doubles.metrics_store import MetricsStore

POLICY = b"""version: 1
canary:
  prometheus: {url: "https://prometheus.example.com", scrape-interval: 10s}
  rollout: {namespace: shop, name: web}
  metrics:
    - {preset: http}
    - {preset: http-latency, slo: 0.5}
  spread: 0
  cluster: 1
  deadline: 10m
"""
T0 = 1_700_000_000.0
Told = dict[tuple[str, str], float]
LEVELS = (("0.1", 0.9), ("0.5", 0.09), ("1.0", 0.007), ("+Inf", 0.003))


@dataclass
class Pod:
    """It serves 25 requests a second."""

    name: str
    errors: float
    chance: random.Random
    codes: dict[str, int] = field(default_factory=lambda: {"200": 1000})
    durations: dict[str, int] = field(default_factory=lambda: {edge: 1000 for edge, _ in LEVELS})

    def live(self) -> None:
        for _ in range(250):
            code = "500" if self.chance.random() < self.errors else "200"
            self.codes[code] = self.codes.get(code, 0) + 1
            took, sum_ = self.chance.random(), 0.0
            for edge, share in LEVELS:
                sum_ += share
                self.durations[edge] += took < sum_ or edge == "+Inf"

    def exposition(self) -> Told:
        told = {("http_requests_total", f'code="{code}"'): float(count) for code, count in self.codes.items()}
        for edge, count in self.durations.items():
            told["http_request_duration_seconds_bucket", f'le="{edge}"'] = float(count)
        return told


UP = ("up", "")
"""What Prometheus itself says of each scrape."""
HUNG: Told = {UP: 0.0}
GONE: Told = {}


def judged(
    canary: float,
    spoiled: Callable[[Told], Told] = lambda told: told,
    *,
    more: int = 0,
    scraped: Callable[[int, Told], Told] = lambda _, told: told,
) -> Judgement:
    """Watch until there is a decision. Every tenth look is of another process, which knows what was kept.

    `more`: further pods of the canary; `scraped`: what each number of a scrape gives of them.
    """
    policy: CanaryPolicy | None = parse_policy(POLICY, file="aegis.yml").policy.canary
    assert policy is not None
    check_policy(policy, file="aegis.yml")
    plan, sources = plan_of(policy, first=False), [source_of(each, policy.rollout) for each in policy.metrics]
    scope = Scope(policy.rollout.namespace, Hashes(policy.rollout.name, "new", "old"))
    store, counters, state = MetricsStore(), Counters(), begin(plan, "shop/web@new", T0)
    pods = [Pod("web-new-00000", canary, random.Random(0))]
    others = [Pod(f"web-new-0000{9 - number}", canary, random.Random(9 - number)) for number in range(more)]
    pods += others
    pods += [Pod(f"web-old-0000{number}", 0.005, random.Random(number)) for number in range(1, 5)]
    for number in range(70):
        for offset, pod in enumerate(pods):
            pod.live()
            labels = {"namespace": "shop", "pod": pod.name, "job": "web", "instance": f"{pod.name}:80"}
            told = pod.exposition() | {UP: 1.0}
            told = spoiled(told) if pod.name == "web-new-00000" else told
            store.scrape(labels, scraped(number, told) if pod in others else told, T0 + 10 * number + offset)
        store.clock = T0 + 10 * number + 9
        reading = look(
            store,
            sources,
            starts_of(policy.rollout),
            scope,
            counters,
            scrape_interval=seconds(policy.prometheus.scrape_interval),
        )
        judgement = judge.look(state, plan, reading.increments, reading.time, blind=reading.blind)
        if judgement.decision != "continue":
            return judgement
        if number % 10 == 9:
            counters = Counters.load(json.loads(json.dumps(counters.dump())))
            state = resume(plan, "shop/web@new", save(state))
    raise AssertionError("no decision")


def test_a_canary_with_five_times_the_errors_is_aborted() -> None:
    judgement = judged(0.025)
    assert (judgement.decision, judgement.culprits[0]) == ("abort", ("http", "worse than stable"))
    assert judgement.time - T0 < 300


def test_a_good_canary_is_promoted() -> None:
    judgement = judged(0.005)
    assert judgement.decision == "promote"


@pytest.mark.parametrize("code", ["200", "500"])
def test_a_canary_whose_counts_are_no_numbers_is_never_promoted(code: str) -> None:
    judgement = judged(0.025, lambda told: told | {("http_requests_total", f'code="{code}"'): math.nan})
    assert (judgement.decision, judgement.reason) == ("inconclusive", "canary.no_data")


def test_a_pod_that_cannot_be_counted_keeps_the_others_from_being_promoted_and_not_from_being_aborted() -> None:
    spoiled = {("http_requests_total", 'code="500"'): math.nan}
    assert judged(0.005, lambda told: told | spoiled, more=1).decision == "inconclusive"
    assert judged(0.05, lambda told: told | spoiled, more=1).decision == "abort"


def test_a_canary_whose_errors_have_another_label_is_never_promoted() -> None:
    def renamed(told: Told) -> Told:
        return {(name, labels.replace("code=", "result=")): value for (name, labels), value in told.items()}

    judgement = judged(0.025, renamed)
    assert (judgement.decision, judgement.reason) == ("inconclusive", "canary.no_data")


@pytest.mark.parametrize("since", [0, 4], ids=["never scraped", "scraped at first"])
def test_canary_pods_that_hang_keep_the_one_that_does_not_from_being_promoted(since: int) -> None:
    """They answer nobody, so all that is counted is what the one that is well did."""
    judgement = judged(0.005, more=3, scraped=lambda number, told: told if number < since else HUNG)
    assert (judgement.decision, judgement.reason) == ("inconclusive", "canary.no_data")


def test_canary_pods_that_hang_keep_the_one_that_is_worse_from_nothing() -> None:
    judgement = judged(0.05, more=3, scraped=lambda number, told: told if number < 4 else HUNG)
    assert judgement.decision == "abort"


@pytest.mark.parametrize(
    "scraped",
    [
        lambda number, told: told if number < 4 else GONE,
        lambda number, told: told if number < 4 else HUNG if number == 4 else GONE,
        lambda number, told: told if number >= 4 else GONE,
        lambda number, told: told if number >= 6 else HUNG if number >= 3 else GONE,
        lambda number, told: HUNG if number in {4, 5, 6} else told,
        lambda number, told: HUNG if number % 3 == 0 else told,
    ],
    ids=["scaled down", "down as it ends", "scaled up", "slow to start", "restarted", "missed again and again"],
)
def test_pods_that_come_and_go_and_scrapes_that_are_missed_keep_nothing(
    scraped: Callable[[int, Told], Told],
) -> None:
    assert judged(0.005, more=3, scraped=scraped).decision == "promote"
