"""The header of a safetensors file, read as strictly as one can.

https://github.com/huggingface/safetensors#format: eight bytes of length, JSON, then the tensors one after the other.
The library itself takes names that stand twice, and other readers also gaps: both let one file mean two things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from math import prod
from typing import Annotated, BinaryIO

import msgspec

from aegis_multimodal_ai_system.formats.reader import Malformed, read_all, size_of

MAX_HEADER = 32 << 20
"""Bytes: 100,000 tensors take 12 MiB. The library's own limit is 100 MB, for which a hostile file would take 1 GB."""
MAX_DIMENSIONS = 64
"""As in NumPy and PyTorch."""
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "I32": 32, "U32": 32, "I64": 64, "U64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of an element of each type that version 0.8 of the library knows."""

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_METADATA = "__metadata__"


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    """In the file."""
    end: int


def claimed_length(head: bytes) -> int:
    """Bytes of the header, as the first eight bytes say."""
    return int.from_bytes(head[:8], "little")


def read_header(file: BinaryIO) -> tuple[Tensor, ...]:
    """The tensors in the order of their bytes. Raises Malformed."""
    size = size_of(file)
    file.seek(0)
    head = read_all(file, min(8, size))
    length = claimed_length(head)
    if len(head) < 8 or length > size - 8:
        raise Malformed(f"its header would have {length} bytes, and the file has {size}")
    if length > MAX_HEADER:
        raise Malformed(f"its header has {length} bytes, more than {MAX_HEADER}")
    try:
        text = read_all(file, length).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"its header is not UTF-8 at byte {8 + error.start}") from error
    found = _usual(text, 8 + length)
    if found is None:
        found = _Header(text, 8 + length).tensors()
    tensors = sorted(found, key=lambda tensor: (tensor.start, tensor.end))
    place = 8 + length
    for tensor in tensors:
        if tensor.start != place:
            raise Malformed(f"the tensor {tensor.name[:100]!r} begins at byte {tensor.start} instead of {place}")
        place = tensor.end
    if place != size:
        raise Malformed(f"its tensors end at byte {place}, and the file at {size}")
    return tuple(tensors)


_MAX_USUAL = 16 << 20
"""Characters; a longer header goes the slow way, which needs half the memory."""
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Written(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """A tensor's members, in the order of the library."""

    dtype: str
    shape: Annotated[tuple[_Number, ...], msgspec.Meta(max_length=MAX_DIMENSIONS)]
    data_offsets: tuple[_Number, _Number]


_DECODER = msgspec.json.Decoder(dict[str, _Written])
_ENCODER = msgspec.json.Encoder()


def _usual(text: str, data: int) -> list[Tensor] | None:
    """As `_Header`, five times as quick, of a header as the library spells it; None of any other, right or wrong.

    What was read is written again. Where that gives the same bytes, no name can have stood there twice.
    """
    if len(text) > _MAX_USUAL:
        return None
    start = 1
    try:
        if text.startswith(f'{{"{_METADATA}":'):
            start = _Header(text, data).after_metadata()
        usual = "{" + text[start:].rstrip(" ")
        found = _DECODER.decode(usual)
        if not found or _METADATA in found or _ENCODER.encode(found) != usual.encode():
            return None
        return [_tensor(name, each.dtype, each.shape, each.data_offsets, data) for name, each in found.items()]
    except (Malformed, msgspec.DecodeError, UnicodeError):
        return None  # `_Header` says what is wrong


def _tensor(
    name: str, dtype: str | None, shape: tuple[int, ...] | None, offsets: tuple[int, ...] | None, data: int
) -> Tensor:
    if dtype not in BITS or shape is None or offsets is None or len(offsets) != 2:
        raise Malformed(f"the tensor {name[:100]!r} has no known dtype, no shape or no two data_offsets")
    bits = prod(shape) * BITS[dtype]
    if bits % 8 or bits // 8 != offsets[1] - offsets[0]:
        raise Malformed(
            f"the tensor {name[:100]!r} of {dtype}{list(shape[:8])} has {offsets[1] - offsets[0]} bytes "
            f"instead of {bits / 8 if bits < 2**53 else 'far more'}"
        )
    return Tensor(name, dtype, shape, data + offsets[0], data + offsets[1])


class _Header:
    """A reader of just this JSON: what it has no place for is refused, so nothing large is ever built."""

    def __init__(self, text: str, data: int) -> None:
        self._text = text
        self._at = 0
        self._data = data
        self._names: set[str] = set()

    def tensors(self) -> list[Tensor]:
        """All of them. Raises Malformed."""
        if not self._text.startswith("{"):
            raise Malformed("its header does not begin with '{'")
        found: list[Tensor] = []
        for name in self._members(self._names):
            if name == _METADATA:
                for _ in self._members(set()):
                    self._string()
            else:
                found.append(self._tensor(name))
        if self._text[self._at :].strip(" \t\n\r"):
            raise self._wrong("the end")
        return found

    def _tensor(self, name: str) -> Tensor:
        dtype, shape, offsets = None, None, None
        for key in self._members(set()):
            if key == "dtype":
                dtype = self._string()
            elif key == "shape":
                shape = self._numbers(MAX_DIMENSIONS)
            elif key == "data_offsets":
                offsets = self._numbers(2)
            else:
                raise self._wrong("dtype, shape or data_offsets")
        return _tensor(name, dtype, shape, offsets, self._data)

    def after_metadata(self) -> int:
        """Where the names of tensors begin, where `__metadata__` is the first name. Raises Malformed."""
        self._expect("{")
        self._string()
        self._expect(":")
        for _ in self._members(set()):
            self._string()
        self._expect(",")
        return self._at

    def _members(self, names: set[str]) -> Iterator[str]:
        """The names of an object's members; the caller reads each value before it asks for the next."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            name = self._string()
            if name in names:
                raise Malformed(f"the name {name[:100]!r} stands twice in its header")
            names.add(name)
            self._expect(":")
            yield name
            if self._next() == "}":
                self._at += 1
                return
            self._expect(",")

    def _numbers(self, most: int) -> tuple[int, ...]:
        self._expect("[")
        numbers: list[int] = []
        if self._next() == "]":
            self._at += 1
            return ()
        while True:
            self._next()
            number = _NUMBER.match(self._text, self._at)
            if number is None or len(numbers) == most:
                raise self._wrong(f"at most {most} whole numbers below 10^19")
            numbers.append(int(number[0]))
            self._at = number.end()
            if self._next() == "]":
                self._at += 1
                return tuple(numbers)
            self._expect(",")

    def _string(self) -> str:
        self._expect('"')
        try:
            value: str
            value, self._at = scanstring(self._text, self._at, True)
            value.encode()
        except ValueError as error:
            raise self._wrong("a string") from error
        return value

    def _expect(self, char: str) -> None:
        if self._next() != char:
            raise self._wrong(repr(char))
        self._at += 1

    def _next(self) -> str:
        """The next character that is no blank."""
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank is not None else self._at
        return self._text[self._at : self._at + 1]

    def _wrong(self, wanted: str) -> Malformed:
        found = self._text[self._at : self._at + 20]
        return Malformed(f"its header has {found!r} at character {self._at} instead of {wanted}")
