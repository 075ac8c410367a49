"""A GGUF file, walked from its first byte to its last.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, in either byte order. As in llama.cpp, the
tensors have to lie one after the other in the order in which they are named; beyond it, padding has to be zeros.
"""

from __future__ import annotations

import struct
from math import prod
from typing import BinaryIO

from aegis_multimodal_ai_system.formats.reader import Malformed, Reader, is_zero

MAGIC = b"GGUF"
MAX_KEYS, MAX_TENSORS = 65_536, 200_000
MAX_STRINGS = 4_000_000
"""In all arrays together: the largest tokenizers have 300,000 tokens and 600,000 merges."""
MAX_NAME = 65_535
"""Bytes of a key, by the specification."""
MAX_ALIGNMENT = 65_536
"""Bytes: usual are 32, and nothing may hide in a larger gap."""
MAX_DIMENSIONS = 4

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each type of value."""
_UINT32, _STRING, _ARRAY = 4, 8, 9
_MAX_NESTING = 4
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Elements and bytes of a block of each type of tensor (ggml.c, `type_traits`). Removed types are not here."""


def check_gguf(file: BinaryIO) -> None:
    """Raises Malformed."""
    _Walk(Reader(file), file).check()


class _Walk:
    def __init__(self, reader: Reader, file: BinaryIO) -> None:
        self._reader = reader
        self._file = file
        self._order = "<"
        self._strings = 0

    def check(self) -> None:
        """All of it. Raises Malformed."""
        self._reader.skip(len(MAGIC))
        version = self._reader.take(4)
        if version in (b"\0\0\0\2", b"\0\0\0\3"):
            self._order = ">"
        elif version not in (b"\2\0\0\0", b"\3\0\0\0"):
            raise Malformed(f"its version is {int.from_bytes(version, 'little')} instead of 2 or 3")
        tensors, keys = self._count("tensors", MAX_TENSORS), self._count("keys", MAX_KEYS)
        alignment = self._keys(keys)
        spans = self._tensors(tensors, alignment)
        self._data(spans, alignment)

    def _keys(self, count: int) -> int:
        """The alignment that they name."""
        alignment = 32
        seen: set[bytes] = set()
        for _ in range(count):
            name = self._name(MAX_NAME)
            if name in seen:
                raise Malformed(f"the key {name[:100]!r} stands twice")
            seen.add(name)
            kind = self._number(4)
            if name == b"general.alignment":
                alignment = self._number(4) if kind == _UINT32 else 0
                if not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
                    raise Malformed(f"its alignment is no power of two up to {MAX_ALIGNMENT}")
            else:
                self._value(kind, 0)
        return alignment

    def _value(self, kind: int, depth: int) -> None:
        if kind in _SCALARS:
            self._reader.skip(_SCALARS[kind])
        elif kind == _STRING:
            self._reader.skip(self._number(8))
        elif kind == _ARRAY and depth < _MAX_NESTING:
            inner, count = self._number(4), self._number(8)
            if inner in _SCALARS:
                self._reader.skip(count * _SCALARS[inner])
            elif inner == _STRING:
                self._array_of_strings(count)
            else:
                self._counted(count)
                for _ in range(count):
                    self._value(inner, depth + 1)
        else:
            raise Malformed(f"it has a value of type {kind} at byte {self._reader.place}")

    def _array_of_strings(self, count: int) -> None:
        self._counted(count)
        take, skip = self._reader.take, self._reader.skip
        length = struct.Struct(f"{self._order}Q").unpack
        for _ in range(count):
            skip(length(take(8))[0])

    def _counted(self, count: int) -> None:
        self._strings += count
        if self._strings > MAX_STRINGS:
            raise Malformed(f"its arrays have {self._strings} entries, more than {MAX_STRINGS}")

    def _tensors(self, count: int, alignment: int) -> list[tuple[int, int]]:
        """Offset and bytes of each."""
        spans: list[tuple[int, int]] = []
        seen: set[bytes] = set()
        expected = 0
        for _ in range(count):
            name = self._name(MAX_NAME)
            if name in seen:
                raise Malformed(f"the tensor {name[:100]!r} stands twice")
            seen.add(name)
            dimensions = self._count("dimensions", MAX_DIMENSIONS, 4)
            shape = [self._number(8) for _ in range(dimensions)]
            kind, offset = self._number(4), self._number(8)
            if kind not in BLOCKS:
                raise Malformed(f"the tensor {name[:100]!r} is of the unknown type {kind}")
            elements, size = BLOCKS[kind]
            if shape and shape[0] % elements:
                raise Malformed(f"the tensor {name[:100]!r} has rows of {shape[0]}, no multiple of {elements}")
            if offset != expected:
                raise Malformed(f"the tensor {name[:100]!r} begins at {offset} instead of {expected}")
            spans.append((offset, prod(shape) // elements * size))
            expected = _aligned(offset + spans[-1][1], alignment)
        return spans

    def _data(self, spans: list[tuple[int, int]], alignment: int) -> None:
        place, end = self._reader.place, self._reader.end
        start = _aligned(place, alignment)
        for offset, size in spans:
            if start + offset + size > end:
                raise Malformed(f"it ends at byte {end}, before its tensors do")
            self._padding(place, start + offset)
            place = start + offset + size
        if end > _aligned(place - start, alignment) + start:
            raise Malformed(f"its tensors end at byte {place}, and the file at {end}")
        self._padding(place, end)

    def _padding(self, start: int, end: int) -> None:
        if start < end and not is_zero(self._file, start, end):
            raise Malformed(f"something is hidden between bytes {start} and {end}")

    def _name(self, most: int) -> bytes:
        name = self._reader.take(self._count("bytes in a name", most))
        try:
            name.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"the name {name[:100]!r} is not UTF-8") from error
        return name

    def _count(self, what: str, most: int, width: int = 8) -> int:
        count = self._number(width)
        if count > most:
            raise Malformed(f"it says {count} {what}, more than {most}")
        return count

    def _number(self, width: int) -> int:
        return int.from_bytes(self._reader.take(width), "little" if self._order == "<" else "big")


def _aligned(place: int, alignment: int) -> int:
    return -(-place // alignment) * alignment
