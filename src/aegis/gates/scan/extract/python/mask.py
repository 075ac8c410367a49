"""Python source as code without strings and comments.

`mask` gives a text of the same length in which every string is a run of `"` and every comment a run of spaces, so that
later modules can use plain regular expressions: a word in the masked text is a word of the program. A line break inside
a string is gone there, so a line of the masked text never starts inside a string.

The lexical rules are those of Python 3.14 (PEP 701 f-strings, PEP 750 t-strings); older files are a subset.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from aegis.gates.scan.extract.python.fstring import PLAIN, end_of_fstring
from aegis.gates.scan.model import Unreadable

NAME_CHAR = r"[^\x00-/:-@\[-\^`{-\x7f]"
"""ASCII letters, digits, `_`, and all beyond ASCII. Written as a negation: `re` compiles a set up to U+10FFFF slowly.
CPython's tokenizer takes every character from U+0080 on as part of a name and judges it later."""
NAME_START = r"[^\x00-@\[-\^`{-\x7f]"
"""The same without digits."""

_FIELD_1 = r"""\{(?:[^{}"'\\#\n]|'[^{}"'\\#\n]*+')*+\}"""
_FIELD_2 = r"""\{(?:[^{}"'\\#\n]|"[^{}"'\\#\n]*+")*+\}"""
_NOT_F = r"(?<![fFtT].)(?<![fFtT][rR].)"

