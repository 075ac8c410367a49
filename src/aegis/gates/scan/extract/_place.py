"""From an offset in a text to a line and a column, and the short text that a statement shows."""

from __future__ import annotations

import re
from bisect import bisect_right

TEXT_LIMIT = 200
"""Characters of a statement's text, as `Statement.text` promises."""

_NEWLINE = re.compile(r"\r\n|\n|\r")
_SPACES = re.compile(r"\s+")


class Places:
    """Where offsets of one text stand. Lines end as in git and editors: LF, CRLF or CR."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in _NEWLINE.finditer(text))]

    def line(self, offset: int) -> int:
        """The line, from 1."""
        return bisect_right(self._starts, offset)

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, the column in characters."""
        line = self.line(offset)
        return line, offset - self._starts[line - 1] + 1

    def start_of(self, line: int) -> int:
        """The offset at which a line (from 1) starts."""
        return self._starts[line - 1]

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._starts)


def one_line(text: str) -> str:
    """`text` on one line, spaces run together, cut to what a report shows."""
    return _SPACES.sub(" ", text).strip()[:TEXT_LIMIT]
