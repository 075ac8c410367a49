"""Whether the section `canary` can judge a rollout: looked at before Prometheus is asked.

What a type cannot say: that there is a metric, that each says just one way to count, that no bound contradicts another.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from aegis.core.errors import UsageError
from aegis.core.policy import CanaryMetric, CanaryPolicy, Oci, Requires, seconds
from aegis.gates.canary.planned import floor_of, kind_of, plan_of, tolerated_of
from aegis.gates.canary.samples.sources import name_of

_SERVICE: Final = re.compile(r"https?://[a-z0-9-]+\.[a-z0-9-]+\.svc(?:\.cluster\.local)?(?::[0-9]+)?(?:/|$)")


def check_policy(policy: CanaryPolicy, *, file: str) -> None:
    """Raise UsageError for the first thing that would make the gate weaker than its author believes."""
    if not policy.metrics:
        raise _incomplete(file, "canary.metrics is empty", "at least one metric, e.g. `- preset: http`")
    for metric in policy.metrics:
        if not name_of(metric):
            raise _incomplete(file, "an entry of canary.metrics has neither a name nor a preset", "one of them")
    for name, count in Counter(map(name_of, policy.metrics)).items():
        if count > 1:
            raise _incomplete(file, f"{name!r} stands {count} times in canary.metrics", "a `name` for each")
    for metric in policy.metrics:
        # how it is counted must be clear before its bounds are
        for part in (_counted(metric), _bounds(metric, policy)):
            for problem, expected in part:
                raise _incomplete(file, f"canary.metrics.{name_of(metric)} {problem}", expected)
    _check_whole(policy, file)
    if policy.requires is not None:
        _check_requires(policy.requires, policy.oci, file)
    plan_of(policy, first=False)


def _check_whole(policy: CanaryPolicy, file: str) -> None:
    prometheus = policy.prometheus
    ways = [prometheus.bearer_env, prometheus.bearer_file, prometheus.sigv4_region]
    if sum(way is not None for way in ways) > 1:
        raise _incomplete(
            file, "canary.prometheus has several credentials", "one of bearer-env, bearer-file and sigv4-region"
        )
    if prometheus.via == "api-server":
        if any(way is not None for way in ways):
            raise _incomplete(
                file, "canary.prometheus has credentials, and goes via the API server", "the cluster's own credentials"
            )
        if _SERVICE.match(prometheus.url) is None:
            raise _incomplete(
                file,
                f"canary.prometheus.url is {prometheus.url!r}, and goes via the API server",
                "the address of a service in the cluster: http://NAME.NAMESPACE.svc:PORT",
            )
    for where, span in (("prometheus.scrape-interval", prometheus.scrape_interval), ("interval", policy.interval)):
        if not seconds(span):
            raise _incomplete(file, f"canary.{where} is {span!r}", "at least 1s")
    if seconds(policy.deadline) <= seconds(policy.interval) + seconds(policy.warm_up):
        raise _incomplete(
            file,
            f"canary.deadline is {policy.deadline!r}, and the first look after the warm-up is later",
            f"more than warm-up ({policy.warm_up}) and interval ({policy.interval}) together",
        )


def _check_requires(rule: Requires, oci: Oci | None, file: str) -> None:
    # what reads signers costs time that a policy without them need not pay
    from aegis.artifacts.check import misfits
    from aegis.signatures.patterns import check_identity_pattern
    from aegis.storage.location import parse_location

    where = "canary.requires"
    scheme = parse_location(rule.source).scheme
    if scheme not in {"s3", "oci", "file"}:
        raise _incomplete(file, f"{where}.source is {rule.source!r}", "s3://, oci:// or a folder of the repository")
    if scheme == "oci" and oci is None:
        raise _incomplete(
            file, f"{where}.source is {rule.source!r}, and canary.oci is not set", "its identity domain and region"
        )
    if not rule.gates:
        raise _incomplete(file, f"{where}.gates is empty", "at least one gate, e.g. verify")
    if not rule.signers:
        raise _incomplete(file, f"{where} has no signers", "who signs verdicts")
    for signer in rule.signers:
        for problem, expected in misfits(signer):
            raise _incomplete(file, f"an entry of {where}.signers {problem}", expected)
        if signer.identity_pattern is not None:
            check_identity_pattern(signer.identity_pattern, name=f"{where}.signers")


def _counted(metric: CanaryMetric) -> Iterator[tuple[str, str]]:
    """What is wrong with how a metric is counted, and what was expected."""
    by_counters = metric.total is not None or metric.bad is not None
    if (metric.preset is not None) + (metric.histogram is not None) + by_counters != 1:
        yield "says not just one way to count", "a preset, or a histogram with slo, or total and bad"
    if metric.match is not None and metric.preset is None:
        yield "has `match` without a preset", "matchers in the selectors themselves"
    is_latency = metric.histogram is not None or (metric.preset or "").endswith("-latency")
    if is_latency and metric.slo is None:
        yield "has no slo", "the seconds above which a request is too slow"
    if metric.slo is not None and not is_latency:
        yield "has an slo, and no histogram", "a histogram, or a preset that ends in -latency"
    if metric.bad is not None and metric.bad == metric.total:
        yield "counts every event as bad", "a selector of the bad ones"
    for key, text in (("total", metric.total), ("bad", metric.bad), ("histogram", metric.histogram)):
        name = (text or "").partition("{")[0].strip()
        if text is not None and name.endswith("_bucket") != (key == "histogram"):
            yield f"has {name!r} as {key}", "the _bucket counters as histogram, and no others"


def _bounds(metric: CanaryMetric, policy: CanaryPolicy) -> Iterator[tuple[str, str]]:
    """What contradicts another bound."""
    kind = kind_of(metric, policy)
    tolerated, floor = tolerated_of(metric, kind), floor_of(metric, kind)
    if tolerated >= policy.margin and kind != "share":
        yield (
            f"tolerates {tolerated:g} times, and canary.margin is {policy.margin:g}",
            "a margin above it: a promotion excludes the margin",
        )
    if metric.ceiling is not None and metric.ceiling <= floor:
        yield f"has the ceiling {metric.ceiling:g} and the floor {floor:g}", "a ceiling above the floor"
    if metric.direction not in {None, "increase"} and (metric.floor or metric.ceiling is not None):
        yield f"has a floor or a ceiling, and the direction {metric.direction}", "bounds where more events are worse"
    if metric.total is not None and metric.bad is None:
        if metric.direction not in {None, "either"}:
            yield f"is traffic with the direction {metric.direction}", "either, or no direction"
        if metric.floor or metric.ceiling is not None:
            yield "is traffic with a floor or a ceiling", "neither: it has no bad events"
        if metric.critical:
            yield "is traffic, and critical", "evidence against a canary only"


def _incomplete(file: str, problem: str, expected: str) -> UsageError:
    return UsageError(
        "canary.policy_incomplete",
        f"{file}: {problem}",
        expected=expected,
        remedy="correct `canary` in the policy file",
    )