# Each alternative starts with a literal: only then does `re` skip quickly to the next candidate. The second half of an
# alternative is an f-string that ends where a plain string would: balanced fields without tricks.
_TOKEN = re.compile(
    rf"""
    \#[^\n]*+
    | "(?:
        {_NOT_F}(?:""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+\"""|(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+")
        | ""(?:[^"\\{{}}]|\\[^{{}}]|"(?!"")|\{{\{{|\}}\}}|{_FIELD_1})*+\"""
        | (?!"")(?:[^"\\{{}}\n]|\\[^{{}}]|\{{\{{|\}}\}}|{_FIELD_1})*+"
        | (?P<double>)
      )
    | '(?:
        {_NOT_F}(?:''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+'''|(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+')
        | ''(?:[^'\\{{}}]|\\[^{{}}]|'(?!'')|\{{\{{|\}}\}}|{_FIELD_2})*+'''
        | (?!'')(?:[^'\\{{}}\n]|\\[^{{}}]|\{{\{{|\}}\}}|{_FIELD_2})*+'
        | (?P<single>)
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_PREFIX = re.compile(rf"(?<!{NAME_CHAR})[bBfFrRtTuU]{{1,2}}\Z")
_REST_OF_LINE = re.compile(r"[^\\\n]*+(?:\\.[^\\\n]*+)*+", re.DOTALL)
# Words that start a statement and stand nowhere else, so that a line which starts with one is outside any bracket.
_STATEMENT_LINE = re.compile(
    rf"\n[ \t\f]*(?:@|(?:assert|break|class|continue|def|del|global|import|nonlocal|pass|raise|return|try|while|with)"
    rf"(?!{NAME_CHAR}))"
)
_BRACKET = re.compile(r"[()\[\]{}]")


class StringToken(NamedTuple):
    """One string literal: `text[start:quote]` is its prefix, `text[quote:end]` the quoted rest."""

    start: int
    quote: int
    end: int


@dataclass(frozen=True)
class Masked:
    """A file, its code without strings and comments, and its strings in order."""

    text: str
    code: str
    strings: list[StringToken]
    unreadable: list[Unreadable] = field(default_factory=list)

    @cached_property
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    @cached_property
    def _brackets(self) -> tuple[list[int], list[int]]:
        """Every bracket's offset, and the offset of the innermost bracket that is open after it (-1: none)."""
        offsets, innermost, stack = [], [], [-1]
        for match in _BRACKET.finditer(self.code):
            if match[0] in "([{":
                stack.append(match.start())
            elif len(stack) > 1:
                stack.pop()
            offsets.append(match.start())
            innermost.append(stack[-1])
        return offsets, innermost

    def line(self, offset: int) -> int:
        """The line of an offset, from 1."""
        return bisect_left(self._line_ends, offset) + 1

    def column(self, offset: int) -> int:
        """The column of an offset in its line, from 1."""
        return offset - self.text.rfind("\n", 0, offset)

    def bracket(self, offset: int) -> int:
        """The offset of the innermost bracket around an offset, -1 if there is none."""
        offsets, innermost = self._brackets
        index = bisect_right(offsets, offset - 1)
        return innermost[index - 1] if index else -1

    def first_string_after(self, offset: int) -> int:
        """The index of the first string that starts after an offset."""
        return bisect_right(self.strings, (offset, len(self.text)))


def mask(source: str, last_line: int | None = None) -> Masked:
    """Mask strings and comments of a source, up to the end of the statement on `last_line` or somewhat later."""
    text = source.replace("\r\n", "\n").replace("\r", "\n") if "\r" in source else source
    return _Masker(text, _end_of_line(text, last_line)).run()


def _end_of_line(text: str, line: int | None) -> int:
    if line is None:
        return len(text)
    offset = -1
    for _ in range(line):
        offset = text.find("\n", offset + 1)
        if offset < 0:
            return len(text)
    return offset


class _Masker:
    """The state of one pass over a text."""

    def __init__(self, text: str, limit: int) -> None:
        self.text = text
        self.limit = limit
        self.position = 0
        self.pieces: list[str] = []
        self.strings: list[StringToken] = []
        self.unreadable: list[Unreadable] = []
        self.follow_fstrings = True

    def run(self) -> Masked:
        while self._run_of_tokens():
            pass
        return Masked(self.text, "".join(self.pieces), self.strings, self.unreadable)

    def _run_of_tokens(self) -> bool:
        """Take tokens until one needs more than a regular expression; False at the end."""
        text, pieces, limit = self.text, self.pieces, self.limit
        position = self.position
        for match in _TOKEN.finditer(text, position):
            start = match.start()
            if start > limit and (stop := _STATEMENT_LINE.search(text, max(position, limit), start)):
                pieces.append(text[position : stop.start()])
                return False
            end = match.end()
            if text[start] == "#":
                pieces.append(text[position:start])
                pieces.append(" " * (end - start))
            elif match.lastgroup is None:
                self._string(position, start, end)
            else:
                self.position = self._hard_string(position, start)
                return True
            position = end
        pieces.append(text[position:])
        return False

    def _string(self, position: int, quote: int, end: int) -> None:
        start = quote
        if quote > position and self.text[quote - 1].isalpha():
            prefix = _PREFIX.search(self.text, max(position, quote - 2), quote)
            start = prefix.start() if prefix else quote
        self.pieces.append(self.text[position:start])
        self.pieces.append('"' * (end - start))
        self.strings.append(StringToken(start, quote, end))

    def _hard_string(self, position: int, quote: int) -> int:
        """Take a string that is an f-string with more than simple fields, or has no end; return where it ends."""
        prefix = _PREFIX.search(self.text, max(position, quote - 2), quote)
        end = None
        if prefix and self.follow_fstrings and set(prefix[0].lower()) & {"f", "t"}:
            end = end_of_fstring(self.text, quote, raw="r" in prefix[0].lower())
            # Looking for an end that is not there reads the whole rest: once, so that the time stays linear.
            self.follow_fstrings = end is not None
        elif plain := PLAIN.match(self.text, quote):
            end = plain.end()
        if end is None:
            end = self._unterminated(quote)
        self._string(position, quote, end)
        return end

    def _unterminated(self, quote: int) -> int:
        self.unreadable.append(Unreadable(self.text.count("\n", 0, quote) + 1, "a string that does not end"))
        if self.text.startswith(('"""', "'''"), quote):
            return len(self.text)
        rest = _REST_OF_LINE.match(self.text, quote)
        return max(rest.end() if rest else 0, quote + 1)
