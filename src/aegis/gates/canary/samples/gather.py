"""From the store's series to targets: whose they are, and which scrape each sample is of."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.metrics import Metrics, Series
from aegis.gates.canary.increment import Side
from aegis.gates.canary.samples.counters import Bucket, Target, Unusable
from aegis.gates.canary.samples.selectors import Selector
from aegis.gates.canary.samples.sides import Scope
from aegis.gates.canary.samples.sources import Source

_SCRAPERS: Final = frozenset(
    {"job", "service", "endpoint", "monitor", "prometheus", "prometheus_replica", "replica", "__replica__", "receive"}
)
"""Labels of who scraped, not of what was scraped: series that differ in these alone hold the same events."""
_TOLD_FROM_OUTSIDE: Final = _SCRAPERS | {"instance"}
"""The same where one target tells of others' pods, as kube-state-metrics does."""
_UP: Final = Selector("up")
"""1 for a scrape that succeeded and 0 for one that did not, as whoever scrapes writes it:
https://prometheus.io/docs/concepts/jobs_instances/#automatically-generated-labels-and-time-series"""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A series with its place."""

    target: str
    """The target's key."""
    name: str
    """The series' own."""
    side: Side
    pod: str
    series: Series


class Gatherer:
    """The queries of one look, each asked once."""

    def __init__(self, metrics: Metrics, scope: Scope, window: int, at: float) -> None:
        """Of the last `window` seconds before `at`, Unix seconds."""
        self._metrics, self._scope, self._window, self._at = metrics, scope, window, at
        self._asked: dict[str, tuple[Series, ...]] = {}

    def targets(self, source: Source) -> tuple[dict[str, Target], list[Unusable]]:
        """The targets of a source by key, and what has no place in one. Raises CouldNotDecide."""
        if source.buckets is not None:
            return _histograms(self._placed(source, (source.buckets,))), []
        # All events first: whatever scrape they show, the bad ones that are asked for later show it too.
        all_ = self._placed(source, () if source.total is None else (source.total,))
        bad = self._placed(source, source.bad)
        targets = _by_target(all_ if source.total is not None else bad)
        for placed in all_:
            targets[placed.target].exposure.add(placed.name)
        strays: list[Unusable] = []
        for placed in bad:
            if placed.target in targets:
                _add_bad(targets[placed.target], placed)
            else:
                why = "its bad events are told by a target that does not tell all events"
                strays.append(Unusable(source.metric, placed.side, placed.pod, why))
        _mark_unlabelled(source, targets, all_)
        return targets, strays

    def events(self, source: Source) -> tuple[Series, ...]:
        """Every series of a source's events, as `targets` was given them."""
        return () if source.total is None else self._series(source.total.query(self._scope.matchers(source)))

    def starts(self, source: Source) -> dict[str, dict[float, float]]:
        """Target → time of a scrape → when its process began. To be asked last, so that it knows every scrape."""
        placed = self._placed(source, () if source.total is None else (source.total,))
        return {each.target: dict(each.series.samples) for each in placed}

    def out_of_reach(self, starts: Source, told: Collection[str], window: int) -> tuple[str, ...]:
        """The canary's pods that the store tries to scrape, half or more of whose scrapes in `window` seconds failed.

        A pod that was deleted is not tried any more. `starts`: whose series have the same labels. `told`: the targets
        that have told any metric; jobs that have none of them do not matter, nor does a port that never told any, where
        another one of the pod is reached.
        """
        jobs = {json.loads(key)[0] for key in told}
        pods: dict[str, str] = {}
        down: dict[str, bool] = {}
        for series in self._metrics.samples(_UP.query(self._scope.matchers(starts)), window, self._at):
            side, pod, target = self._place(starts, series.labels)
            if side == "canary" and series.labels.get("job", "") in jobs:
                failed = sum(value == 0 for _, value in series.samples)
                pods[target] = pod
                down[target] = 2 * failed >= len(series.samples) and down.get(target, True)
        reached = {pods[target] for target, is_down in down.items() if not is_down}
        return tuple(
            sorted({pod for target, pod in pods.items() if down[target] and (target in told or pod not in reached)})
        )

    def _placed(self, source: Source, selectors: Sequence[Selector]) -> list[_Placed]:
        """The series that any of the selectors selects, of both sides, each once."""
        found: dict[str, _Placed] = {}
        for selector in selectors:
            for series in self._series(selector.query(self._scope.matchers(source))):
                side, pod, target = self._place(source, series.labels)
                if side is not None:
                    key = _text(sorted(series.labels.items()))
                    found[key] = _Placed(target, _name(series.labels), side, pod, series)
        outside = source.total is None and source.buckets is None
        _check_once(found.values(), _TOLD_FROM_OUTSIDE if outside else _SCRAPERS)
        return list(found.values())

    def _place(self, source: Source, labels: Mapping[str, str]) -> tuple[Side | None, str, str]:
        """Side, pod and target of a series; None: of neither side."""
        pod = labels.get(source.pod_label, "")
        hash_ = labels.get(source.hash_label) if source.hash_label is not None else None
        side = self._scope.sides.side(pod, hash_) if pod else None
        return side, pod, _text((labels.get("job", ""), labels.get("instance", ""), pod))

    def _series(self, query: str) -> tuple[Series, ...]:
        if query not in self._asked:
            self._asked[query] = self._metrics.samples(query, self._window, self._at)
        return self._asked[query]


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _name(labels: Mapping[str, str]) -> str:
    """Of a series in its target. Prometheus 3 writes the edge `2.0` where Prometheus 2 wrote `2`."""
    edge = _edge(labels)
    return _text(sorted((labels if edge is None else {**labels, "le": str(edge)}).items()))


