"""The journal: where an entry becomes durable, by one write and one fdatasync.

tlog-tiles has a bundle for each 256 entries, and a partial one is a new file for each size: too many writes for one
entry. So the newest entries stand in `journal`, a file of a fixed size that is filled with zeros when it is made: a
write into it changes no metadata, needs no new block and so cannot meet a full disk. When it is full, bundles, tiles
and a checkpoint are written, and a new journal takes its place.

    header   magic (16), base: entries before the first record (8), CRC-32 (4), zeros to 32 bytes,
             mark: entries of the log that are on disk, as far as a process has said so (8), keyed hash of it (16),
             zeros to 64 bytes
    record   magic (4), length of the entries (4), their number (4), size of the log before them (8),
             how many entries were known to be durable (8), CRC-32 of all else in the record (4),
             entries as a bundle holds them, Ed25519 signature of the checkpoint that includes them (64),
             keyed hash of all before it but the CRC (16)

Numbers are unsigned, the largest byte first. Each record is signed, so nothing that was acknowledged is unsigned, and
readers without the key still have a checkpoint of all that is there. The keyed hash says the same to other writers,
who have the key, at a fiftieth of the cost. The checksum tells a write that was torn (by a power cut, by a killed
process) from an edit: an edit with a right checksum has a wrong signature. The number of durable entries tells it from
a damage: what was on disk when a later record was written cannot have been torn. The mark is written after each wait
for the disk, so that other processes need not wait again for the same, and that the last record, after which there is
no later one, cannot be taken away as if it had been torn. Nobody waits for the mark itself: on disk it is never ahead
of the entries, and after a power cut it may be that of the wait before.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis.audit.bundle import framed

BYTES = 2 << 20
"""Of a journal: some 3,500 entries. More would cost more to read at start, less more tiles in between."""
HEADER_BYTES = 64
MARK_AT, MARK_BYTES = 32, 8
Mac = Callable[[bytes], bytes]
"""A hash that only holders of the log's key can make, `MAC_BYTES` long."""
SIGNATURE_BYTES = 64
MAC_BYTES = 16
_TAIL_BYTES = SIGNATURE_BYTES + MAC_BYTES
_MAGIC = b"aegis journal 1\n"
_MARK = b"mark"
"""So that the hash of a mark is not that of a record."""
_HEADER = struct.Struct(">16sQI")
_RECORD_MAGIC = b"\xaeLR1"
_RECORD = struct.Struct(">4sIIQQI")
RECORD_BYTES = _RECORD.size
_NOTHING = bytes(RECORD_BYTES)


class BrokenRecord(ValueError):  # noqa: N818 - a state, which its reader judges
    """What stands there is neither a record nor the journal's unused end."""


@dataclass(frozen=True, slots=True)
class Record:
    """Entries that were written together."""

    first: int
    """Index of the first one."""
    count: int
    durable: int
    """Entries of the log that were on disk before this record was written."""
    entries: bytes
    """As a bundle holds them."""
    signature: bytes
    authentic: bool | None
    """Whether a holder of the key wrote it; None to a reader without the key."""
    end: int
    """Offset of what follows."""


def journal_header(base: int, mac: Mac) -> bytes:
    """The first bytes of a journal that begins after this many entries, which are on disk."""
    return (_beginning(base) + pack_mark(base, mac)).ljust(HEADER_BYTES, b"\0")


def _beginning(base: int) -> bytes:
    packed = _HEADER.pack(_MAGIC, base, 0)
    return _HEADER.pack(_MAGIC, base, zlib.crc32(packed)).ljust(MARK_AT, b"\0")


def read_header(data: bytes) -> int:
    """The base. Raises BrokenRecord."""
    if len(data) >= HEADER_BYTES:
        base = int(_HEADER.unpack_from(data)[1])
        if data[:MARK_AT] == _beginning(base):
            return base
    raise BrokenRecord("the journal has no header")


def pack_mark(durable: int, mac: Mac) -> bytes:
    """The mark's bytes, which stand at `MARK_AT`."""
    number = durable.to_bytes(MARK_BYTES, "big")
    return number + mac(_MARK + number)


def read_mark(data: bytes, mac: Mac | None = None) -> int:
    """The mark of a journal. With `mac`, raises BrokenRecord where no holder of the key wrote it."""
    number = data[MARK_AT : MARK_AT + MARK_BYTES]
    if mac is not None and mac(_MARK + number) != data[MARK_AT + MARK_BYTES : MARK_AT + MARK_BYTES + MAC_BYTES]:
        raise BrokenRecord("the mark of what is on disk was not written by a holder of the log's key")
    return int.from_bytes(number, "big")


def record_bytes(length: int) -> int:
    """What a record with this many bytes of entries takes."""
    return RECORD_BYTES + length + _TAIL_BYTES


def pack_record(entries: Sequence[bytes], *, first: int, durable: int, signature: bytes, mac: Mac) -> bytes:
    """The record's bytes."""
    body = b"".join(map(framed, entries)) + signature
    head = (_RECORD_MAGIC, len(body) - SIGNATURE_BYTES, len(entries), first, durable)
    plain = _RECORD.pack(*head, 0)
    body += mac(plain + body)
    return _RECORD.pack(*head, zlib.crc32(body, zlib.crc32(plain))) + body


def read_record(data: bytes, at: int, mac: Mac | None = None) -> Record | None:
    """The record at this offset; None where the journal is unused from there on. Raises BrokenRecord."""
    head = data[at : at + RECORD_BYTES]
    if head == _NOTHING[: len(head)]:
        return None
    if len(head) < RECORD_BYTES:
        raise BrokenRecord("a record's beginning is cut off")
    magic, length, count, first, durable, checksum = _RECORD.unpack(head)
    start, end = at + RECORD_BYTES, at + record_bytes(length)
    if magic != _RECORD_MAGIC or end > len(data):
        raise BrokenRecord("no record begins there")
    plain = _RECORD.pack(magic, length, count, first, durable, 0)
    if zlib.crc32(data[start:end], zlib.crc32(plain)) != checksum:
        raise BrokenRecord("a record's checksum is wrong")
    split = end - _TAIL_BYTES
    authentic = None if mac is None else mac(plain + data[start : end - MAC_BYTES]) == data[end - MAC_BYTES : end]
    return Record(first, count, durable, data[start:split], data[split : end - MAC_BYTES], authentic, end)


def durable_after(data: bytes, at: int) -> int:
    """The most entries that a record after this offset says were on disk; 0 where no later record can be read."""
    most = 0
    while (at := data.find(_RECORD_MAGIC, at + 1)) >= 0:
        try:
            record = read_record(data, at)
        except BrokenRecord:
            continue
        if record is not None:
            most = max(most, record.durable)
    return most


def used_until(data: bytes) -> int:
    """The offset behind the last byte that is not zero."""
    return len(data.rstrip(b"\0"))
