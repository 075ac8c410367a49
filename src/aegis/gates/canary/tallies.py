"""All metrics' counts and what they say, in columns: a look takes as long for a thousand metrics as for a few.

    increments ─_Batch→ columns ─_fresh→ what was not counted before ─_learn→ spread and clusters of the stable side
                                                                     ─_count→ both sides' counts ─_weigh→ evidence

Metrics, pods and lanes are rows of three tables; what is added up by metric is `bincount`. Where counts of one metric
follow each other (two scrapes of a pod, two intervals) they are taken in rounds, each with one of every metric.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from aegis.gates.canary.batch import Batch, Layout, rounds
from aegis.gates.canary.evidence import absolute, clustering
from aegis.gates.canary.evidence.arrays import MOST, Array, Flags, Indices, picked
from aegis.gates.canary.evidence.ratio import added, of_spread, trimmed, weigh
from aegis.gates.canary.evidence.spread import POSSIBLE, WINDOW, likely, of_ratio
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.tables import (
    CANARY,
    METRIC,
    NONE,
    POD,
    SPREADS,
    STABLE,
    Table,
    lane_row,
    lane_type,
    pod_row,
    take_metric,
    tally_of,
)
from aegis.gates.canary.tally import PLAIN, Tally, over

_WAIT: Final = 60.0
"""Seconds that counts of one side wait for the other: the longest usual interval of scrapes."""
_SLACK: Final = 15.0
"""Seconds: requests are compared with the clock after a window less this, before the next one would drop them."""
_LEAST: Final = 1e-9
"""Exposure that is as good as none."""
_GROWTH: Final = 1.2
"""Spread and clustering are estimated anew when the stable side's bad events have grown by a fifth."""


