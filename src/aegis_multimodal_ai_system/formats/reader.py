"""A file, read forward in bounded pieces: every length in it is a claim of whoever made the file."""

from __future__ import annotations

from typing import BinaryIO

_CHUNK = 64 << 10


class Malformed(Exception):  # noqa: N818 - what the file is
    """The file is not what it begins like; says how. Never shown but through `Refused`."""


class RunsCode(Exception):  # noqa: N818 - what the file does
    """The file is well-formed, and holds code for whoever loads it; says which."""


class Reader:
    """The bytes of a file from `start` to `end`. Every method raises Malformed where the file ends first."""

    __slots__ = ("_at", "_buffer", "_end", "_file", "_start")

    def __init__(self, file: BinaryIO, start: int = 0, end: int | None = None) -> None:
        self._file = file
        self._end = size_of(file) if end is None else end
        self._start = start
        """Of the buffer in the file."""
        self._buffer = b""
        self._at = 0
        """In the buffer, or beyond it after a skip."""

    @property
    def place(self) -> int:
        """Where the next byte lies in the file."""
        return self._start + self._at

    @property
    def end(self) -> int:
        """Where the last byte ends."""
        return self._end

    def take(self, count: int) -> bytes:
        """The next bytes, all of them."""
        after = self._at + count
        if after > len(self._buffer):
            self._fill(count)
            after = self._at + count
        taken = self._buffer[self._at : after]
        self._at = after
        return taken

    def skip(self, count: int) -> None:
        """Go on without reading."""
        if count > self._end - self.place:
            raise Malformed(f"it ends before byte {self.place + count}")
        self._at += count

    def byte(self) -> int:
        """The next byte."""
        if self._at >= len(self._buffer):
            self._fill(1)
        value = self._buffer[self._at]
        self._at += 1
        return value

    def varint(self) -> int:
        """A number as Protocol Buffers write it: at most ten bytes, below 2^64."""
        value = self.byte()
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in range(7, 70, 7):
            more = self.byte()
            value |= (more & 0x7F) << shift
            if more < 0x80:
                if value >> 64:
                    break
                return value
        raise Malformed(f"the number before byte {self.place} has more than 64 bits")

    def line(self, keep: int) -> bytes:
        """What stands before the next line feed, cut to `keep` bytes.

        A last line without one loses its last byte, as unpicklers take off whatever ends a line.
        """
        kept = b""
        while self.place < self._end:
            if self._at >= len(self._buffer):
                self._fill(1)
            found = self._buffer.find(b"\n", self._at)
            piece = self._buffer[self._at : found if found >= 0 else None]
            kept += piece[: keep - len(kept)]
            self._at += len(piece)
            if found >= 0:
                self._at += 1
                return kept
        return kept[:-1]

    def _fill(self, count: int) -> None:
        place = self.place
        if count > self._end - place:
            raise Malformed(f"it ends before byte {place + count}")
        self._file.seek(place)
        self._buffer = read_all(self._file, min(max(count, _CHUNK), self._end - place))
        self._start, self._at = place, 0


def size_of(file: BinaryIO) -> int:
    """Bytes of a file."""
    return file.seek(0, 2)


def read_all(file: BinaryIO, count: int) -> bytes:
    """Exactly so many bytes from where the file stands."""
    data = file.read(count)
    while len(data) < count:
        more = file.read(count - len(data))
        if not more:
            raise Malformed("it has become shorter while it was read")
        data += more
    return data


def is_zero(file: BinaryIO, start: int, end: int) -> bool:
    """Whether nothing is hidden between two places."""
    file.seek(start)
    while start < end:
        piece = read_all(file, min(1 << 20, end - start))
        if piece.count(0) != len(piece):
            return False
        start += len(piece)
    return True
