"""Source text with its comments and strings masked, for languages whose tokens one regular expression can tell.

The mask has the length of the text. A comment becomes spaces, a string a run of its own quote character; line breaks
stay in comments, so that a line of the mask is a line of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from aegis.gates.scan.extract._place import Places
from aegis.gates.scan.model import Unreadable

_NOT_BREAK = re.compile(r"[^\r\n]")
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u+([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-7]{1,3})"
    r"|(\r\n|[\n\r\u2028\u2029])|(.))",
    re.DOTALL,
)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "s": " "}
_LAST_CHARACTER = 0x10FFFF


class StringToken(NamedTuple):
    """Where a string's body is and where the string ends; `whole` is false if an expression follows inside it."""

    body: int
    body_end: int
    end: int
    whole: bool


@dataclass(frozen=True)
class Shifts:
    """From offsets of a text whose escapes were decoded to those of its source."""

    source: str
    decoded: Sequence[int] = ()
    """Offsets behind each decoded escape, in the decoded text …"""
    raw: Sequence[int] = ()
    """… and in the source."""

    def raw_offset(self, offset: int) -> int:
        """The offset in the source."""
        index = bisect_right(self.decoded, offset)
        return offset + self.raw[index - 1] - self.decoded[index - 1] if index else offset


@dataclass(frozen=True)
class CodeText:
    """A file, its masked form, and its strings by where they start."""

    text: str
    masked: str
    strings: Mapping[int, StringToken]
    unreadable: list[Unreadable] = field(default_factory=list)
    shifts: Shifts | None = None

    @cached_property
    def _places(self) -> Places:
        return Places(self.shifts.source if self.shifts else self.text)

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        return self._places.at(self.shifts.raw_offset(offset) if self.shifts else offset)

    def value(self, offset: int) -> str | None:
        """The value of the string that starts at an offset, its escapes decoded."""
        token = self.strings.get(offset)
        return None if token is None else unescape(self.text[token.body : token.body_end])


def blank(text: str) -> str:
    """Spaces in place of everything but line breaks."""
    if "\n" not in text and "\r" not in text:
        return " " * len(text)
    return _NOT_BREAK.sub(" ", text)


def limit_of(text: str, last_line: int | None, safe_end: re.Pattern[str]) -> int:
    """The offset up to which a text must be read: where `safe_end` first matches behind the end of a line (from 1)."""
    if last_line is None:
        return len(text)
    offset = -1
    for _ in range(last_line):
        offset = text.find("\n", offset + 1)
        if offset < 0:
            return len(text)
    end = safe_end.search(text, offset)
    return end.end() if end else len(text)


def unescape(body: str) -> str:
    """The value of a string's body: the escapes of C's family, of which each language here has a part."""
    return _ESCAPE.sub(_unescaped, body) if "\\" in body else body


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3] or match[4]
    if digits or match[5]:
        number = int(digits, 16) if digits else int(match[5], 8)
        return chr(number) if number <= _LAST_CHARACTER else "\ufffd"
    return "" if match[6] else _CONTROL.get(match[7], match[7])


@dataclass(frozen=True)
class Masker:
    """Masks by one pattern: a token that starts with `/` is a comment, any other a string.

    `open_ended` names the pattern's empty groups that match where a token does not end, and what the token is. Such a
    token is told only if it swallows something wanted: only then could it hide a use.
    """

    token: re.Pattern[str]
    open_ended: Mapping[str, str]
    safe_end: re.Pattern[str]
    """Where a statement has surely ended, unless it is in a comment or a string."""

    def mask(self, text: str, wanted: re.Pattern[str], last_line: int | None, shifts: Shifts | None = None) -> CodeText:
        """Mask a text up to the end of the statement on `last_line` or somewhat later."""
        limit = limit_of(text, last_line, self.safe_end)
        pieces: list[str] = []
        strings: dict[int, StringToken] = {}
        unreadable: list[Unreadable] = []
        position = 0
        for match in self.token.finditer(text):
            start, end = match.span()
            if start > limit:
                break
            pieces.append(text[position:start])
            if text[start] == "/":
                pieces.append(blank(text[start:end]))
            else:
                quote = text[start]
                pieces.append(quote * (end - start))
                width = 3 if quote == '"' and text.startswith('"""', start) and end - start > 3 else 1
                strings[start] = StringToken(start + width, end - width, end, True)
            if match.lastgroup and wanted.search(text, start, end):
                line = text.count("\n", 0, start) + 1
                unreadable.append(Unreadable(line, f"a {self.open_ended[match.lastgroup]} that does not end"))
            position = end
        pieces.append(text[position : max(position, limit)])
        return CodeText(text, "".join(pieces), strings, unreadable, shifts)
