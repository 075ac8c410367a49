"""Counts between scrapes, from samples that overlap from look to look.

A target (one process's exposition) is scraped as a whole: all series of one scrape have the same time. Between two
scrapes that follow each other each series adds its difference. The rules for what has no earlier sample, or a larger
one:

- a series that appears in a target which was scraped before counts from zero: so a first `code="500"` is an event;
- a series below its earlier value was reset, and counts from zero; the buckets of one histogram are reset together;
- where `process_start_time_seconds` shows another start between the two scrapes, every series counts from zero;
- a target whose process began after the watch did counts from zero, and so does one that was scraped before without
  this metric; where no start is told, a canary's whose pod was not there while others were; of any other target, and
  of one whose first scrapes had to be left out, the first scrape is only where counting begins;
- scrapes that are missing add nothing by themselves: the difference across the gap is what happened in it;
- a scrape with a value that no counter has, or with buckets that contradict each other, is left out, and told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from aegis.gates.canary.increment import Increment, Side

MOST: Final = float(2**53)
"""Beyond it a double skips integers, so differences are no counts any more."""
START_SKEW: Final = 5.0
"""Seconds by which a node's clock and the store's may differ when a start is placed between two scrapes."""
START_JITTER: Final = 1.5
"""Seconds: some clients compute a start anew each time, from whole seconds."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Samples that could not be counted."""

    metric: str
    side: Side
    pod: str
    why: str


@dataclass(slots=True)
class Known:
    """One target as it was last counted."""

    pod: str
    """What its increments call it: the pod's name; of a pod's further targets, with their own key."""
    last: float
    """Unix seconds of that scrape."""
    start: float | None
    """Unix seconds at which its process began, where it tells."""
    values: dict[str, float] = field(default_factory=dict)
    """Of each series that was ever seen in it."""


@dataclass(slots=True)
class Counted:
    """One metric as it was last counted."""

    since: float | None = None
    """Unix seconds of the first scrape that was ever seen."""
    edges: tuple[float, ...] = ()
    """Of a histogram: the bucket edges at or above the SLO that both sides have. They never change."""
    pods: set[str] = field(default_factory=set)
    targets: dict[str, Known] = field(default_factory=dict)
    newest: dict[Side, float] = field(default_factory=dict)
    """Unix seconds of each side's newest scrape that could be counted."""
    left_out: set[str] = field(default_factory=set)
    """Targets of which a scrape had to be left out before any was counted: they had this metric then."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a bucket's series is."""

    group: str
    """The histogram that it is part of."""
    edge: float


@dataclass(slots=True)
class Target:
    """What one look saw of one target."""

    side: Side
    pod: str
    scrapes: dict[float, dict[str, float]] = field(default_factory=dict)
    """Time → series → value."""
    exposure: set[str] = field(default_factory=set)
    """The series that are all events; without any, exposure is time."""
    bad: set[str] = field(default_factory=set)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    starts: Mapping[float, float] = field(default_factory=dict)
    """Time of a scrape → when the process began."""
    first: float = math.inf
    """Unix seconds of the first scrape that told a start, of any look: it may have had nothing of this metric yet."""
    problem: str = ""
    """Why none of its scrapes can be counted."""


class _UnusableError(ValueError):
    """Why a scrape cannot be counted."""


def count(
    metric: str, counted: Counted, targets: Mapping[str, Target], *, began: float, settle: float
) -> tuple[list[Increment], list[Unusable]]:
    """What the targets counted since `counted`, which is brought up to date.

    `targets`: by a key that stays the same from look to look. `began`: when the watch began, Unix seconds. `settle`:
    seconds after the first scrape within which a target that is new to us may be old.
    """
    seen = [time for target in targets.values() for time in target.scrapes]
    if counted.since is None and seen:
        counted.since = min(seen)
    old = (counted.since or 0.0) + settle
    # of a pod that was not there before this look, all targets are new
    pods = frozenset(counted.pods)
    increments: list[Increment] = []
    unusable: list[Unusable] = []
    for key, target in targets.items():
        told = ""
        for time in sorted(target.scrapes):
            known = counted.targets.get(key)
            if known is not None and time <= known.last:
                continue
            scrape, start = target.scrapes[time], target.starts.get(time)
            grown: tuple[float, tuple[float, ...]] | None = None
            try:
                _check_problem(target)
                _check_values(scrape)
                _check_buckets(target, scrape, counted.edges)
                if known is not None:
                    reset = _reset(target, known, scrape, start, time)
                    grown = _grown(target, known.values, scrape, reset, counted.edges, time - known.last)
                elif _is_new(
                    target,
                    time,
                    start,
                    began=began,
                    unseen=target.pod not in pods,
                    old=old,
                    had=key in counted.left_out,
                ):
                    grown = _grown(target, {}, scrape, frozenset(), counted.edges, 0.0)
            except _UnusableError as error:
                told = str(error)
                if known is None:
                    counted.left_out.add(key)
                continue
            told = ""  # the difference across what was left out is whole
            if known is None:
                pod = target.pod if target.pod not in counted.pods else f"{target.pod} {key}"
                known = counted.targets[key] = Known(pod, time, start)
                counted.pods.add(target.pod)
                counted.left_out.discard(key)
            elif _begins_anew(target, known, scrape, start, time):
                # what the new process has not shown yet will count from zero
                known.values.clear()
            known.last, known.start = time, start if start is not None else known.start
            known.values.update(scrape)
            counted.newest[target.side] = max(time, counted.newest.get(target.side, time))
            if grown is not None:
                increments.append(Increment(metric, target.side, known.pod, time, *grown, edges=counted.edges))
        if told:
            unusable.append(Unusable(metric, target.side, target.pod, told))
    return increments, unusable


