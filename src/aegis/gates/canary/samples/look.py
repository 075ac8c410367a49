"""One look at all metrics: the queries, whose series they are, and what was counted since the look before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.core.ports.metrics import Metrics
from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.samples.counters import Counted, Target, Unusable, common_edges, count
from aegis.gates.canary.samples.gather import Gatherer
from aegis.gates.canary.samples.sides import Scope
from aegis.gates.canary.samples.sources import Source
from aegis.gates.canary.samples.spelling import unmatched
from aegis.gates.canary.samples.state import Counters

OVERLAP: Final = 4
"""Scrapes that each look reads again, so that one which came late or was missed is counted by the next."""
SETTLED: Final = 2
"""Scrapes after which every target that was up at the beginning has been seen."""
MAX_GAP: Final = 3600
"""Seconds since the look before that are read at most: of a longer gap only the sum is known, not the resets in it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look found."""

    time: float
    """Unix seconds by the store's clock."""
    increments: tuple[Increment, ...]
    """In the order of their scrapes."""
    newest: Mapping[str, Mapping[Side, float]]
    """Metric → side → Unix seconds of the newest scrape that could be counted, of this look or of one before."""
    unusable: tuple[Unusable, ...]
    notices: tuple[str, ...]
    out_of_reach: tuple[str, ...] = ()
    """The canary's pods that are scraped in vain, e.g. since they hang: how they answer is not told by the others."""

    @property
    def blind(self) -> bool:
        """Whether there is a canary that could not be counted, so that nothing speaks for a promotion now."""
        return bool(self.out_of_reach) or any(each.side == "canary" for each in self.unusable)


def look(
    metrics: Metrics,
    sources: Sequence[Source],
    starts: Source,
    scope: Scope,
    counters: Counters,
    *,
    scrape_interval: int,
    history: int = 0,
) -> Reading:
    """Count what happened since the look before, and bring `counters` up to date.

    `starts`: of `sources.starts_of`. `scrape_interval`: seconds, the longest of the targets'. `history`: seconds of the
    past that the first look reads. Raises CouldNotDecide with a `canary.…` code; then `counters` are as they were.
    """
    now = metrics.now()
    gatherer = Gatherer(metrics, scope, _window(now, counters.looked, scrape_interval, history), now)
    gathered = [gatherer.targets(source) for source in sources]
    told = counters.targets().union(*(targets for targets, _ in gathered))
    out_of_reach = gatherer.out_of_reach(starts, told, OVERLAP * scrape_interval)
    began_at = gatherer.starts(starts)
    began = now if counters.began is None else counters.began
    for key, starts_seen in began_at.items():
        counters.first[key] = min(counters.first.get(key, math.inf), *starts_seen)
    increments: list[Increment] = []
    unusable: list[Unusable] = []
    notices: list[str] = []
    for source, (targets, strays) in zip(sources, gathered, strict=True):
        unusable += strays
        counted = counters.of(source.metric)
        for key, target in targets.items():
            target.starts, target.first = began_at.get(key, {}), counters.first.get(key, math.inf)
        if source.buckets is not None and not counted.edges:
            unusable += _fix_edges(source, counted, targets, compared=scope.sides.compared)
        made, not_made = count(source.metric, counted, targets, began=began, settle=SETTLED * scrape_interval)
        if source.buckets is not None and not counted.edges:
            # where counting begins is known now; of what was before the edges are known, nothing can be judged
            counted.newest.clear()
            continue
        increments += made
        unusable += not_made
        if source.bad and not any(target.bad for target in targets.values()):
            there = unmatched(source, gatherer.events(source)) or source.bad[0].name
            notices.append(f"{source.metric}: no series of bad events yet ({there})")
            unusable += [] if strays else _uncounted(source, targets)
    counters.began, counters.looked = began, now
    return Reading(
        now,
        tuple(sorted(increments, key=lambda each: each.time)),
        {source.metric: dict(counters.of(source.metric).newest) for source in sources},
        tuple(unusable),
        tuple(notices),
        out_of_reach,
    )


def _window(now: float, looked: float | None, scrape_interval: int, history: int) -> int:
    if looked is None:
        return max(history, OVERLAP * scrape_interval)
    return OVERLAP * scrape_interval + min(max(0, math.ceil(now - looked)), MAX_GAP)


def _uncounted(source: Source, targets: Mapping[str, Target]) -> list[Unusable]:
    """Of bad events that have a counter of their own, which nobody has: misspelt, it would say none for ever, and pass.

    A label's value may be one that has never been, e.g. `code="500"`. A counter can be there from the start:
    https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
    """
    if source.total is None or any(each.name == source.total.name for each in source.bad):
        return []
    why = f"no pod has its counter of bad events, {source.bad[0].name}: name another one, or expose it as 0"
    return [Unusable(source.metric, target.side, target.pod, why) for target in targets.values()]


def _fix_edges(source: Source, counted: Counted, targets: Mapping[str, Target], *, compared: bool) -> list[Unusable]:
    """Choose the bucket edges that both sides have, as soon as both are there."""
    sides = {target.side for target in targets.values()}
    if "canary" not in sides or (compared and "stable" not in sides):
        return []
    counted.edges = common_edges(targets.values(), source.slo)
    if counted.edges:
        return []
    why = f"its histograms share no finite bucket edge at or above {source.slo:g}"
    return [Unusable(source.metric, each.side, each.pod, why) for each in targets.values()]
