from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest
from msgspec import structs

from aegis.core.errors import UsageError
from aegis.core.policy import CanaryMetric, CanaryPolicy, Preset, Prometheus, Rollout
from aegis.gates.canary.check import check_policy
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.planned import kind_of, plan_of

SHORT = CanaryPolicy(
    prometheus=Prometheus(url="https://prometheus.example.com"),
    rollout=Rollout(namespace="shop", name="web"),
    metrics=(CanaryMetric(preset="http"),),
)


def test_the_policys_defaults_are_the_plans() -> None:
    assert replace(plan_of(SHORT, first=False), question="") == Plan(
        metrics=(MetricPlan(name="http", floor=0.001),), no_data_after=150
    )


def test_everything_that_a_policy_says_is_in_the_plan() -> None:
    policy = CanaryPolicy(
        prometheus=Prometheus(url="https://prometheus.example.com", scrape_interval="5s"),
        rollout=SHORT.rollout,
        metrics=(
            CanaryMetric(
                name="slow",
                histogram="a_bucket",
                slo=0.5,
                weight=3.0,
                critical=False,
                tolerated=1.2,
                floor=0.01,
                ceiling=0.5,
                ceiling_window="5m",
            ),
            CanaryMetric(name="orders", total="a", bad='a{b="c"}', direction="decrease"),
            CanaryMetric(name="traffic", total="a", tolerated=1.4),
            CanaryMetric(preset="restarts"),
        ),
        alpha=0.02,
        beta=0.1,
        margin=1.5,
        interval="20s",
        warm_up="30s",
        deadline="2h",
        at_deadline="abort",
        no_data="abort",
        min_bad_events=5,
        spread=0.2,
        cluster=4.0,
    )
    check_policy(policy, file="aegis.yml")
    same = partial(MetricPlan, margin=1.5, spread=0.2, cluster=4.0)
    assert replace(plan_of(policy, first=False), question="") == Plan(
        metrics=(
            same(
                name="slow",
                kind="latency",
                weight=3.0,
                critical=False,
                tolerated=1.2,
                floor=0.01,
                ceiling=0.5,
                window=300.0,
            ),
            same(name="orders", direction="decrease"),
            same(name="traffic", kind="share", direction="either", critical=False, tolerated=1.4, margin=2.8),
            same(name="restarts", kind="pace", critical=False),
        ),
        alpha=0.02,
        beta=0.1,
        interval=20,
        warm_up=30,
        deadline=7200,
        at_deadline="abort",
        no_data="abort",
        no_data_after=60,
        min_bad_events=5,
    )


@pytest.mark.parametrize(
    ("keys", "defaults"),
    [
        ({"preset": "http"}, (True, 1.0, 0.001)),
        ({"preset": "http-latency", "slo": 1.0}, (True, 1.0, 0.001)),
        ({"name": "m", "total": "a", "bad": "b", "direction": "decrease"}, (True, 1.0, 0.0)),
        ({"preset": "restarts"}, (False, 1.0, 0.0)),
        ({"name": "m", "total": "a"}, (False, 1.5, 0.0)),
        ({"preset": "restarts", "critical": True, "floor": 0.01, "tolerated": 1.2}, (True, 1.2, 0.01)),
    ],
)
def test_defaults_are_by_kind(keys: Any, defaults: tuple[bool, float, float]) -> None:
    policy = structs.replace(SHORT, metrics=(*SHORT.metrics, CanaryMetric(**keys | {"name": "m"})))
    metric = plan_of(policy, first=False).metrics[1]
    assert (metric.critical, metric.tolerated, metric.floor) == defaults


def test_each_preset_is_of_a_kind() -> None:
    kinds = {preset: kind_of(CanaryMetric(preset=preset, slo=1.0), SHORT) for preset in get_args(Preset)}
    assert {preset for preset, kind in kinds.items() if kind == "latency"} == {
        "http-latency", "otel-http-latency", "grpc-latency", "aegis-latency"
    }  # fmt: skip
    assert {preset for preset, kind in kinds.items() if kind == "events"} == {"http", "otel-http", "grpc", "aegis"}
    assert kinds["restarts"] == "pace"


def test_a_first_version_needs_a_ceiling() -> None:
    with pytest.raises(UsageError) as raised:
        plan_of(SHORT, first=True)
    assert raised.value.code == "canary.plan_invalid"
    ceiling = structs.replace(SHORT, metrics=(CanaryMetric(preset="http", ceiling=0.05),))
    assert plan_of(ceiling, first=True).first


def test_pauses_are_ended_one_by_one_only_where_the_policy_says_so() -> None:
    steps = structs.replace(SHORT, promote="steps")
    assert plan_of(SHORT, first=False, pauses=3).steps == 0
    assert plan_of(steps, first=False, pauses=3).steps == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": (CanaryMetric(preset="http", match='job="x"'),)},
        {"metrics": (CanaryMetric(name="http", total="a_total", bad="b_total"),)},
        {"metrics": (CanaryMetric(preset="http", pod_label="exported_pod"),)},
        {"prometheus": Prometheus(url="https://another.example.com")},
        {"prometheus": Prometheus(url="https://prometheus.example.com", tenant="b")},
        {"rollout": Rollout(namespace="shop", name="web", hash_label="hash")},
    ],
    ids=range(6),
)
def test_evidence_about_another_question_is_of_another_plan(changes: dict[str, Any]) -> None:
    before, after = plan_of(SHORT, first=False), plan_of(structs.replace(SHORT, **changes), first=False)
    assert before.question != after.question
    assert before.digest() != after.digest()
    assert plan_of(structs.replace(SHORT), first=False).digest() == before.digest()
