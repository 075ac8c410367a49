"""A journal read again: after a start, after other processes wrote, and by those who verify."""

from __future__ import annotations

from dataclasses import dataclass

from aegis.audit.bundle import entries_of
from aegis.audit.growth import Growth
from aegis.audit.journal import BrokenRecord, Mac, Record, durable_after, read_record, used_until
from aegis.core.errors import Refused


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where reading ended."""

    end: int
    """Offset behind the last good record."""
    last: Record | None
    """The last good record that added entries."""
    torn: bytes = b""
    """What a torn write left behind it."""
    damage: str = ""
    """What no torn write explains, said for people; reading ended before it."""


def replay(
    data: bytes,
    at: int,
    size: int,
    growth: Growth,
    *,
    durable: int = 0,
    known: tuple[int, bytes] | None = None,
    mac: Mac | None = None,
) -> Replayed:
    """Add the records from this offset on to the growth; those that it has already are passed over.

    `size`: entries before the record at the offset. `durable`: how many entries are known to have been on disk. Where a
    record is broken, nothing behind it was acknowledged, unless a later record says so: that is damage. With `mac`, so
    is a whole record that no holder of the key wrote. `known`: a size that the log had, and its root hash then.
    """
    last = None
    durable = max(durable, growth.tree.size)
    while True:
        try:
            record = read_record(data, at, mac)
            if record is None:
                return _ended(data, at, size, last, durable)
            if record.authentic is False:
                return Replayed(
                    at, last, damage=f"a record at entry {size} was not written by a holder of the log's key"
                )
            added = _take(record, size, growth)
        except BrokenRecord as broken:
            return _ended(data, at, size, last, durable, str(broken))
        if added and known is not None and growth.tree.size == known[0] and growth.tree.root() != known[1]:
            return Replayed(at, last, damage=f"the first {known[0]} entries are not those that were known")
        last = record if added else last
        size, at = record.first + record.count, record.end
        durable = max(durable, record.durable)


def _take(record: Record, size: int, growth: Growth) -> bool:
    if record.first != size:
        raise BrokenRecord(f"a record begins at entry {record.first} instead of {size}")
    known = growth.tree.size
    if record.first < known < record.first + record.count:
        raise BrokenRecord(f"a record spans the checkpoint's size {known}")
    try:
        entries = list(entries_of(record.entries))
    except Refused as error:
        raise BrokenRecord("a record's entries are cut off") from error
    if len(entries) != record.count:
        raise BrokenRecord(f"a record has {len(entries)} entries instead of {record.count}")
    if record.first < known:
        return False
    for entry in entries:
        growth.add(entry)
    return True


def _ended(data: bytes, at: int, size: int, last: Record | None, durable: int, broken: str = "") -> Replayed:
    # Comparing is much faster than looking for the last byte, and almost always there is none.
    torn = data[at : used_until(data)] if data[at:] != bytes(len(data) - at) else b""
    durable = max(durable, durable_after(data, at) if torn else 0)
    if size < durable:
        problem = broken or "the journal ends"
        return Replayed(at, last, damage=f"{problem} at entry {size}, though {durable} entries were on disk")
    return Replayed(at, last, torn)