def _edge(labels: Mapping[str, str]) -> float | None:
    """A bucket's upper edge; None where there is none."""
    try:
        edge = float(labels.get("le", ""))
    except ValueError:
        return None
    return None if math.isnan(edge) else edge


def _by_target(placed: Iterable[_Placed]) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for each in placed:
        target = targets.setdefault(each.target, Target(each.side, each.pod))
        for time, value in each.series.samples:
            target.scrapes.setdefault(time, {})[each.name] = value
    return targets


def _add_bad(target: Target, placed: _Placed) -> None:
    target.bad.add(placed.name)
    for time, value in placed.series.samples:
        # a scrape of which the other events are not known yet is the next look's
        if time in target.scrapes:
            target.scrapes[time][placed.name] = value


def _mark_unlabelled(source: Source, targets: dict[str, Target], all_: Iterable[_Placed]) -> None:
    """Bad events that are told apart by a label which is not there would be none for ever, and pass."""
    if source.total is None or any(each.name != source.total.name for each in source.bad):
        return
    telling = frozenset().union(*(each.labels for each in source.bad)) - source.total.labels
    if not telling:
        return
    told = {each.target for each in all_ if telling & each.series.labels.keys()}
    for key, target in targets.items():
        if key not in told:
            target.problem = f"its series have no label {' or '.join(sorted(telling))}, which tells bad events"


def _histograms(placed: Iterable[_Placed]) -> dict[str, Target]:
    kept = list(placed)
    targets = _by_target(kept)
    for each in kept:
        target, edge = targets[each.target], _edge(each.series.labels)
        if edge is None:
            target.problem = f'a bucket has the edge le="{each.series.labels.get("le", "")[:80]}"'
            edge = -math.inf
        group = _text(sorted(item for item in each.series.labels.items() if item[0] != "le"))
        target.buckets[each.name] = Bucket(group, edge)
    return targets


def _check_once(placed: Iterable[_Placed], beside: frozenset[str]) -> None:
    """Refuse events that are told twice: they would weigh twice, which no evidence allows for."""
    same: dict[str, list[_Placed]] = {}
    for each in placed:
        rest = _text(sorted(item for item in each.series.labels.items() if item[0] not in beside))
        same.setdefault(rest, []).append(each)
    for group in same.values():
        group.sort(key=lambda each: each.series.samples[0][0])
        for first, second in pairwise(group):
            if second.series.samples[0][0] <= first.series.samples[-1][0]:
                raise _doubled(first.series, second.series)


def _doubled(first: Series, second: Series) -> CouldNotDecide:
    labels = sorted(
        label
        for label in first.labels.keys() | second.labels.keys()
        if first.labels.get(label) != second.labels.get(label)
    )
    differ = ", ".join(
        f"{label} ({first.labels.get(label, '')[:80]!r} and {second.labels.get(label, '')[:80]!r})" for label in labels
    )
    return CouldNotDecide(
        "canary.series_doubled",
        f"two series of {first.labels.get('__name__', '')[:200]} hold the same events; they differ in {differ}",
        expected="each pod scraped by one job of one Prometheus",
        remedy=f"Add a matcher for {labels[0] if labels else 'job'} to the selector, or ask a store that deduplicates.",
    )
