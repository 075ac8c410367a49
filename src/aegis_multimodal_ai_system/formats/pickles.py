"""Whether the beginning of a file is a pickle: walked by the opcodes' lengths, with nothing made, imported or called.

A pickle is a program of a stack machine (`pickletools` describes it). An unpickler runs it up to the first mistake, so
this walk must go at least as far as any unpickler would: what is in doubt (types, encodings, memo keys, frames, marks
that older versions pop across) counts as fine here. It follows pickles that stand one after the other, as in the files
of old PyTorch.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO, Literal

from aegis_multimodal_ai_system.formats.reader import Malformed, Reader

MAX_STEPS = 1_000_000
"""Opcodes that are looked at; more is a pickle. Text never comes that far."""
_KEPT = 1000
"""Bytes of a line: longer names are nobody's."""

_LINE, _LINES, _COUNTED = -1, -2, -10
_ARGUMENTS = {
    **dict.fromkeys(b"ILFSVPgp", _LINE),
    **dict.fromkeys(b"ci", _LINES),
    **dict.fromkeys(b"Khq\x80\x82", 1),
    **dict.fromkeys(b"M\x83", 2),
    **dict.fromkeys(b"Jjr\x84", 4),
    **dict.fromkeys(b"G\x95", 8),
    **dict.fromkeys(b"UC\x8a\x8c", _COUNTED - 1),
    **dict.fromkeys(b"TBX\x8b", _COUNTED - 4),
    **dict.fromkeys(b"\x8d\x8e\x96", _COUNTED - 8),
}
"""What follows an opcode: so many bytes, lines, or a length of so many bytes and then that many."""

_EFFECTS = {
    **dict.fromkeys(b"IJKMLSTUBCNVXFG]})ghjPc", (0, 1)),
    **dict.fromkeys(b"\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x96\x97\x82\x83\x84", (0, 1)),
    **dict.fromkeys(b"pqr\x80\x95", (0, 0)),
    **dict.fromkeys(b"Q\x85\x94\x98", (1, 1)),
    **dict.fromkeys(b"aRb\x81\x86\x93", (2, 1)),
    **dict.fromkeys(b"s\x87\x92", (3, 1)),
    ord("2"): (1, 2),
    ord("0"): (1, 0),
    ord("."): (1, 0),
}
"""How many values an opcode takes and gives."""
_TO_MARK = {
    **dict.fromkeys(b"ltdio\x91", (0, 1)),
    **dict.fromkeys(b"eu\x90", (1, 1)),
    ord("1"): (0, 0),
}
"""The same of those that take all down to the last mark, and then so many."""

_IMPORTS = frozenset(b"ci\x82\x83\x84\x93")
_CALLS = frozenset(b"Rbiaeosu\x81\x90\x92")
"""What calls something that was imported: also setting, appending and building, which call its methods."""
_NUMBERS = frozenset(b"ILgp")
_NAME = re.compile(r"[^\W\d][\w-]*(\.[^\W\d]\w*)*")

Found = Literal["code", "data"]


def find_pickle(file: BinaryIO, start: int = 0, end: int | None = None) -> Found | None:
    """`code`: an unpickler would import something and go on; `data`: pickles of plain values and nothing after them.

    None: no unpickler gets anywhere, or there is more behind a plain value, as in text that begins with `N.`. An import
    that is followed by a mistake is None too: a list of words looks like that, and it brings in no code of its own.
    """
    reader = Reader(file, start, end)
    walk = _Walk(reader)
    try:
        while reader.place < reader.end:
            if walk.step():
                return "code"
    except Malformed:
        return None
    return "data" if walk.stopped else None


class _Walk:
    """An unpickler's stack by its height alone."""

    def __init__(self, reader: Reader) -> None:
        self.stopped = False
        """Whether a whole pickle was just read, and at most blanks since."""
        self._reader = reader
        self._height = 0
        self._marks: list[int] = []
        self._imported = False
        self._steps = 0

    def step(self) -> bool:
        """One opcode; true where imported code is run or given out. Raises Malformed where an unpickler would stop."""
        opcode = self._reader.byte()
        if self.stopped and opcode in b" \t\r\n":
            return False
        self.stopped = False
        self._steps += 1
        if self._steps > MAX_STEPS:
            return True
        self._argument(opcode)
        self._move(opcode)
        if opcode in _IMPORTS:
            self._imported = True
        if opcode == ord("."):
            self.stopped, self._height, self._marks = True, 0, []
        return self._imported and (self.stopped or opcode in _CALLS)

    def _argument(self, opcode: int) -> None:
        kind = _ARGUMENTS.get(opcode, 0)
        if kind > 0:
            self._reader.skip(kind)
        elif kind == _LINE:
            self._line(opcode)
        elif kind == _LINES:
            for _ in range(2):
                line = self._reader.line(_KEPT)
                if not _NAME.fullmatch(line.decode("utf-8", "replace")):
                    raise Malformed("nothing is called like that")
        elif kind < _COUNTED:
            width = _COUNTED - kind
            counted = self._reader.take(width)
            self._reader.skip(struct.unpack("<Q", counted.ljust(8, b"\0"))[0])

    def _line(self, opcode: int) -> None:
        line = self._reader.line(_KEPT)
        if opcode in _NUMBERS and not any(byte in b"0123456789" for byte in line):
            raise Malformed("no number")
        if opcode == ord("S") and line[:1] not in (b"'", b'"'):
            raise Malformed("no quotes")

    def _move(self, opcode: int) -> None:
        if opcode == ord("("):
            self._marks.append(self._height)
            return
        if opcode == ord("0") and self._marks and self._marks[-1] == self._height:
            self._marks.pop()
            return
        if opcode in _TO_MARK:
            if not self._marks:
                raise Malformed("no mark")
            taken, given = _TO_MARK[opcode]
            self._height = min(self._height, self._marks.pop())
        elif opcode in _EFFECTS:
            taken, given = _EFFECTS[opcode]
        else:
            raise Malformed("no opcode")
        if self._height < taken:
            raise Malformed("nothing on the stack")
        self._height += given - taken
        for number in range(len(self._marks) - 1, -1, -1):
            if self._marks[number] <= self._height:
                break
            self._marks[number] = self._height
