"""The columns of what is counted, a table each of metrics, pods and lanes; and how they are saved, metric by metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aegis.gates.canary.evidence.clustering import Clustering
from aegis.gates.canary.evidence.spread import POSSIBLE, Spread
from aegis.gates.canary.increment import Side
from aegis.gates.canary.tally import Lane, Tally, Waiting

NONE: Final = -1.0
"""In a column of what is never negative: there is none."""
CANARY, STABLE = 0, 1
_SIDES: Final[tuple[Side, Side]] = ("canary", "stable")
SPREADS: Final = len(POSSIBLE)

METRIC: Final = np.dtype(
    [
        *((name, "f8") for name in ("known", "estimated", "size", "squares", "variance", "window")),
        *((name, "f8") for name in ("harm", "over", "under", "good", "peak", "since", "weight")),
        ("repeated", "i8"),
        *((name, "f8", (2,)) for name in ("newest", "waiting")),
        ("seen", "?", (2,)),
        *((name, "f8", (SPREADS,)) for name in ("part", "spread")),
    ]
)
"""As in `Tally`; `waiting`, `seen` and `newest` by side, `since` of what waits."""
POD: Final = np.dtype(
    [
        ("metric", "i8"),
        ("side", "i8"),
        *((name, "f8") for name in ("last", "born", "exposure", "bad", "expected")),
        *((name, "f8") for name in ("open_exposure", "open_bad", "first_exposure", "first_bad")),
    ]
)
"""As in `Tally`, `Spread` and `Clustering`."""
Table = npt.NDArray[np.void]


def lane_type(points: int) -> Any:
    """As in `Lane`, for grids of so many points at most; those that a grid does not have are -infinity."""
    return np.dtype(
        [
            ("metric", "i8"),
            *((name, "f8") for name in ("edge", "harm", "good")),
            ("swapped", "?"),
            *((name, "f8", (2,)) for name in ("bad", "waiting")),
            ("likelihood", "f8", (points,)),
        ]
    )


def tally_of(
    own: Any, names: Sequence[str], pods: Table, lanes: Table, points: int, marks: Sequence[tuple[float, float]]
) -> Tally:
    """One metric as it is saved: its row, its pods' names and rows, and its lanes."""
    columns = {name: dict(zip(names, pods[name].tolist(), strict=True)) for name in _OF_PODS}

    def both(first: str, second: str) -> dict[str, tuple[float, float]]:
        return {pod: (value, columns[second][pod]) for pod, value in columns[first].items() if value != NONE}

    exposure = {
        side: {
            pod: value for pod, value in columns["exposure"].items() if value != NONE and columns["side"][pod] == number
        }
        for number, side in enumerate(_SIDES)
    }
    told = {pod for pod, value in columns["expected"].items() if value > 0}
    mixed = list(zip(own["part"].tolist(), own["spread"].tolist(), strict=True))
    return Tally(
        lanes=[_lane(lane, points) for lane in lanes],
        last=columns["last"],
        born=columns["born"],
        canary=exposure["canary"],
        stable=exposure["stable"],
        waiting=_waiting(own, lanes),
        spread=Spread(
            bad={pod: value for pod, value in columns["bad"].items() if pod in told},
            expected={pod: value for pod, value in columns["expected"].items() if pod in told},
            window=float(own["window"]),
            open=both("open_exposure", "open_bad"),
        ),
        clustering=Clustering(
            squares=float(own["squares"]),
            variance=float(own["variance"]),
            first=both("first_exposure", "first_bad"),
        ),
        marks=list(marks),
        mix=mixed if mixed[0][0] != 1.0 else mixed[:1],
        newest={side: time for side, time in zip(_SIDES, own["newest"].tolist(), strict=True) if time},
        repeated=int(own["repeated"]),
        **{name: float(own[name]) for name in _NUMBERS},
    )


_OF_PODS: Final = tuple(name for name in POD.names or () if name != "metric")
_NUMBERS: Final = ("estimated", "known", "size", "harm", "over", "under", "good", "peak")


def _lane(lane: Any, points: int) -> Lane:
    canary_bad, stable_bad = lane["bad"].tolist()
    return Lane(
        edge=float(lane["edge"]),
        swapped=bool(lane["swapped"]),
        likelihood=lane["likelihood"][:points].tolist(),
        canary_bad=canary_bad,
        stable_bad=stable_bad,
        harm=float(lane["harm"]),
        good=float(lane["good"]),
    )


def _waiting(own: Any, lanes: Table) -> Waiting | None:
    if own["since"] == NONE:
        return None
    (canary, stable), (canary_bad, stable_bad) = own["waiting"].tolist(), lanes["waiting"].T.tolist()
    return Waiting(
        since=float(own["since"]),
        weight=None if own["weight"] == NONE else float(own["weight"]),
        canary=canary,
        stable=stable,
        canary_bad=canary_bad,
        stable_bad=stable_bad,
        seen={side for side, seen in zip(_SIDES, own["seen"].tolist(), strict=True) if seen},
    )


def take_metric(own: Any, tally: Tally) -> None:
    """Fill a metric's row with what was saved."""
    for name in (*_NUMBERS, "repeated"):
        own[name] = getattr(tally, name)
    own["squares"], own["variance"] = tally.clustering.squares, tally.clustering.variance
    own["window"] = tally.spread.window
    own["part"], own["spread"] = 0.0, 0.0
    own["part"][: len(tally.mix)] = [part for part, _ in tally.mix]
    own["spread"][: len(tally.mix)] = [spread for _, spread in tally.mix]
    own["newest"] = [tally.newest.get(side, 0.0) for side in _SIDES]
    if (waiting := tally.waiting) is not None:
        own["since"], own["weight"] = waiting.since, NONE if waiting.weight is None else waiting.weight
        own["waiting"] = waiting.canary, waiting.stable
        own["seen"] = [side in waiting.seen for side in _SIDES]


def pod_row(metric: int, pod: str, tally: Tally) -> tuple[Any, ...]:
    """A row of the table of pods, in the order of its columns."""
    spread = tally.spread
    return (
        metric,
        CANARY if pod in tally.canary else STABLE,
        tally.last[pod],
        tally.born[pod],
        tally.canary.get(pod, tally.stable.get(pod, NONE)),
        spread.bad.get(pod, 0.0),
        spread.expected.get(pod, 0.0),
        *spread.open.get(pod, (NONE, 0.0)),
        *tally.clustering.first.get(pod, (NONE, 0.0)),
    )


def lane_row(metric: int, number: int, tally: Tally, points: int) -> tuple[Any, ...]:
    """A row of the table of lanes, in the order of its columns."""
    lane, waiting = tally.lanes[number], tally.waiting
    return (
        metric,
        lane.edge,
        lane.harm,
        lane.good,
        lane.swapped,
        (lane.canary_bad, lane.stable_bad),
        (waiting.canary_bad[number], waiting.stable_bad[number]) if waiting is not None else (0.0, 0.0),
        (*lane.likelihood, *([-np.inf] * (points - len(lane.likelihood)))),
    )