class Tallies:
    """What was counted of each metric of a plan; a `Tally` by name."""

    def __init__(self, plan: Plan, kept: Mapping[str, Tally] | None = None) -> None:
        """`kept`: of each metric, as it was saved."""
        self._plan = plan
        metrics = plan.metrics
        self._number = {metric.name: index for index, metric in enumerate(metrics)}
        self._grids = [over(metric) for metric in metrics]
        width = max(len(each.points) for each in self._grids)
        self._points, self._growth = np.zeros((len(metrics), width)), np.zeros((len(metrics), width))
        self._against = np.zeros((len(metrics), 4, width))
        for index, each in enumerate(self._grids):
            self._points[index, : len(each.points)] = each.points
            self._growth[index, : len(each.points)] = each.growth
        self._share, self._pace = (np.array([one.kind == kind for one in metrics]) for kind in ("share", "pace"))
        self._latency = np.array([one.kind == "latency" for one in metrics])
        self.weight = np.array([one.weight for one in metrics])
        self.critical = np.array([one.critical for one in metrics])
        self.limited = np.array([one.ceiling is not None for one in metrics])
        """Those with a ceiling."""
        self._floor = np.array([one.floor for one in metrics])
        self._ceiling = np.array([one.ceiling or math.nan for one in metrics])
        self._cluster = np.array([NONE if one.cluster is None else one.cluster for one in metrics])
        self._spread = np.array([NONE if one.spread is None else one.spread for one in metrics])
        self._lane = lane_type(width)
        self._marks: list[list[tuple[float, float]]] = [[] for _ in metrics]
        self._rows: list[dict[str, int]] = [{} for _ in metrics]
        self._lanes: list[range] = [range(0)] * len(metrics)
        self.metrics: Table = np.zeros(len(metrics), METRIC)
        for name, value in (("estimated", NONE), ("size", 1.0), ("since", NONE), ("weight", NONE)):
            self.metrics[name] = value
        self.metrics["part"][:, 0] = 1.0
        self.metrics["under"] = np.where(self.critical, 0.0, MOST)
        self.pods: Table = np.zeros(0, POD)
        self.lanes: Table = np.zeros(0, self._lane)
        if kept is not None:
            self._take(kept)
        self._bounds = _bounds(self._lanes)
        self._layout: Layout | None = None
        self._hypothesize(np.arange(len(metrics)))

    def __iter__(self) -> Iterator[str]:
        """The metrics' names."""
        return iter(self._number)

    def __getitem__(self, name: str) -> Tally:
        """What is kept of one metric, as it is now."""
        return self._tally(self._number[name])

    def strength(self, name: str) -> float:
        """The evidence (a logarithm) against the canary, whatever it is accused of."""
        index = self._number[name]
        own = self.metrics[index]
        return float(max(own["harm"], own["over"]) if self.limited[index] else own["harm"])

    def batch(self, increments: Sequence[Increment]) -> Batch:
        """The increments as columns. Raises CouldNotDecide `canary.increment_invalid` before anything is counted."""
        batch = Batch(self._plan, self._number, self._latency, increments, self._layout)
        self._add_pods(batch)
        self._add_lanes(batch)
        return batch

    def add(self, batch: Batch, start: float, weight: float | None) -> None:
        """Count what is new. `weight` is the canary's share of traffic by configuration, for the kind `share`.

        Of the time before the start only the stable side counts, and only for what it says of pods and clusters.
        """
        fresh = self._fresh(batch)
        pods = self.pods
        settled = self._pace[batch.metric] | (batch.time >= pods["born"][batch.pod] + self._plan.warm_up)
        fresh &= settled
        batch.spread_over_lanes(self._lanes, self._bounds, self.lanes["edge"])
        self._learn(batch, np.flatnonzero(fresh & ((batch.side == CANARY) == self._plan.first)))
        counted = np.flatnonzero(fresh & (batch.time > start))
        if not len(counted):
            return
        touched = np.flatnonzero(np.bincount(batch.metric[counted], minlength=len(self.metrics)))
        self._mark(touched, float(batch.time[counted].max()) - start)
        for chosen in rounds(batch.metric, batch.time, batch.time // self._plan.interval, counted):
            self._count(batch, chosen, NONE if weight is None else weight)
        self._estimate(touched)
        self._weigh(touched)

    def _add_pods(self, batch: Batch) -> None:
        """Give every increment its pod's row, and its side."""
        layout = batch.layout
        if layout is self._layout:
            return
        places = list(zip(layout.metric.tolist(), layout.pods, strict=True))
        new = {place for place in places if place[1] not in self._rows[place[0]]}
        if new:
            self._append(new)
        rows = self._rows
        layout.pod = np.array([rows[metric][pod] for metric, pod in places], np.intp)
        self.pods["side"][layout.pod] = layout.side
        self._layout = layout

    def _append(self, new: Collection[tuple[int, str]]) -> None:
        """Rows of pods that were not known, in their place: sums over pods must not depend on who came first."""
        known = [(metric, pod) for metric, rows in enumerate(self._rows) for pod in rows]
        more = np.zeros(len(new), POD)
        more["metric"] = [metric for metric, _ in new]
        for name in ("exposure", "open_exposure", "first_exposure"):
            more[name] = NONE
        more["last"], more["born"] = -np.inf, np.inf
        places = [*known, *new]
        order = sorted(range(len(places)), key=places.__getitem__)
        self.pods = np.concatenate((self.pods, more))[order]
        self._rows = [{} for _ in self._rows]
        for row, place in enumerate(order):
            metric, pod = places[place]
            self._rows[metric][pod] = row

    def _add_lanes(self, batch: Batch) -> None:
        """Make the lanes of metrics that had none: a histogram's first increment says its edges."""
        lacking = batch.metric[self._bounds[1][batch.metric] == 0]
        if not len(lacking):
            return
        earliest: dict[int, Increment] = {}
        for index in np.argsort(batch.time, kind="stable").tolist():
            earliest.setdefault(int(batch.metric[index]), batch.increments[index])
        made: list[Table] = []
        for metric in np.unique(lacking).tolist():
            plan = self._plan.metrics[metric]
            if plan.kind == "latency":
                lanes = [(edge, plan.direction == "decrease") for edge in earliest[metric].edges]
            else:
                ways = {"increase": (False,), "decrease": (True,), "either": (False, True)}[plan.direction]
                lanes = [(PLAIN, swapped) for swapped in ways]
            first = len(self.lanes) + len(made)
            self._lanes[metric] = range(first, first + len(lanes))
            made += [self._new_lane(metric, edge, swapped) for edge, swapped in lanes]
        self.lanes = np.concatenate((self.lanes, *made))
        self._bounds = _bounds(self._lanes)

    def _new_lane(self, metric: int, edge: float, swapped: bool) -> Table:
        lane = np.zeros(1, self._lane)
        lane["metric"], lane["edge"], lane["swapped"] = metric, edge, swapped
        lane["likelihood"][0, len(self._grids[metric].points) :] = -np.inf
        return lane

    def _fresh(self, batch: Batch) -> Flags:
        """Which increments are newer than what was counted of their pods; their times are noted."""
        pods, time, pod = self.pods, batch.time, batch.pod
        order = np.lexsort((time, pod))
        sorted_pod, sorted_time = pod[order], time[order]
        again = np.zeros(len(order), bool)
        again[1:] = (sorted_pod[1:] == sorted_pod[:-1]) & (sorted_time[1:] == sorted_time[:-1])
        fresh = np.zeros(len(order), bool)
        fresh[order] = (sorted_time > pods["last"][sorted_pod]) & ~again
        self.metrics["repeated"] += np.bincount(batch.metric[~fresh], minlength=len(self.metrics))
        np.maximum.at(pods["last"], pod[fresh], time[fresh])
        np.minimum.at(pods["born"], pod[fresh], time[fresh])
        np.maximum.at(self.metrics["newest"], (batch.metric[fresh], batch.side[fresh]), time[fresh])
        return fresh

    def _learn(self, batch: Batch, chosen: Indices) -> None:
        """Spread and clustering by the stable side; of a first version, clustering by its own pods."""
        metric, pod, bad = batch.metric[chosen], batch.pod[chosen], batch.first_bad[chosen]
        # how many requests a pod gets is counted by time, of which each scrape is one piece
        exposure = np.where(self._share[metric], 1.0, np.maximum(batch.exposure[chosen], bad))
        self.metrics["known"] += np.bincount(metric, bad, len(self.metrics))
        some = np.flatnonzero((self._cluster[metric] == NONE) & (exposure > 0))
        for each in rounds(pod, batch.time[chosen], batch.time[chosen], some):
            self._pair(metric[each], pod[each], exposure[each], bad[each])
        if self._plan.first:
            return
        some = np.flatnonzero(self._spread[metric] == NONE)
        window = batch.time[chosen] // WINDOW
        for each in rounds(metric, batch.time[chosen], window, some):
            self._open(metric[each], window[each], pod[each], exposure[each], bad[each])

    def _pair(self, metric: Indices, pod: Indices, exposure: Array, bad: Array) -> None:
        """Compare each increment with the one of the same pod that waits, or let it wait."""
        pods = self.pods
        waits = pods["first_exposure"][pod] != NONE
        before = pods["first_exposure"][pod[waits]], pods["first_bad"][pod[waits]]
        squares, variance = clustering.compared(before, exposure[waits], bad[waits])
        self.metrics["squares"] += np.bincount(metric[waits], squares, len(self.metrics))
        self.metrics["variance"] += np.bincount(metric[waits], variance, len(self.metrics))
        pods["first_exposure"][pod] = np.where(waits, NONE, exposure)
        pods["first_bad"][pod] = np.where(waits, 0.0, bad)

    def _open(self, metric: Indices, window: Array, pod: Indices, exposure: Array, bad: Array) -> None:
        """Add to the window that is open; a time in another one closes it."""
        pods = self.pods
        other = self.metrics["window"][metric] != window
        if other.any():
            self._close(metric[other])
            self.metrics["window"][metric] = window
        pods["open_exposure"][pod] = np.maximum(pods["open_exposure"][pod], 0.0)
        np.add.at(pods["open_exposure"], pod, exposure)
        np.add.at(pods["open_bad"], pod, bad)

    def _close(self, metric: Indices) -> None:
        pods, count = self.pods, len(self.metrics)
        closing = np.zeros(count, bool)
        closing[metric] = True
        rows = np.flatnonzero(closing[pods["metric"]] & (pods["open_exposure"] != NONE))
        of = pods["metric"][rows]
        own, own_bad = pods["open_exposure"][rows], pods["open_bad"][rows]
        exposure, bad = np.bincount(of, own, count), np.bincount(of, own_bad, count)
        compares = ((np.bincount(of, minlength=count) > 1) & (exposure > 0))[of]
        pods["bad"][rows] += np.where(compares, own_bad, 0.0)
        rate = bad[of] / np.where(compares, exposure[of], 1.0)
        pods["expected"][rows] += np.where(compares, own * rate, 0.0)
        pods["open_exposure"][rows], pods["open_bad"][rows] = NONE, 0.0

    def _mark(self, touched: Indices, passed: float) -> None:
        """Note the canary's counts where a window of a ceiling begins; what is counted from now on is after it."""
        for index in touched.tolist():
            window, marks = self._plan.metrics[index].window, self._marks[index]
            while window is not None and len(marks) <= min(passed // window, self._plan.windows(window) - 1):
                bad = float(self.lanes["bad"][self._lanes[index].start, CANARY])
                marks.append((bad, float(self._exposures()[index])))

    def _count(self, batch: Batch, chosen: Indices, weight: float) -> None:
        """Add the counts of one interval to those that wait, and make evidence of them when both sides are there."""
        table, lanes, count = self.metrics, self.lanes, len(self.metrics)
        metric, side, time = batch.metric[chosen], batch.side[chosen], batch.time[chosen]
        earliest, latest = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(earliest, metric, time)
        np.maximum.at(latest, metric, time)
        touched = np.isfinite(earliest)
        longest = np.where(self._share, WINDOW, _WAIT)
        # counts of one side compare nothing, and those of long ago compare other times
        fits = (table["since"] != NONE) & (table["weight"] == weight) & (earliest - table["since"] <= longest)
        self._wait(touched & ~fits, earliest, weight)
        exposure = batch.most[chosen]
        table["waiting"] += np.bincount(metric * 2 + side, exposure, count * 2).reshape(-1, 2)
        table["seen"][metric, side] = True
        pod = batch.pod[chosen]
        self.pods["exposure"][pod] = np.maximum(self.pods["exposure"][pod], 0.0)
        np.add.at(self.pods["exposure"], pod, exposure)
        of, lane, bad = batch.in_lanes(chosen)
        more = np.bincount(lane * 2 + batch.side[of], bad, len(lanes) * 2).reshape(-1, 2)
        lanes["waiting"] += more
        lanes["bad"] += more
        share = self._shares(latest)
        self._grow(touched & ~np.isnan(share), share)

    def _wait(self, which: Flags, since: Array | float, weight: float) -> None:
        """Begin anew for some metrics; without any counts."""
        table = self.metrics
        if which.any():
            table["since"], table["weight"] = (
                np.where(which, since, table["since"]),
                np.where(which, weight, table["weight"]),
            )
            table["waiting"][which], table["seen"][which] = 0.0, False
            self.lanes["waiting"][which[self.lanes["metric"]]] = 0.0

    def _shares(self, now: Array) -> Array:
        """The canary's part of the exposure; NaN where it is too early to compare."""
        table = self.metrics
        waiting = table["waiting"]
        # a side that was scraped and had no requests has been seen: its part is nothing
        counted = np.where(
            table["seen"].all(axis=1), waiting[:, CANARY] / np.maximum(waiting.sum(axis=1), _LEAST), math.nan
        )
        # requests are compared with the clock, so every pod must have been scraped about as often
        weight, long_enough = table["weight"], now - table["since"] >= WINDOW - _SLACK
        configured = np.where((weight > 0) & (weight < 1) & long_enough, weight, math.nan)
        return np.where(self._share, configured, counted)

    def _grow(self, ready: Flags, share: Array) -> None:
        lanes = self.lanes
        events = lanes["waiting"].sum(axis=1)
        rows = np.flatnonzero(ready[lanes["metric"]] & (events > 0))
        of = lanes["metric"][rows]
        metric, some, swapped = picked(of, len(self.metrics)), picked(rows, len(lanes)), lanes["swapped"][rows]
        own = np.where(swapped, lanes["waiting"][rows, STABLE], lanes["waiting"][rows, CANARY])
        part = np.where(swapped, 1 - share[of], share[of])
        lanes["likelihood"][some] += added(self._points[metric], self._growth[metric], part, own, events[rows])
        self._wait(ready, NONE, NONE)

    def _estimate(self, touched: Indices) -> None:
        table = self.metrics
        due = (table["estimated"][touched] < 0) | (table["known"][touched] > table["estimated"][touched] * _GROWTH)
        chosen = touched[due]
        if not len(chosen):
            return
        own = table[chosen]
        estimated = clustering.size(own["squares"], own["variance"])
        size = np.where(self._cluster[chosen] == NONE, estimated, self._cluster[chosen])
        pods = [self._effective(side)[chosen] for side in (CANARY, STABLE)]
        known = self._spread[chosen]
        parts, spreads = self._likely(chosen, size), of_ratio(POSSIBLE, pods[0][:, None], pods[1][:, None])
        is_known = known != NONE
        parts[is_known] = np.eye(1, SPREADS)
        spreads[is_known] = 0.0
        differ = np.flatnonzero(known > 0)
        spreads[differ, 0] = of_ratio(known[differ], pods[0][differ], pods[1][differ])
        table["estimated"][chosen], table["size"][chosen] = own["known"], size
        table["part"][chosen], table["spread"][chosen] = parts, spreads
        self._hypothesize(chosen)

    def _likely(self, chosen: Indices, size: Array) -> Array:
        """The probability of each spread, by the pods of the stable side."""
        place = np.full(len(self.metrics), -1)
        place[chosen] = np.arange(len(chosen))
        owner = place[self.pods["metric"]]
        rows = (owner >= 0) & (self.pods["expected"] > 0)
        return likely(self.pods["bad"][rows], self.pods["expected"][rows], owner[rows], size)

    def _effective(self, side: int) -> Array:
        """How many pods of equal exposure a side's pods are worth, by metric (Kish 1965); 1 at least."""
        rows = (self.pods["side"] == side) & (self.pods["exposure"] > 0)
        of, own, count = self.pods["metric"][rows], self.pods["exposure"][rows], len(self.metrics)
        sums, squares = np.bincount(of, own, count), np.bincount(of, np.square(own), count)
        return np.maximum(1.0, np.square(sums) / np.where(squares > 0, squares, 1.0))

    def _exposures(self) -> Array:
        """The canary's, by metric, since the start."""
        rows = (self.pods["side"] == CANARY) & (self.pods["exposure"] > 0)
        return np.asarray(np.bincount(self.pods["metric"][rows], self.pods["exposure"][rows], len(self.metrics)), float)

    def _hypothesize(self, chosen: Indices) -> None:
        """Bring the hypotheses of metrics up to what is known of their spread."""
        alike: dict[Any, list[int]] = {}
        for index, spreads in zip(chosen.tolist(), self.metrics["spread"][chosen].tolist(), strict=True):
            alike.setdefault((self._grids[index], *spreads), []).append(index)
        for (over_, *spreads), indices in alike.items():
            mixed = np.zeros((len(indices), 4, len(over_.points)))
            for column, spread in enumerate(spreads):
                part = self.metrics["part"][indices, column]
                if part.any():
                    mixed += part[:, None, None] * of_spread(over_, spread)
            self._against[indices, :, : len(over_.points)] = trimmed(mixed)

    def _weigh(self, touched: Indices) -> None:
        table, chosen = self.metrics, np.zeros(len(self.metrics), bool)
        chosen[touched] = True
        rows = picked(np.flatnonzero(chosen[self.lanes["metric"]]), len(self.lanes))
        lanes = self.lanes[rows]
        metric = lanes["metric"]
        size, exposure = table["size"][metric], self._exposures()[metric]
        harm, good = weigh(lanes["likelihood"], size, self._against[picked(metric, len(table))])
        canary_bad, floor = lanes["bad"][:, CANARY], self._floor[metric]
        if floor.any():
            common = absolute.above(canary_bad, exposure, floor, size)
            harm = np.where(floor > 0, np.minimum(harm, common), harm)
            rare = absolute.below(canary_bad, exposure, floor, size)
            good = np.where(floor > 0, _averaged(np.stack((good, rare), axis=1)), good)
        bad = np.where(lanes["swapped"], lanes["bad"][:, STABLE], canary_bad)
        harm = np.where(bad < self._plan.min_bad_events, np.minimum(harm, 0.0), harm)
        self.lanes["harm"][rows], self.lanes["good"][rows] = harm, good
        table["harm"][touched] = self._mean_of_lanes(harm, metric)[touched]
        table["peak"][touched] = np.maximum(table["peak"][touched], table["harm"][touched])
        first = self._bounds[0][touched]
        table["good"][touched] = self.lanes["good"][first]
        self._weigh_ceilings(touched, first)

    def _mean_of_lanes(self, harm: Array, metric: Indices) -> Array:
        count = len(self.metrics)
        top = np.full(count, -MOST)
        np.maximum.at(top, metric, harm)
        lanes = np.maximum(np.bincount(metric, minlength=count), 1)
        sums = np.bincount(metric, np.exp(harm - top[metric]) / lanes[metric], count)
        with np.errstate(divide="ignore"):
            return np.asarray(np.clip(top + np.log(sums), -MOST, MOST), float)

    def _weigh_ceilings(self, touched: Indices, first: Indices) -> None:
        has = self.limited[touched]
        if not has.any():
            return
        metric, table = touched[has], self.metrics
        bad, exposure = self.lanes["bad"][first[has], CANARY], self._exposures()[metric]
        ceiling, size = self._ceiling[metric], table["size"][metric]
        evidence = absolute.above(bad, exposure, ceiling, size)
        for place, index in enumerate(metric.tolist()):
            window = self._plan.metrics[index].window
            if window is not None:
                parts, marks = self._plan.windows(window), self._marks[index]
                told = float(bad[place]), float(exposure[place]), float(ceiling[place]), float(size[place])
                evidence[place] = absolute.above_since(marks, *told, parts)
        self._weigh_under(metric, bad, exposure)
        table["over"][metric] = np.where(bad < self._plan.min_bad_events, np.minimum(evidence, 0.0), evidence)
        if self._plan.first:
            table["good"][metric] = table["under"][metric]

    def _weigh_under(self, metric: Indices, bad: Array, exposure: Array) -> None:
        """What speaks for a share below the ceiling; that it is above it just now speaks against any promotion.

        Where both sides fail alike, the comparison finds nothing wrong. A metric that is not critical needs no evidence
        of its own: it only must not be over its ceiling.
        """
        ceiling, critical = self._ceiling[metric], self.critical[metric]
        evidence = absolute.below(bad, exposure, ceiling, self.metrics["size"][metric])
        is_over = bad > ceiling * exposure
        # this window and the one before: one that has just begun says little
        marks = [(self._marks[index][-2:] or [(0.0, 0.0)])[0] for index in metric.tolist()]
        since = np.array(marks)
        is_over_now = bad - since[:, 0] > ceiling * (exposure - since[:, 1])
        evidence = np.where(is_over_now, np.minimum(evidence, 0.0), evidence)
        self.metrics["under"][metric] = np.where(critical, evidence, np.where(is_over | is_over_now, -MOST, MOST))

    def _tally(self, index: int) -> Tally:
        names = list(self._rows[index])
        first = self._rows[index][names[0]] if names else 0
        lanes = self._lanes[index]
        table = self.lanes[lanes.start : lanes.stop]
        points = len(self._grids[index].points)
        return tally_of(
            self.metrics[index], names, self.pods[first : first + len(names)], table, points, self._marks[index]
        )

    def _take(self, kept: Mapping[str, Tally]) -> None:
        """What was saved."""
        pods: list[tuple[Any, ...]] = []
        lanes: list[tuple[Any, ...]] = []
        for name, index in self._number.items():
            tally = kept[name]
            take_metric(self.metrics[index], tally)
            self._marks[index] = list(tally.marks)
            names = sorted(tally.last)
            self._rows[index] = {pod: len(pods) + number for number, pod in enumerate(names)}
            pods += [pod_row(index, pod, tally) for pod in names]
            self._lanes[index] = range(len(lanes), len(lanes) + len(tally.lanes))
            lanes += [lane_row(index, number, tally, self._points.shape[1]) for number in range(len(tally.lanes))]
        self.pods = np.array(pods, POD)
        self.lanes = np.array(lanes, self._lane)


def _bounds(lanes: Sequence[range]) -> Indices:
    """The first lane of each metric, and how many it has."""
    return np.array([[each.start for each in lanes], [len(each) for each in lanes]], np.intp)


def _averaged(pairs: Array) -> Array:
    """The logarithm of the mean of two that are given as logarithms."""
    return np.clip(np.logaddexp(pairs[:, 0], pairs[:, 1]) - math.log(2), -MOST, MOST)
