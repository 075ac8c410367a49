"""Where the counts of a metric come from: selectors of the policy, or a preset's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aegis.core.policy import CanaryMetric, Rollout
from aegis.gates.canary.samples.selectors import Selector, parse_matchers, parse_selector

RESTARTS: Final = "kube_pod_container_status_restarts_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which series a metric is counted from: `total` with `bad`, `bad` alone (per time), or `buckets` with the SLO."""

    metric: str
    namespace_label: str
    pod_label: str
    hash_label: str | None
    """None: the series do not carry it, so pods are told apart by name."""
    total: Selector | None = None
    bad: tuple[Selector, ...] = ()
    """Series that one of these selects are bad events; one series counts once."""
    buckets: Selector | None = None
    slo: float = 0.0


def name_of(metric: CanaryMetric) -> str:
    """What a metric is called in reports; empty where the policy has neither name nor preset."""
    return metric.name or metric.preset or ""


def source_of(metric: CanaryMetric, rollout: Rollout) -> Source:
    """Of a metric that `check_policy` has let through."""
    where = f"canary.metrics.{name_of(metric)}"
    # what tells of a pod from outside (pod label of its own, kube-state-metrics) does not carry the pod's own labels
    carries = metric.pod_label is None and metric.preset != "restarts"
    bare = Source(
        metric=name_of(metric),
        namespace_label=metric.namespace_label or rollout.namespace_label,
        pod_label=metric.pod_label or rollout.pod_label,
        hash_label=rollout.hash_label if carries else None,
        slo=metric.slo or 0.0,
    )
    if metric.preset is not None:
        more = parse_matchers(metric.match or "", where=f"{where}.match")
        preset = PRESETS[metric.preset](bare)
        return replace(
            preset,
            total=_narrowed(preset.total, more),
            bad=tuple(Selector(each.name, each.matchers + more) for each in preset.bad),
            buckets=_narrowed(preset.buckets, more),
        )
    if metric.histogram is not None:
        return replace(bare, buckets=parse_selector(metric.histogram, where=f"{where}.histogram"))
    total = parse_selector(metric.total, where=f"{where}.total") if metric.total is not None else None
    if metric.bad is not None:
        return replace(bare, total=total, bad=(parse_selector(metric.bad, where=f"{where}.bad"),))
    # how traffic is shared is judged by the requests themselves
    return replace(bare, total=total, bad=() if total is None else (total,))


def starts_of(rollout: Rollout) -> Source:
    """When each process began, which the client libraries tell: so a restart is seen even where counts hide it."""
    return Source(
        metric="process_start_time_seconds",
        namespace_label=rollout.namespace_label,
        pod_label=rollout.pod_label,
        hash_label=rollout.hash_label,
        total=Selector("process_start_time_seconds"),
    )


def _narrowed(selector: Selector | None, more: tuple[tuple[str, str], ...]) -> Selector | None:
    return None if selector is None else Selector(selector.name, selector.matchers + more)


def _share(name: str, labels: tuple[str, ...], values: str) -> Callable[[Source], Source]:
    bad = tuple(Selector(name, ((label, f'{label}=~"{values}"'),)) for label in labels)
    return lambda bare: replace(bare, total=Selector(name), bad=bad)


def _latency(name: str) -> Callable[[Source], Source]:
    return lambda bare: replace(bare, buckets=Selector(name))


PRESETS: Final[Mapping[str, Callable[[Source], Source]]] = {
    # Names of the guides of Prometheus's client libraries; they differ in the label of the status (promhttp: `code`;
    # prometheus-fastapi-instrumentator: `status`, grouped as `5xx`; express-prom-bundle: `status_code`).
    "http": _share("http_requests_total", ("code", "status", "status_code"), "5(..|xx)"),
    "http-latency": _latency("http_request_duration_seconds_bucket"),
    # https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
    "otel-http": _share("http_server_request_duration_seconds_count", ("http_response_status_code",), "5.."),
    "otel-http-latency": _latency("http_server_request_duration_seconds_bucket"),
    # go-grpc-middleware and its like; the codes that are the server's own fault are those of
    # https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status
    "grpc": _share(
        "grpc_server_handled_total",
        ("grpc_code",),
        "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss",
    ),
    "grpc-latency": _latency("grpc_server_handling_seconds_bucket"),
    "aegis": _share("aegis_http_requests_total", ("status",), "5.."),
    "aegis-latency": _latency("aegis_http_request_seconds_bucket"),
    # kube-state-metrics
    "restarts": lambda bare: replace(bare, bad=(Selector(RESTARTS),)),
}