def common_edges(targets: Iterable[Target], slo: float) -> tuple[float, ...]:
    """The finite edges at or above the SLO that every histogram of these targets has, rising."""
    groups: dict[tuple[int, str], set[float]] = {}
    for number, target in enumerate(targets):
        for bucket in target.buckets.values():
            groups.setdefault((number, bucket.group), set()).add(bucket.edge)
    shared = set.intersection(*groups.values()) if groups else set()
    return tuple(sorted(edge for edge in shared if slo <= edge < math.inf))


def _is_new(
    target: Target, time: float, start: float | None, *, began: float, unseen: bool, old: float, had: bool
) -> bool:
    """Whether all that a target has counted happened during the watch.

    `had`: it had the metric in an earlier scrape, which was left out. A stable pod without a start may have been
    unreachable for a while, and count since long ago; a canary's cannot.
    """
    if start is not None:
        return (target.first < time and not had) or began - START_JITTER < start <= time + START_SKEW
    return target.side == "canary" and unseen and time > old


def _has_restarted(known: Known, start: float | None, time: float) -> bool:
    """A start that lies between the two scrapes; a clock that was set moves a start anywhere else."""
    if start is None or known.start is None or start - known.start <= START_JITTER:
        return False
    return known.last - START_SKEW < start <= time + START_SKEW


def _begins_anew(target: Target, known: Known, scrape: Mapping[str, float], start: float | None, time: float) -> bool:
    """Whether the process is another one, by its start or because all that it counts fell."""
    all_ = (target.exposure or target.bad or target.buckets.keys()) & scrape.keys()
    return _has_restarted(known, start, time) or (
        bool(all_) and all(scrape[key] < known.values.get(key, 0.0) for key in all_)
    )


def _reset(
    target: Target, known: Known, scrape: Mapping[str, float], start: float | None, time: float
) -> frozenset[str]:
    """The series that count from zero."""
    if _has_restarted(known, start, time):
        return frozenset(scrape)
    fallen = {key for key, value in scrape.items() if value < known.values.get(key, 0.0)}
    groups = {target.buckets[key].group for key in fallen if key in target.buckets}
    return frozenset(
        key for key in scrape if key in fallen or (key in target.buckets and target.buckets[key].group in groups)
    )


def _grown(
    target: Target,
    before: Mapping[str, float],
    scrape: Mapping[str, float],
    reset: frozenset[str],
    edges: Sequence[float],
    seconds: float,
) -> tuple[float, tuple[float, ...]]:
    """Exposure and bad events since `before`."""
    added = {key: value if key in reset else value - before.get(key, 0.0) for key, value in scrape.items()}
    if not target.buckets:
        exposure = sum(added[key] for key in target.exposure & added.keys()) if target.exposure else seconds
        return exposure, (float(sum(added[key] for key in target.bad & added.keys())),)
    total = sum(each for key, each in added.items() if target.buckets[key].edge == math.inf)
    above = []
    for edge in edges:
        below = sum(each for key, each in added.items() if target.buckets[key].edge == edge)
        if below > total:
            raise _UnusableError(f"its buckets up to {edge:g} have grown by {below:g}, and all of them by {total:g}")
        above.append(total - below)
    return total, tuple(above)


def _check_problem(target: Target) -> None:
    if target.problem:
        raise _UnusableError(target.problem)


def _check_values(scrape: Mapping[str, float]) -> None:
    for key, value in scrape.items():
        if not 0.0 <= value <= MOST:
            raise _UnusableError(f"the value {value:g} of {key[:200]} is none that a counter has")


def _check_buckets(target: Target, scrape: Mapping[str, float], edges: Sequence[float]) -> None:
    if not target.buckets:
        return
    groups: dict[str, list[tuple[float, float]]] = {}
    for key, value in scrape.items():
        bucket = target.buckets[key]
        groups.setdefault(bucket.group, []).append((bucket.edge, value))
    for buckets in groups.values():
        buckets.sort()
        if buckets[-1][0] != math.inf:
            raise _UnusableError('a histogram has no bucket le="+Inf"')
        if not {edge for edge, _ in buckets} >= set(edges):
            raise _UnusableError("a histogram lacks a bucket that it had")
        for (edge, value), (above, more) in pairwise(buckets):
            if more < value:
                raise _UnusableError(f'the bucket le="{above:g}" holds {more:g}, and le="{edge:g}" holds {value:g}')
