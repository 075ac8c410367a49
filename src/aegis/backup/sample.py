"""Which tables a restore of the tier `sample` proves: one part of seven, another each day and each week.

The part is chosen by a hash of the table's name and by the date, so it needs no memory of earlier runs, and nobody
chooses. The order moves on by one each week, so that a restore on each Monday does not prove the same part for ever.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from aegis.backup.inventory import Inventory, Table

PARTS: Final = 7
"""Into which the tables of a database fall."""
DAILY_DAYS: Final = 13
"""Days within which each table has its turn where there is a restore each day: no later than at the end of one week and
at the beginning of the next but one."""
WEEKLY_WEEKS: Final = PARTS
"""Weeks within which each table has its turn where there is a restore each week, on the same day."""
LARGE_OBJECTS: Final = ("", "")
"""What stands for the large objects; no table is called so."""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """Part of a database."""

    tables: tuple[_Key, ...]
    """Schema and name, sorted."""
    large_objects: bool
    of: int
    """How many things with rows the database has: tables, and the large objects as one."""

    @property
    def told(self) -> str:
        """How much it is, for people."""
        return f"the rows of {len(self.tables) + self.large_objects} of {self.of} tables"


def sample_of(expected: Inventory, day: datetime.date) -> Sample:
    """The part whose turn it is on a day; of a database with rows, at least one table."""
    tables: dict[_Key, Table] = {(each.schema, each.name): each for each in expected.tables if each.rows is not None}
    keys = [*tables, *([LARGE_OBJECTS] if expected.large_objects.count else [])]
    buckets: dict[int, list[_Key]] = {}
    for key in keys:
        buckets.setdefault(_bucket(key), []).append(key)
    # where it is nobody's turn, the next have theirs early
    number = day.toordinal()
    first = number + number // PARTS
    turn = next((bucket for i in range(PARTS) if (bucket := (first + i) % PARTS) in buckets), 0)
    chosen = buckets.get(turn, [])
    return Sample(
        tables=tuple(sorted(key for key in chosen if key != LARGE_OBJECTS)),
        large_objects=LARGE_OBJECTS in chosen,
        of=len(keys),
    )


def to_restore(expected: Inventory, sample: Sample) -> tuple[_Key, ...]:
    """The tables whose rows have to be restored for it.

    Where a dump may spread rows otherwise over partitions, their sum stands at the root, and needs all of them.
    """
    chosen = frozenset(sample.tables)
    spread = any(each.kind == "partitioned" and (each.schema, each.name) in chosen for each in expected.tables)
    more = (each for each in expected.tables if spread and each.kind == "partition" and each.rows is None)
    return tuple(sorted({*chosen, *((each.schema, each.name) for each in more)}))


def restricted(expected: Inventory, sample: Sample) -> Inventory:
    """The same database, of whose rows only the sample's are known."""
    objects = expected.large_objects
    return msgspec.structs.replace(
        expected,
        tables=tuple(_tables(expected.tables, frozenset(sample.tables))),
        large_objects=objects if sample.large_objects else msgspec.structs.replace(objects, hash=None),
    )


def _tables(tables: Iterable[Table], chosen: frozenset[_Key]) -> Iterable[Table]:
    for each in tables:
        known = (each.schema, each.name) in chosen
        yield each if known else msgspec.structs.replace(each, rows=None, hash=None)


def _bucket(key: _Key) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()[:8]) % PARTS
