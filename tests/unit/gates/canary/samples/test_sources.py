from __future__ import annotations

from typing import get_args

import pytest

from aegis.core.policy import CanaryMetric, Preset, Rollout
from aegis.gates.canary.samples.sources import PRESETS, source_of, starts_of
from aegis_multimodal_ai_system.metrics import Metrics

ROLLOUT = Rollout(namespace="shop", name="web", hash_label="hash")


def queries(metric: CanaryMetric) -> tuple[str, tuple[str, ...], str]:
    source = source_of(metric, ROLLOUT)
    return (
        source.total.query(()) if source.total else "",
        tuple(each.query(()) for each in source.bad),
        source.buckets.query(()) if source.buckets else "",
    )


def test_each_preset_of_the_policy_is_there() -> None:
    assert set(PRESETS) == set(get_args(Preset))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (
            CanaryMetric(preset="http", match='job="api"'),
            (
                'http_requests_total{job="api"}',
                tuple(
                    f'http_requests_total{{{label}=~"5(..|xx)",job="api"}}'
                    for label in ("code", "status", "status_code")
                ),
                "",
            ),
        ),
        (
            CanaryMetric(preset="otel-http"),
            (
                "http_server_request_duration_seconds_count{}",
                ('http_server_request_duration_seconds_count{http_response_status_code=~"5.."}',),
                "",
            ),
        ),
        (
            CanaryMetric(preset="grpc-latency", slo=0.5, match='grpc_type="unary"'),
            ("", (), 'grpc_server_handling_seconds_bucket{grpc_type="unary"}'),
        ),
        (CanaryMetric(preset="restarts"), ("", ("kube_pod_container_status_restarts_total{}",), "")),
        (CanaryMetric(name="m", total="a", bad='b{c="d"}'), ("a{}", ('b{c="d"}',), "")),
        (CanaryMetric(name="m", bad="oom_total"), ("", ("oom_total{}",), "")),
        (CanaryMetric(name="traffic", total="a"), ("a{}", ("a{}",), "")),
        (CanaryMetric(name="m", histogram='a_bucket{b="c"}', slo=1.0), ("", (), 'a_bucket{b="c"}')),
    ],
    ids=["http", "otel", "grpc-latency", "restarts", "share", "per time", "traffic", "histogram"],
)
def test_what_a_metric_is_counted_from(metric: CanaryMetric, expected: tuple[str, tuple[str, ...], str]) -> None:
    assert queries(metric) == expected


def test_labels_come_from_the_rollout_or_the_metric() -> None:
    own = source_of(CanaryMetric(preset="http"), ROLLOUT)
    assert (own.metric, own.namespace_label, own.pod_label, own.hash_label) == ("http", "namespace", "pod", "hash")
    outside = CanaryMetric(name="m", total="a", pod_label="exported_pod", namespace_label="exported_namespace")
    told = source_of(outside, ROLLOUT)
    assert (told.namespace_label, told.pod_label, told.hash_label) == ("exported_namespace", "exported_pod", None)
    assert source_of(CanaryMetric(preset="restarts"), ROLLOUT).hash_label is None
    assert starts_of(ROLLOUT).hash_label == "hash"


def test_our_own_api_exposes_what_its_presets_select() -> None:
    metrics = Metrics([])
    metrics.answered("GET", "/models", 500, 0.1)
    exposed = metrics.render().decode()
    assert 'aegis_http_requests_total{method="GET",route="/models",status="500"} 1.0' in exposed
    assert 'aegis_http_request_seconds_bucket{le="0.25"' in exposed
    (bad,) = source_of(CanaryMetric(preset="aegis"), ROLLOUT).bad
    assert bad.name == "aegis_http_requests_total"
    assert bad.labels == {"status"}
    latency = source_of(CanaryMetric(preset="aegis-latency", slo=0.2), ROLLOUT).buckets
    assert latency is not None
    assert latency.name == "aegis_http_request_seconds_bucket"
