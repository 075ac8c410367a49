"""What makes a policy weaker: the one comparison behind pull requests, `extends` and inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from aegis.core.policy import Policy, ScanPolicy


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
    return found


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


def _added(key: str, before: Collection[object], after: Collection[object]) -> Iterator[str]:
    known = set(before)
    for entry in after:
        if entry not in known:
            yield f"{key}: {_brief(entry)} is new"


def _brief(entry: object) -> str:
    """An entry by what a reader would look for: its path or rule."""
    named = [str(value) for key in ("rule", "path", "provider") if (value := getattr(entry, key, None))]
    return " ".join(named) or str(entry)
