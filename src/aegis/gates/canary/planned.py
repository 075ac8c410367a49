"""The policy's section `canary` as the plan that a rollout is judged by."""

from __future__ import annotations

import hashlib
from typing import Final

from aegis.core.policy import REQUESTS_FLOOR, TRAFFIC_TOLERATED, CanaryMetric, CanaryPolicy, Estimated, seconds
from aegis.gates.canary.plan import Direction, Kind, MetricPlan, Plan
from aegis.gates.canary.samples.sources import name_of, source_of, starts_of

NO_DATA_SECONDS: Final = 60
NO_DATA_SCRAPES: Final = 5
"""After the longer of the two without samples there are none: one scrape that fails is no outage."""


def plan_of(policy: CanaryPolicy, *, first: bool, pauses: int = 0) -> Plan:
    """Of a policy that `check_policy` has let through. `first`: there is no stable side.
    `pauses`: endless ones of the rollout, where they are known.

    Raises UsageError `canary.plan_invalid` for what could not promote, e.g. a first version without a ceiling.
    """
    return Plan(
        metrics=tuple(_metric(each, policy) for each in policy.metrics),
        alpha=policy.alpha,
        beta=policy.beta,
        steps=pauses if policy.promote == "steps" else 0,
        interval=seconds(policy.interval),
        warm_up=seconds(policy.warm_up),
        deadline=seconds(policy.deadline),
        at_deadline=policy.at_deadline,
        no_data=policy.no_data,
        no_data_after=max(NO_DATA_SECONDS, NO_DATA_SCRAPES * seconds(policy.prometheus.scrape_interval)),
        min_bad_events=policy.min_bad_events,
        first=first,
        question=_question(policy),
    )


def _question(policy: CanaryPolicy) -> str:
    """A digest (SHA-256, hex) of the selectors of all metrics, and of the store that they are put to."""
    prometheus, rollout = policy.prometheus, policy.rollout
    asked = (
        prometheus.url,
        prometheus.tenant,
        starts_of(rollout),
        *(source_of(each, rollout) for each in policy.metrics),
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def kind_of(metric: CanaryMetric, policy: CanaryPolicy) -> Kind:
    """How a metric's increments are to be read."""
    source = source_of(metric, policy.rollout)
    if source.buckets is not None:
        return "latency"
    if source.total is None:
        return "pace"
    return "share" if source.bad == (source.total,) else "events"


def floor_of(metric: CanaryMetric, kind: Kind) -> float:
    """The rate below which nobody minds."""
    if metric.floor is not None:
        return metric.floor
    return REQUESTS_FLOOR if kind in {"events", "latency"} and metric.direction in {None, "increase"} else 0.0


def tolerated_of(metric: CanaryMetric, kind: Kind) -> float:
    """The ratio that nobody minds."""
    if metric.tolerated is not None:
        return metric.tolerated
    return TRAFFIC_TOLERATED if kind == "share" else 1.0


def _metric(metric: CanaryMetric, policy: CanaryPolicy) -> MetricPlan:
    kind = kind_of(metric, policy)
    default: Direction = "either" if kind == "share" else "increase"
    return MetricPlan(
        name=name_of(metric),
        kind=kind,
        direction=metric.direction or default,
        weight=metric.weight,
        # that nothing was restarted, or how much traffic there is, says nothing good about a canary for a long time
        critical=kind in {"events", "latency"} if metric.critical is None else metric.critical,
        tolerated=tolerated_of(metric, kind),
        # traffic is no ground for a promotion, so the policy's margin says nothing about it
        margin=policy.margin if kind != "share" else 2 * tolerated_of(metric, kind),
        floor=floor_of(metric, kind),
        ceiling=metric.ceiling,
        window=None if metric.ceiling_window is None else seconds(metric.ceiling_window),
        spread=_known(policy.spread),
        cluster=_known(policy.cluster),
    )


def _known(value: float | Estimated) -> float | None:
    return None if isinstance(value, str) else value
