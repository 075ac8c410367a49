from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from aegis.core.errors import UsageError
from aegis.core.policy import CanaryMetric, CanaryPolicy, Prometheus, Rollout, seconds
from aegis.core.policy_file import parse_policy
from aegis.gates.canary.check import check_policy

SERVER = Prometheus(url="https://prometheus.example.com")
GOOD = CanaryPolicy(
    prometheus=SERVER, rollout=Rollout(namespace="shop", name="web"), metrics=(CanaryMetric(preset="http"),)
)
TEN_LINES = b"""version: 1
canary:
  prometheus:
    url: https://prometheus.example.com
  rollout:
    namespace: shop
    name: checkout
  metrics:
    - preset: http
    - {preset: http-latency, slo: 0.5}
"""


def with_metric(**keys: Any) -> CanaryPolicy:
    return structs.replace(GOOD, metrics=(CanaryMetric(**keys),))


@pytest.mark.parametrize(
    "metric", [{"name": "m", "total": "a"}, {"preset": "restarts"}, {"preset": "http", "critical": False}]
)
def test_something_must_speak_for_a_promotion(metric: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no metric that could promote") as raised:
        check_policy(with_metric(**metric), file="aegis.yml")
    assert raised.value.code == "canary.plan_invalid"


def test_ten_lines_are_enough() -> None:
    assert TEN_LINES.count(b"\n") == 10
    policy = parse_policy(TEN_LINES, file="aegis.yml").policy.canary
    assert policy is not None
    check_policy(policy, file="aegis.yml")
    assert (policy.alpha, policy.beta, policy.margin) == (0.01, 0.05, 2.0)
    assert (policy.at_deadline, policy.no_data) == ("hold", "hold")


@pytest.mark.parametrize(
    "policy",
    [
        with_metric(name="m", total="a", bad='a{code="500"}'),
        structs.replace(GOOD, metrics=(*GOOD.metrics, CanaryMetric(name="m", bad="oom_total"))),
        structs.replace(
            GOOD, prometheus=structs.replace(SERVER, via="api-server", url="http://prometheus.monitoring.svc:9090/x")
        ),
        with_metric(name="m", histogram="a_bucket", slo=0.5, floor=0.01, ceiling=0.02),
        structs.replace(GOOD, metrics=(*GOOD.metrics, CanaryMetric(name="traffic", total="a")), margin=1.2),
        structs.replace(GOOD, prometheus=structs.replace(SERVER, bearer_env="PROMETHEUS_TOKEN", tenant="a")),
    ],
)
def test_what_says_one_way_to_count_is_taken(policy: CanaryPolicy) -> None:
    check_policy(policy, file="aegis.yml")


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (structs.replace(GOOD, metrics=()), "metrics is empty"),
        (with_metric(total="a", bad="b"), "neither a name nor a preset"),
        (structs.replace(GOOD, metrics=GOOD.metrics * 2), "'http' stands 2 times"),
        (with_metric(name="m"), "not just one way"),
        (with_metric(preset="http", bad="b"), "not just one way"),
        (with_metric(preset="http", histogram="a_bucket", slo=1.0), "not just one way"),
        (with_metric(name="m", total="a", histogram="a_bucket", slo=1.0), "not just one way"),
        (with_metric(name="m", total="a", bad="b", match='c="d"'), "`match` without a preset"),
        (with_metric(name="m", histogram="a_bucket"), "has no slo"),
        (with_metric(preset="http-latency"), "has no slo"),
        (with_metric(preset="http", slo=1.0), "an slo, and no histogram"),
        (with_metric(name="m", total="a", bad="a"), "counts every event as bad"),
        (with_metric(name="m", total="a_bucket", bad="b"), "has 'a_bucket' as total"),
        (with_metric(name="m", total="a", bad='a_bucket{le="1"}'), "has 'a_bucket' as bad"),
        (with_metric(name="m", histogram="a_count", slo=1.0), "has 'a_count' as histogram"),
        (with_metric(preset="http", tolerated=2.0), "tolerates 2 times, and canary.margin is 2"),
        (with_metric(preset="http", floor=0.1, ceiling=0.1), "the ceiling 0.1 and the floor 0.1"),
        (with_metric(preset="http", direction="decrease", floor=0.1), "floor or a ceiling, and the direction decrease"),
        (with_metric(preset="http", direction="either", ceiling=0.1), "floor or a ceiling, and the direction either"),
        (with_metric(preset="http", tolerated=2.5, critical=False), "tolerates 2.5 times"),
        (with_metric(name="m", total="a", direction="increase"), "traffic with the direction increase"),
        (with_metric(name="m", total="a", floor=0.1), "traffic with a floor or a ceiling"),
        (with_metric(name="m", total="a", ceiling=0.1), "traffic with a floor or a ceiling"),
        (with_metric(name="m", total="a", critical=True), "is traffic, and critical"),
        (with_metric(preset="http", ceiling=0.001), "the ceiling 0.001 and the floor 0.001"),
        (
            structs.replace(GOOD, prometheus=structs.replace(SERVER, via="api-server")),
            "url is 'https://prometheus.example.com', and goes via the API server",
        ),
        (
            structs.replace(
                GOOD,
                prometheus=structs.replace(SERVER, via="api-server", url="http://p.m.svc", bearer_env="PROMETHEUS_T"),
            ),
            "has credentials, and goes via the API server",
        ),
        (
            structs.replace(
                GOOD, prometheus=structs.replace(SERVER, bearer_env="PROMETHEUS_T", sigv4_region="eu-west-1")
            ),
            "several credentials",
        ),
        (structs.replace(GOOD, prometheus=structs.replace(SERVER, scrape_interval="0s")), "scrape-interval is '0s'"),
        (structs.replace(GOOD, interval="0s"), "interval is '0s'"),
        (structs.replace(GOOD, interval="30m", warm_up="30m"), "deadline is '1h'"),
    ],
)
def test_what_would_watch_less_than_it_seems_is_refused(policy: CanaryPolicy, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as raised:
        check_policy(policy, file="aegis.yml")
    assert raised.value.code == "canary.policy_incomplete"
    assert raised.value.remedy == "correct `canary` in the policy file"
    assert raised.value.problem.startswith("aegis.yml: ")


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "m", "total": "rate(a[5m])", "bad": "b"},
        {"name": "m", "bad": "job:errors:rate5m"},
        {"name": "m", "histogram": "a_bucket[5m]", "slo": 1.0},
        {"preset": "http", "match": "job=api"},
    ],
)
def test_selectors_are_looked_at_too(keys: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as raised:
        check_policy(with_metric(**keys), file="aegis.yml")
    assert raised.value.code in {"canary.selector_invalid", "canary.policy_incomplete"}


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://p.example.com", True),
        ("https://p.example.com:9090/select/0/prometheus", True),
        ("http://127.0.0.1:9090", True),
        ("http://[::1]:9090/", True),
        ("http://prometheus.monitoring.svc:9090", True),
        ("http://prometheus.monitoring.svc.cluster.local/x", True),
        ("http://p.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://a.svc.example.com", False),
        ("http://user@a.svc", False),
        ("https://p.example.com?x=1", False),
        ("https://p.example.com\n", False),
        ("https://", False),
        ("file:///etc/passwd", False),
    ],
)
def test_samples_come_over_https_or_from_near(url: str, fine: bool) -> None:
    text = TEN_LINES.replace(b"https://prometheus.example.com", b"'" + url.encode().replace(b"\n", b"\n\n    ") + b"'")
    if fine:
        assert parse_policy(text, file="aegis.yml").policy.canary is not None
    else:
        with pytest.raises(UsageError):
            parse_policy(text, file="aegis.yml")


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PROMETHEUS_", "prometheus_token"])
def test_no_other_variable_than_one_of_prometheus_is_sent(name: str) -> None:
    text = TEN_LINES.replace(b"    url:", b"    bearer-env: " + name.encode() + b"\n    url:")
    with pytest.raises(UsageError):
        parse_policy(text, file="aegis.yml")


def test_spans_are_seconds() -> None:
    assert [seconds(span) for span in ("0s", "90s", "2m", "1h")] == [0, 90, 120, 3600]
