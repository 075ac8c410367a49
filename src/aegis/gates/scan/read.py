"""One file's bytes to the statements in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegis.gates.scan.candidates import LFS_POINTER
from aegis.gates.scan.extract.python.decode import decode, decode_any
from aegis.gates.scan.extract.route import extractors_for, is_python
from aegis.gates.scan.model import Statement, Unreadable

_UNMARKED_UTF_16 = re.compile(r"\0(?:[!-~]\0){4}")


@dataclass(frozen=True, slots=True)
class FileReading:
    """What one file says."""

    path: str
    statements: tuple[Statement, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    source: str | None = None
    """The text, for the engine's look at whole files; None for a kind of file that no extractor reads."""


def read_file(path: str, data: bytes, wanted: re.Pattern[str], last_line: int | None = None) -> FileReading:
    """Extract every statement whose name `wanted` finds, down to `last_line`."""
    head = data[:200].decode("latin-1")
    extractors = extractors_for(path, head)
    if not extractors:
        return FileReading(path)
    if data.startswith(LFS_POINTER):
        return FileReading(path, unreadable=(Unreadable(1, "a Git LFS pointer: the content is not in this checkout"),))
    # PEP 263 is Python's own: elsewhere a comment about an encoding is only a comment.
    source = decode(data) if is_python(path, head) else decode_any(data)
    if isinstance(source, Unreadable):
        return FileReading(path, unreadable=(source,))
    if _UNMARKED_UTF_16.search(source):
        return FileReading(path, unreadable=(Unreadable(1, "letters with NUL bytes between: UTF-16 without a mark?"),))
    statements: dict[Statement, None] = {}
    unreadable: dict[Unreadable, None] = {}
    for extract in extractors:
        for found in extract(source, wanted, last_line):
            if isinstance(found, Statement):
                statements.setdefault(found)
            else:
                unreadable.setdefault(found)
    return FileReading(path, tuple(statements), tuple(unreadable), source)
