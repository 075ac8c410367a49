"""The increments of one look as columns, and the order in which those of one metric are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.evidence.arrays import Array, Flags, Indices
from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.tally import LARGEST, SMALLEST, check


@dataclass(slots=True)
class Layout:
    """Whose the increments of a look are: most looks have those of the look before."""

    names: Sequence[str]
    sides: Sequence[Side]
    pods: Sequence[str]
    metric: Indices
    side: Indices
    """0: canary, 1: stable."""
    pod: Indices | None = None
    """Each one's row among pods, once it has one."""


class Batch:
    """Increments, checked; a number of each column for every one of them."""

    def __init__(
        self,
        plan: Plan,
        number: Mapping[str, int],
        latency: Flags,
        increments: Sequence[Increment],
        before: Layout | None,
    ) -> None:
        """`number`: each metric's. Raises CouldNotDecide `canary.increment_invalid`."""
        self.increments = increments
        # a list a column, not a tuple an increment: those would cost more than all that is counted afterwards
        names, sides, pods = (
            [one.metric for one in increments],
            [one.side for one in increments],
            [one.pod for one in increments],
        )
        bads, edges = [one.bad for one in increments], [one.edges for one in increments]
        if before is not None and (names, sides, pods) == (before.names, before.sides, before.pods):
            self.layout = before
        else:
            self.layout = _layout(names, sides, pods, number)
        self.metric, self.side = self.layout.metric, self.layout.side
        self.time = np.array([one.time for one in increments], float)
        self.exposure = np.array([one.exposure for one in increments], float)
        self._bads, self._edges = bads, edges
        self._is_latency = latency[self.metric]
        plain = not self._is_latency.any()
        if plain and set(map(len, bads)) == {1} and not any(edges):
            self._flat = _floats(chain.from_iterable(bads))
            wrong = ~_are_counts(self._flat)
        else:
            self._flat = _floats(bad[0] if bad else -1.0 for bad in bads)
            wrong = np.ones(len(increments), bool)
        wrong |= ~(np.isfinite(self.time) & (self.time >= 0) & _are_counts(self.exposure))
        for index in np.flatnonzero(wrong).tolist():
            check(increments[index], plan.metrics[self.metric[index]])
        # a request may be counted as failed just before it is counted at all
        self.most: Array = np.maximum(self.exposure, self._flat if plain else _floats(map(max, bads)))

    @property
    def pod(self) -> Indices:
        """Each one's row among pods."""
        assert self.layout.pod is not None  # noqa: S101 - given before anything is counted
        return self.layout.pod

    def spread_over_lanes(self, lanes: Sequence[range], bounds: Indices, edges: Array) -> None:
        """Which lanes each increment's bad events belong to; an edge that it no longer has gives none.

        `bounds`: the first lane of each metric, and how many it has.
        """
        first, count = bounds[0][self.metric], bounds[1][self.metric]
        plain = np.flatnonzero(~self._is_latency)
        of, to, bad = [plain], [first[plain]], [self._flat[plain]]
        both = plain[count[plain] == 2]
        if len(both):
            of, to, bad = [*of, both], [*to, first[both] + 1], [*bad, self._flat[both]]
        self.first_bad: Array = self._flat.copy()
        """Of each one's first lane."""
        if len(plain) < len(self.increments):
            more_of, more_to, more_bad = [], [], []
            for index in np.flatnonzero(self._is_latency).tolist():
                told = dict(zip(self._edges[index], self._bads[index], strict=True))
                own = lanes[self.metric[index]]
                found = [told.get(edge, 0.0) for edge in edges[own.start : own.stop].tolist()]
                self.first_bad[index] = found[0]
                more_of += [index] * len(own)
                more_to += own
                more_bad += found
            of, to, bad = [*of, np.array(more_of)], [*to, np.array(more_to)], [*bad, _floats(more_bad)]
        self._of, self._to, self._bad = np.concatenate(of), np.concatenate(to), np.concatenate(bad)

    def in_lanes(self, chosen: Indices) -> tuple[Indices, Indices, Array]:
        """Of some increments: which one, which lane, and how many bad events."""
        if len(chosen) == len(self.increments):
            return self._of, self._to, self._bad
        mask = np.zeros(len(self.increments), bool)
        mask[chosen] = True
        some = mask[self._of]
        return self._of[some], self._to[some], self._bad[some]


def _layout(names: Sequence[str], sides: Sequence[Side], pods: Sequence[str], number: Mapping[str, int]) -> Layout:
    for name in set(names) - number.keys():
        raise CouldNotDecide(
            "canary.increment_invalid",
            f"an increment of the metric {name!r:.120}, which the plan does not have",
            expected=f"one of {', '.join(number)}",
            remedy="start again with the policy's own metrics",
        )
    metric = np.array([number[name] for name in names], np.intp)
    return Layout(names, sides, pods, metric, np.array([side == "stable" for side in sides], np.intp))


def rounds(owner: Indices, time: Array, kind: Array, chosen: Indices) -> Iterator[Indices]:
    """Parts of what is chosen, in the order of time: each has of one owner those of one kind, and no owner twice.

    Of an owner the first part holds its first kind, the second its second one.
    """
    if not len(chosen):
        return
    order = chosen[np.lexsort((time[chosen], owner[chosen]))]
    new_owner = np.ones(len(order), bool)
    new_owner[1:] = owner[order][1:] != owner[order][:-1]
    new = new_owner.copy()
    new[1:] |= kind[order][1:] != kind[order][:-1]
    number = np.cumsum(new)
    number -= np.maximum.accumulate(np.where(new_owner, number, 0))
    last = int(number.max())
    if last == 0:
        yield order
        return
    by_number = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[by_number], np.arange(last + 2))
    for first, end in pairwise(bounds):
        yield order[by_number[first:end]]


def _are_counts(values: Array) -> Flags:
    return np.asarray((values == 0) | ((values >= SMALLEST) & (values <= LARGEST)), bool)


def _floats(values: Iterable[float]) -> Array:
    return np.fromiter(values, float)
