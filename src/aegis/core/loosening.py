"""What makes a policy weaker: the one comparison behind pull requests, `extends` and inputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import get_args

from aegis.core.policy import (
    REQUESTS_FLOOR,
    TRAFFIC_TOLERATED,
    Artifact,
    Aws,
    BackedUp,
    BackupCheckPolicy,
    CanaryMetric,
    CanaryPolicy,
    Earlier,
    EvidencePolicy,
    GateName,
    Load,
    Policy,
    Requires,
    ScanPolicy,
    Signer,
    Tier,
    VerifyPolicy,
    minutes,
    seconds,
)
from aegis.core.ports.repository import Change


def loosenings(before: Policy, after: Policy) -> list[str]:
    """Each way in which `after` lets through what `before` would have stopped, as a phrase for people."""
    found = list(_mode(before.mode, after.mode))
    if before.extends is not None and after.extends != before.extends:
        found.append(f"extends: no longer {before.extends.repository}@{before.extends.commit[:12]}")
    found += _added("waivers", before.waivers, after.waivers)
    if before.scan is not None:
        if after.scan is None:
            found.append("scan: the section is gone")
        else:
            found += _scan(before.scan, after.scan)
    if before.verify is not None:
        if after.verify is None:
            found.append("verify: the section is gone")
        else:
            found += _verify(before.verify, after.verify)
    if before.canary is not None:
        if after.canary is None:
            found.append("canary: the section is gone")
        else:
            found += _canary(before.canary, after.canary)
    if before.backup_check is not None:
        if after.backup_check is None:
            found.append("backup-check: the section is gone")
        else:
            found += _backup_check(before.backup_check, after.backup_check)
    if before.evidence is not None:
        if after.evidence is None:
            found.append("evidence: the section is gone")
        else:
            found += _evidence(before.evidence, after.evidence)
    return found


def of_gate(loosened: Iterable[str], gate: GateName) -> list[str]:
    """What concerns a gate: its own section, and what is common to all."""
    others = tuple(f"{name}{end}" for name in get_args(GateName) if name != gate for end in ".:")
    return [what for what in loosened if not what.startswith(others)]


def alone(changes: Sequence[Change] | None, own: Collection[str]) -> bool:
    """Whether a change touches nothing but these files.

    A change of the policy alone is how a policy is changed: its owners review it by name (CODEOWNERS), and until it is
    merged the base's policy is in force. Together with other files a loosening would be overlooked.
    """
    kept = {None, *own}
    return bool(changes) and all(c.path in own and c.old_path in kept for c in changes or ())


def _mode(before: str, after: str) -> Iterator[str]:
    # `observe until <ISO date>`: the later day compares greater as text.
    if after != "enforce" and (before == "enforce" or after > before):
        yield f"mode: {after} instead of {before}"


def _scan(before: ScanPolicy, after: ScanPolicy) -> Iterator[str]:
    if before.strict and not after.strict:
        yield "scan.strict: false instead of true"
    for provider in sorted(set(before.providers) - set(after.providers)):
        yield f"scan.providers: {provider} is gone"
    yield from _added("scan.allowed-classes", before.allowed_classes, after.allowed_classes)
    yield from _added("scan.tests", before.tests, after.tests)
    yield from _added("scan.allow", before.allow, after.allow)
    yield from _added("scan.suppressions", before.suppressions, after.suppressions)
    if after.baseline is not None and after.baseline != before.baseline:
        yield f"scan.baseline: {after.baseline} instead of {before.baseline or 'none'}"


def _verify(before: VerifyPolicy, after: VerifyPolicy) -> Iterator[str]:
    now = {artifact.name: artifact for artifact in after.artifacts}
    for artifact in before.artifacts:
        if artifact.name not in now:
            yield f"verify.artifacts: {artifact.name} is gone"
        else:
            yield from _artifact(artifact, now[artifact.name], before.signers, after.signers)
    yield from _trust_and_stores("verify", before, after)
    if after.lock != before.lock:
        yield f"verify.lock: {after.lock} instead of {before.lock}"
    if after.earlier is not None:
        if before.earlier is None:
            yield "verify.earlier: verdicts of earlier runs are believed from now on"
        else:
            yield from _verdicts("verify.earlier", before.earlier, after.earlier)
    yield from _load(before.load, after.load)


def _backup_check(before: BackupCheckPolicy, after: BackupCheckPolicy) -> Iterator[str]:
    for name in ("store", "records"):
        if getattr(after, name) != getattr(before, name):
            yield f"backup-check.{name}: another one"
    now = {database.name: database for database in after.databases}
    for database in before.databases:
        if database.name not in now:
            yield f"backup-check.databases: {database.name} is gone"
        else:
            yield from _database(database, now[database.name])
    if before.signers and not after.signers:
        yield "backup-check.signers: manifests need no signature any more"
    elif before.signers:
        yield from _added("backup-check.signers", before.signers, after.signers)
    yield from _trust_and_stores("backup-check", before, after)
    if before.recipients:
        # who is new reads everything, and who is gone can restore nothing of what comes
        yield from _added("backup-check.recipients", before.recipients, after.recipients)
        yield from _gone("backup-check.recipients", before.recipients, after.recipients)
    for name in ("last", "daily", "weekly", "monthly"):
        kept, kept_before = getattr(after.keep, name), getattr(before.keep, name)
        if kept < kept_before:
            yield f"backup-check.keep.{name}: {kept} instead of {kept_before}"
    if before.issue and not after.issue:
        yield "backup-check.issue: false instead of true"


def _database(before: BackedUp, after: BackedUp) -> Iterator[str]:
    key = f"backup-check.databases.{before.name}"
    for name in ("max_age", "max_proof_age", "max_restore"):
        limit, limit_before = getattr(after, name), getattr(before, name)
        if limit_before is not None and (limit is None or minutes(limit) > minutes(limit_before)):
            yield f"{key}.{name.replace('_', '-')}: {limit or 'none'} instead of {limit_before}"
    tiers = get_args(Tier)
    if tiers.index(after.tier) < tiers.index(before.tier):
        yield f"{key}.tier: {after.tier} instead of {before.tier}"
    if after.max_shrink > before.max_shrink:
        yield f"{key}.max-shrink: {after.max_shrink} instead of {before.max_shrink}"
    asked = {question.name: question for question in after.smoke}
    for question in before.smoke:
        if asked.get(question.name) != question:
            yield f"{key}.smoke.{question.name}: {'another one' if question.name in asked else 'gone'}"
    for name in ("system_identifier", "database"):
        named, named_before = getattr(after, name), getattr(before, name)
        if named_before is not None and named != named_before:
            yield f"{key}.{name.replace('_', '-')}: {named or 'none'} instead of {named_before}"


def _evidence(before: EvidencePolicy, after: EvidencePolicy) -> Iterator[str]:
    if after.store != before.store:
        yield "evidence.store: another one"
    yield from _added("evidence.signers", before.signers, after.signers)
    if before.retain is not None:
        if after.retain is None:
            yield "evidence.retain: verdicts are no longer held fast"
        else:
            if after.retain.days < before.retain.days:
                yield f"evidence.retain.days: {after.retain.days} instead of {before.retain.days}"
            if before.retain.mode == "compliance" and after.retain.mode != "compliance":
                yield f"evidence.retain.mode: {after.retain.mode} instead of compliance"
    yield from _trust_and_stores("evidence", before, after)


_WithStores = VerifyPolicy | BackupCheckPolicy | EvidencePolicy


def _trust_and_stores(key: str, before: _WithStores, after: _WithStores) -> Iterator[str]:
    if after.trusted_root != before.trusted_root:
        yield f"{key}.trusted-root: {after.trusted_root or 'the packaged one'} instead of {before.trusted_root}"
    # without a section `verify` has no store there; the others have one by the action's inputs
    yield from _stores(key, before, after, by_inputs=not isinstance(before, VerifyPolicy))


def _stores(
    key: str, before: _WithStores | CanaryPolicy, after: _WithStores | CanaryPolicy, *, by_inputs: bool
) -> Iterator[str]:
    """Another endpoint or role is another store under the same names."""
    for name in ("aws", "oci"):
        was, now = getattr(before, name), getattr(after, name)
        elsewhere = by_inputs and isinstance(now, Aws) and (now.s3_endpoint or now.sts_endpoint)
        if (was is not None and now != was) or (was is None and elsewhere):
            yield f"{key}.{name}: another one"


def _artifact(
    before: Artifact, after: Artifact, signers_before: tuple[Signer, ...], signers_after: tuple[Signer, ...]
) -> Iterator[str]:
    key = f"verify.artifacts.{before.name}"
    for name in ("kind", "source", "signatures"):
        if getattr(after, name) != getattr(before, name):
            yield f"{key}.{name}: another one"
    if after.threshold < before.threshold:
        yield f"{key}.threshold: {after.threshold} instead of {before.threshold}"
    yield from _added(f"{key}.signers", before.signers or signers_before, after.signers or signers_after)
    yield from _added(f"{key}.predicate-types", before.predicate_types, after.predicate_types)
    yield from _added(f"{key}.ignore-paths", before.ignore_paths, after.ignore_paths)
    if before.release is not None and after.release != before.release:
        yield f"{key}.release: {'gone' if after.release is None else 'another one'}"


def _verdicts(key: str, before: Earlier, after: Earlier) -> Iterator[str]:
    if after.source != before.source:
        yield f"{key}.source: another one"
    if after.max_age_days > before.max_age_days:
        yield f"{key}.max-age-days: {after.max_age_days} instead of {before.max_age_days}"
    yield from _added(f"{key}.signers", before.signers, after.signers)


def _load(before: Load, after: Load) -> Iterator[str]:
    yield from _added("verify.load.formats", before.formats, after.formats)
    # a format for every model covers what is named for single ones
    if "pickle" not in before.formats:
        yield from _added("verify.load.pickles", before.pickles, after.pickles)
    if after.max_bytes > before.max_bytes:
        yield f"verify.load.max-bytes: {after.max_bytes} instead of {before.max_bytes}"
    if after.max_files > before.max_files:
        yield f"verify.load.max-files: {after.max_files} instead of {before.max_files}"
    # one that is asked for from now on is no loosening
    if before.verdict is not None:
        if after.verdict is None:
            yield "verify.load.verdict: none is asked for any more"
        else:
            yield from _verdicts("verify.load.verdict", before.verdict, after.verdict)
    for digest in before.revoked:
        if digest not in after.revoked:
            yield f"verify.load.revoked: {digest} is gone"


def _gone(key: str, before: Collection[object], after: Collection[object]) -> Iterator[str]:
    for entry in before:
        if entry not in after:
            yield f"{key}: {_brief(entry)} is gone"


def _canary(before: CanaryPolicy, after: CanaryPolicy) -> Iterator[str]:
    for name in ("prometheus", "rollout"):
        # another server or Rollout is another question under the same name
        if getattr(after, name) != getattr(before, name):
            yield f"canary.{name}: another one"
    now = {metric.name or metric.preset: metric for metric in after.metrics}
    for metric in before.metrics:
        called = metric.name or metric.preset
        if called not in now:
            yield f"canary.metrics: {called} is gone"
        else:
            yield from _canary_metric(f"canary.metrics.{called}", metric, now[called])
    for key, was, now_is in (
        ("beta", before.beta, after.beta),
        ("margin", before.margin, after.margin),
        ("min-bad-events", before.min_bad_events, after.min_bad_events),
    ):
        if now_is > was:
            yield f"canary.{key}: {now_is:g} instead of {was:g}"
    for key, was_known, known in (
        ("spread", before.spread, after.spread),
        ("cluster", before.cluster, after.cluster),
    ):
        # more of it makes an abort slower, and less of it a promotion quicker
        if known != was_known:
            yield f"canary.{key}: {known} instead of {was_known}"
    heaviest = max((metric.weight for metric in before.metrics), default=math.inf)
    known_names = {metric.name or metric.preset for metric in before.metrics}
    for called, metric in now.items():
        if called not in known_names and metric.weight > heaviest:
            yield f"canary.metrics.{called}.weight: {metric.weight}, and no metric had more than {heaviest}"
    if before.promote == "steps" and after.promote == "full":
        yield "canary.promote: full instead of steps"
    # the smaller, the more evidence an abort needs
    if after.alpha < before.alpha:
        yield f"canary.alpha: {after.alpha} instead of {before.alpha}"
    for key, was_span, span in (
        ("warm-up", before.warm_up, after.warm_up),
        ("interval", before.interval, after.interval),
        ("deadline", before.deadline, after.deadline),
    ):
        if seconds(span) > seconds(was_span):
            yield f"canary.{key}: {span} instead of {was_span}"
    for key, was_then, then in (
        ("at-deadline", before.at_deadline, after.at_deadline),
        ("no-data", before.no_data, after.no_data),
    ):
        if was_then == "abort" and then != "abort":
            yield f"canary.{key}: {then} instead of abort"
    if before.requires is not None:
        if after.requires is None:
            yield "canary.requires: no verdict is asked for any more"
        else:
            yield from _requires(before.requires, after.requires)
    yield from _stores("canary", before, after, by_inputs=True)


def _requires(before: Requires, after: Requires) -> Iterator[str]:
    key = "canary.requires"
    if after.source != before.source:
        yield f"{key}.source: another one"
    if after.trusted_root != before.trusted_root:
        yield f"{key}.trusted-root: {after.trusted_root or 'the packaged one'} instead of {before.trusted_root}"
    if minutes(after.max_age) > minutes(before.max_age):
        yield f"{key}.max-age: {after.max_age} instead of {before.max_age}"
    yield from _gone(f"{key}.gates", before.gates, after.gates)
    yield from _added(f"{key}.signers", before.signers, after.signers)
    yield from _added(f"{key}.without", before.without, after.without)


def _canary_metric(key: str, before: CanaryMetric, after: CanaryMetric) -> Iterator[str]:
    for name in ("preset", "match", "total", "bad", "histogram", "pod_label", "namespace_label", "direction"):
        if getattr(after, name) != getattr(before, name):
            yield f"{key}.{name.replace('_', '-')}: another one"
    for name in ("slo", "ceiling"):
        was, now = getattr(before, name), getattr(after, name)
        if was is not None and (now is None or now > was):
            yield f"{key}.{name}: {'gone' if now is None else now} instead of {was}"
    was_span, span = before.ceiling_window, after.ceiling_window
    # a longer one hides more behind what was good, and of shorter ones each needs more evidence
    if before.ceiling is not None and span != was_span:
        yield f"{key}.ceiling-window: {span or 'the whole rollout'} instead of {was_span or 'the whole rollout'}"
    for name, was_bound, bound in (
        ("tolerated", _tolerated(before), _tolerated(after)),
        ("floor", _floor(before), _floor(after)),
    ):
        if bound > was_bound:
            yield f"{key}.{name}: {bound:g} instead of {was_bound:g}"
    # one that weighs more takes from the others
    if after.weight != before.weight:
        yield f"{key}.weight: {after.weight} instead of {before.weight}"
    # the default depends on what is counted
    if (before.critical and not after.critical) or (before.critical is None and after.critical is False):
        yield (
            f"{key}.critical: {'false' if after.critical is False else 'the default'} instead of "
            f"{'true' if before.critical else 'the default'}"
        )


def _tolerated(metric: CanaryMetric) -> float:
    if metric.tolerated is not None:
        return metric.tolerated
    return TRAFFIC_TOLERATED if metric.total is not None and metric.bad is None else 1.0


def _floor(metric: CanaryMetric) -> float:
    """What is left out is 0.001 at most."""
    return REQUESTS_FLOOR if metric.floor is None else metric.floor


def _added(key: str, before: Collection[object], after: Collection[object]) -> Iterator[str]:
    for entry in after:
        # signers hold a mapping, so they cannot stand in a set
        if entry not in before:
            yield f"{key}: {_brief(entry)} is new"


def _brief(entry: object) -> str:
    """An entry by what a reader would look for: its path or rule."""
    named = [
        str(value)
        for key in ("rule", "path", "provider", "key", "identity", "identity_pattern", "certificate")
        if (value := getattr(entry, key, None))
    ]
    return " ".join(named) or str(entry)
