"""Where no series is of bad events: the values that the labels have which tell them.

A value that is misspelt, `code="5xx"` where the service says 500, selects nothing, and so does one that has never been.
No count tells these apart. A person does, who sees what is there; and what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Rollout
from aegis.core.ports.metrics import Metrics, Series
from aegis.gates.canary.samples.selectors import quoted
from aegis.gates.canary.samples.sides import pods_of
from aegis.gates.canary.samples.sources import Source

DAYS: Final = 7
"""Of the past that are asked about, at one time of each: a counter stays as long as its process."""
_DAY: Final = 86_400
_MOST: Final = 12
"""Values of one label that are told."""
_LONG: Final = 40
"""Characters of one that are."""


def unmatched(source: Source, series: Iterable[Series]) -> str:
    """What the labels are of a source's events, none of which is a bad one; empty where no label tells those."""
    if source.total is None:
        return ""
    values: dict[str, set[str]] = {}
    for each in series:
        for label, value in each.labels.items():
            values.setdefault(label, set()).add(value)
    told = []
    for bad in source.bad:
        asked = [each for each in bad.matchers if each not in source.total.matchers]
        there = dict.fromkeys(label for label, _ in asked if label in values)
        if bad.name == source.total.name and there:
            has = "; ".join(f"{label} has the values {_listed(values[label])}" for label in there)
            told.append(f"{has}; no series has {','.join(text for _, text in asked)}")
    return "; ".join(told)


def never_matched(metrics: Metrics, source: Source, rollout: Rollout, *, window: int, at: float) -> str:
    """What `unmatched` says of all versions in the days before `at`; empty where one of them had bad events.

    `window`: seconds in which each target is scraped. Raises CouldNotDecide where not even the present can be read.
    """
    if source.total is None:
        return ""
    scope = (
        f"{source.namespace_label}={quoted(rollout.namespace)}",
        f"{source.pod_label}=~{quoted(pods_of(rollout.name))}",
    )
    seen: list[Series] = []
    for day in range(DAYS + 1):
        then = at - day * _DAY
        try:
            if any(metrics.samples(bad.query(scope), window, then) for bad in source.bad):
                return ""
            seen += metrics.samples(source.total.query(scope), window, then)
        except CouldNotDecide:
            if not day:
                raise
            break  # some stores refuse what is older than they keep
    return unmatched(source, seen)


def _listed(values: set[str]) -> str:
    more = f" and {len(values) - _MOST} more" if len(values) > _MOST else ""
    return ", ".join(value[:_LONG] for value in sorted(values)[:_MOST]) + more
