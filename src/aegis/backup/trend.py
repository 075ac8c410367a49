"""How long restores take as a database grows, and how long they will take: a line through what was measured.

The line is Theil's and Sen's: its slope is the median of the slopes between all pairs of points, so that one restore on
a busy machine does not bend it (P. K. Sen, JASA 63, 1968). Compared are only restores of one tier, since each tier
leaves other work out.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from aegis.backup.records import Record
from aegis.core.policy import Tier

FEWEST = 3
"""Restores of different sizes below which there is no line, only a ratio."""
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Point:
    """One restore that passed."""

    finished: datetime
    seconds: float
    """Of all phases but the comparison (RTO)."""
    size: int
    """Bytes of the backup's objects."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What restores have taken, and the formula by which they will take more."""

    tier: Tier
    """Of all points; the newest restore's."""
    points: tuple[Point, ...]
    """Oldest first; at least one."""
    fixed: float
    """Seconds whatever the size is."""
    per_mib: float
    """Seconds for each MiB of the backup."""

    def seconds_at(self, size: int) -> float:
        """How long a restore of so many bytes takes by the formula."""
        return self.fixed + self.per_mib * size / _MIB

    @property
    def formula(self) -> str:
        """For people, e.g. `RTO = 2.1 s + 0.031 s * MiB of the backup, through 7 restores of tier proof`."""
        number = len(self.points)
        through = f"{number} restores" if number > 1 else "1 restore"
        line = f"{self.fixed:.1f} s + " if self.fixed else ""
        return f"RTO = {line}{self.per_mib:.3g} s * MiB of the backup, through {through} of tier {self.tier}"

    @property
    def growth(self) -> float:
        """Bytes by which the backup grows a day; 0 where the restores lie too close together to say."""
        days = [(point.finished.timestamp() / 86400, float(point.size)) for point in self.points]
        return _slope(days, least=0.5) or 0.0

    def seconds_in(self, days: int) -> float:
        """How long a restore will take in so many days, if the growth goes on."""
        return self.seconds_at(max(0, round(self.points[-1].size + self.growth * days)))


def trend(records: Sequence[Record]) -> Trend | None:
    """The trend in these records, newest first; None where none of them has passed."""
    passed = [record for record in records if record.outcome == "PASS" and record.size and record.seconds]
    if not passed:
        return None
    tier = passed[0].tier
    points = tuple(
        Point(record.finished_at, record.restore_seconds, record.size)
        for record in reversed(passed)
        if record.tier == tier
    )
    fixed, per_mib = _line(points)
    return Trend(tier, points, fixed, per_mib)


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """Seconds, and seconds a MiB. Where sizes tell nothing, or larger ones take less: all of it by size."""
    pairs = [(point.size / _MIB, point.seconds) for point in points]
    # sizes that differ by less than a hundredth differ less than restores of one size do
    slope = _slope(pairs, least=pairs[-1][0] / 100) if len({round(size) for size, _ in pairs}) >= FEWEST else None
    if slope is not None and slope > 0:
        fixed = statistics.median(seconds - slope * size for size, seconds in pairs)
        if fixed >= 0:
            return fixed, slope
    return 0.0, statistics.median(seconds / size for size, seconds in pairs)


def _slope(pairs: Sequence[tuple[float, float]], *, least: float) -> float | None:
    """The median slope between all pairs of points that are at least so far apart."""
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in combinations(pairs, 2) if abs(y - x) >= least and x != y]
    return statistics.median(slopes) if slopes else None
