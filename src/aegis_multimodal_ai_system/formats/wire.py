"""Protocol Buffers, walked by a schema: every field known, nothing decoded that is not asked for.

https://protobuf.dev/programming-guides/encoding/. Unknown fields, groups, and single fields that stand twice (which
some readers merge and others replace) are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aegis_multimodal_ai_system.formats.reader import Malformed, Reader

MAX_FIELDS = 8_000_000
"""In a whole file: a graph of 100,000 nodes has some two million."""
MAX_DEPTH = 100
"""Of messages in each other, as in Google's parsers."""
MAX_KEPT = 64 << 10
"""Bytes of a field that is asked for."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One field of a message."""

    wires: tuple[int, ...]
    many: bool = False
    message: str | None = None
    keep: bool = False


Schema = Mapping[str, Mapping[int, Rule]]
Kept = dict[int, list[int | bytes]]
"""The values that were asked for, by the field's number."""
Closed = Callable[[str, Kept, Kept], None]
"""Called at the end of each message with its name, what was kept of it, and what is kept of the one around it."""


@dataclass(slots=True)
class _Frame:
    name: str
    end: int
    seen: set[int]
    kept: Kept


def walk(reader: Reader, schema: Schema, root: str, closed: Closed) -> set[int]:
    """From where the reader stands to its end: the numbers of the root's fields. Raises Malformed."""
    frames = [_Frame(root, reader.end, set(), {})]
    fields = 0
    while True:
        frame = frames[-1]
        place = reader.place
        if place >= frame.end:
            if place > frame.end:
                raise Malformed(f"a field of {frame.name} goes on beyond it, to byte {place}")
            frames.pop()
            closed(frame.name, frame.kept, frames[-1].kept if frames else {})
            if not frames:
                return frame.seen
            continue
        fields += 1
        if fields > MAX_FIELDS:
            raise Malformed(f"it has more than {MAX_FIELDS} fields")
        tag = reader.varint()
        number, wire = tag >> 3, tag & 7
        rule = schema[frame.name].get(number)
        if rule is None or wire not in rule.wires:
            raise Malformed(f"{frame.name} has no field {number} of wire type {wire}, at byte {place}")
        if not rule.many and number in frame.seen:
            raise Malformed(f"the field {number} of {frame.name} stands twice, at byte {place}")
        frame.seen.add(number)
        if wire == BYTES:
            length = reader.varint()
            if length > frame.end - reader.place:
                raise Malformed(f"the field {number} of {frame.name} would have {length} bytes, at byte {place}")
            if rule.message is not None:
                if len(frames) == MAX_DEPTH:
                    raise Malformed(f"its messages are nested deeper than {MAX_DEPTH}")
                frames.append(_Frame(rule.message, reader.place + length, set(), {}))
            elif rule.keep:
                if length > MAX_KEPT:
                    raise Malformed(f"the field {number} of {frame.name} has {length} bytes, at byte {place}")
                frame.kept.setdefault(number, []).append(reader.take(length))
            else:
                reader.skip(length)
        elif wire == VARINT:
            value = reader.varint()
            if rule.keep:
                frame.kept.setdefault(number, []).append(value)
        else:
            reader.skip(8 if wire == FIXED64 else 4)
