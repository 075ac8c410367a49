"""What is known of every counter between two looks, and between two processes: so that a re-run goes on counting.

Without it a re-run would count the overlap twice, or take what a pod counted long ago for new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.core.errors import CouldNotDecide
from aegis.core.typed import convert
from aegis.gates.canary.increment import Side
from aegis.gates.canary.samples.counters import MOST, Counted, Known

VERSION: Final = 1
_Time = Annotated[float, Meta(ge=0, le=1e12)]
_Value = Annotated[float, Meta(ge=0, le=MOST)]


class _Known(Struct, frozen=True, forbid_unknown_fields=True):
    pod: str
    last: _Time
    start: _Time | None
    values: dict[str, _Value]


class _Counted(Struct, frozen=True, forbid_unknown_fields=True):
    since: _Time | None
    edges: tuple[float, ...]
    pods: tuple[str, ...]
    targets: dict[str, _Known]
    newest: dict[Side, _Time]
    left_out: tuple[str, ...]


class _Counters(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    began: _Time | None
    looked: _Time | None
    metrics: dict[str, _Counted]
    first: dict[str, _Time] = {}


class Counters:
    """All metrics of one watch as they were last counted."""

    def __init__(self) -> None:
        self.began: float | None = None
        """Unix seconds of the first look, by the store's clock."""
        self.looked: float | None = None
        """Of the latest."""
        self.first: dict[str, float] = {}
        """Each target's first scrape that told when its process began, Unix seconds."""
        self._metrics: dict[str, Counted] = {}

    def of(self, metric: str) -> Counted:
        """One metric's, new where there was none."""
        return self._metrics.setdefault(metric, Counted())

    def targets(self) -> set[str]:
        """The keys of all that ever told any metric."""
        return {key for counted in self._metrics.values() for key in counted.targets}

    def dump(self) -> dict[str, Any]:
        """As JSON's types, the same for the same counters."""
        return {
            "version": VERSION,
            "began": self.began,
            "looked": self.looked,
            "first": dict(sorted(self.first.items())),
            "metrics": {name: _dumped(self._metrics[name]) for name in sorted(self._metrics)},
        }

    @classmethod
    def load(cls, value: Any) -> Counters:
        """Of what `dump` gave. Raises CouldNotDecide `canary.counters_invalid` for anything else."""
        try:
            read = convert(value, _Counters)
        except (msgspec.ValidationError, RecursionError) as error:
            raise CouldNotDecide(
                "canary.counters_invalid",
                f"the kept counters are not what a look keeps: {error}",
                expected=f"counters as this version of Aegis writes them (version {VERSION})",
                remedy="Delete the state and begin the watch anew; if you did not expect this, look for who wrote it.",
            ) from error
        counters = cls()
        counters.began, counters.looked, counters.first = read.began, read.looked, dict(read.first)
        counters._metrics = {name: _loaded(each) for name, each in read.metrics.items()}
        return counters


def _dumped(counted: Counted) -> dict[str, Any]:
    return {
        "since": counted.since,
        "edges": list(counted.edges),
        "pods": sorted(counted.pods),
        "newest": dict(sorted(counted.newest.items())),
        "left_out": sorted(counted.left_out),
        "targets": {
            key: {
                "pod": known.pod,
                "last": known.last,
                "start": known.start,
                "values": dict(sorted(known.values.items())),
            }
            for key, known in sorted(counted.targets.items())
        },
    }


def _loaded(read: _Counted) -> Counted:
    targets: Mapping[str, _Known] = read.targets
    return Counted(
        read.since,
        read.edges,
        set(read.pods),
        {key: Known(each.pod, each.last, each.start, dict(each.values)) for key, each in targets.items()},
        dict(read.newest),
        set(read.left_out),
    )
