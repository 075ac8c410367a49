"""Kotlin source with comments and strings masked.

Unlike Java's, Kotlin's comments nest, and its strings hold expressions: `"…${code}…"`. The code in them stays code; its
braces become parentheses. https://kotlinlang.org/docs/reference/grammar.html#lexical-grammar
"""

from __future__ import annotations

import re

from aegis.gates.scan.extract._code import CodeText, StringToken, blank, limit_of
from aegis.gates.scan.model import Unreadable

_PIECE = r"(?:[^\"\\\n$]++|\\.|\$(?!\{))*+"
_RAW_PIECE = r"(?:[^\"$]++|\$(?!\{)|\"(?!\"\"))*+"
_CODE = re.compile(
    rf"//[^\n]*+|/\*|\"\"\"{_RAW_PIECE}(?:(?P<raw>\"\"\"+)|(?P<raw_open>))|\"{_PIECE}(?:(?P<line>\")|(?P<line_open>))"
    r"|'(?:\\[^\n][0-9A-Fa-f]*|[^'\\\n])'|[{}]",
    re.DOTALL,
)
_REST_OF_RAW = re.compile(rf"{_RAW_PIECE}(?:(?P<end>\"\"\"+)|)")
_REST_OF_LINE = re.compile(rf"{_PIECE}(?:(?P<end>\")|)", re.DOTALL)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
SAFE_END = re.compile(r"\n[ \t]*(?=\}|(?:import|val|var|fun|class|object|public|private|internal|override|return)\b)")


def mask(text: str, wanted: re.Pattern[str], last_line: int | None) -> CodeText:
    """Mask a text up to the end of the statement on `last_line` or somewhat later."""
    return _Masker(text, wanted, limit_of(text, last_line, SAFE_END)).run()


class _Masker:
    """The state of one pass over a text."""

    def __init__(self, text: str, wanted: re.Pattern[str], limit: int) -> None:
        self.text = text
        self.wanted = wanted
        self.limit = limit
        self.pieces: list[str] = []
        self.strings: dict[int, StringToken] = {}
        self.unreadable: list[Unreadable] = []
        self.position = 0
        self.depth = 0
        # The strings that the code stands in: the brace depth of each expression, and whether the string is raw.
        self.outer: list[tuple[int, bool]] = []

    def run(self) -> CodeText:
        while match := _CODE.search(self.text, self.position):
            start = match.start()
            if start > self.limit and not self.outer:
                break
            self.pieces.append(self.text[self.position : start])
            self.position = start
            self._token(match)
        self.pieces.append(self.text[self.position : max(self.position, self.limit)])
        if self.outer:
            self._hidden(self.outer[0][0], len(self.text), "string template")
        # Names that are keywords stand in backquotes; spaces may stand between the parts of a name anyway.
        return CodeText(self.text, "".join(self.pieces).replace("`", " "), self.strings, self.unreadable)

    def _token(self, match: re.Match[str]) -> None:
        first = match[0][0]
        if first == "/":
            end = self._end_of_comment(match) if match[0] == "/*" else match.end()
            self._take(blank(self.text[self.position : end]), end)
        elif first == '"':
            raw = match["raw"] is not None or match["raw_open"] is not None
            closed = match["raw"] or match["line"]
            self._string(match.end(), 3 if raw else 1, bool(closed), raw)
        elif first == "'":
            self._take("'" * len(match[0]), match.end())
        else:
            self._brace(first)

    def _take(self, masked: str, end: int) -> None:
        self.pieces.append(masked)
        self.position = end

    def _string(self, end: int, width: int, closed: bool, raw: bool) -> None:
        """Take a string, or its part up to an expression; `width` is the length of its opening quote."""
        start = self.position
        self._take('"' * (end - start), end)
        self.strings[start] = StringToken(start + width, end - (width if closed else 0), end, closed)
        if closed:
            return
        if self.text.startswith("${", end):
            self._take('"(', end + 2)
            self.outer.append((self.depth, raw))
        else:
            self._hidden(start, end, "string")

    def _brace(self, brace: str) -> None:
        if brace == "}" and self.outer and self.outer[-1][0] == self.depth:
            self._rest_of_string(self.outer.pop()[1])
            return
        self.depth += 1 if brace == "{" else -1
        self._take(brace, self.position + 1)

    def _rest_of_string(self, raw: bool) -> None:
        """Take what follows an expression in a string."""
        self._take(")", self.position + 1)
        rest = (_REST_OF_RAW if raw else _REST_OF_LINE).match(self.text, self.position)
        if rest:
            self._string(rest.end(), 0, rest["end"] is not None, raw)

    def _end_of_comment(self, match: re.Match[str]) -> int:
        level = 0
        for edge in _COMMENT_EDGE.finditer(self.text, match.start()):
            level += 1 if edge[0] == "/*" else -1
            if level == 0:
                return edge.end()
        self._hidden(match.start(), len(self.text), "comment")
        return len(self.text)

    def _hidden(self, start: int, end: int, what: str) -> None:
        """Tell of a token without an end if it swallowed something wanted."""
        if self.wanted.search(self.text, start, end):
            self.unreadable.append(Unreadable(self.text.count("\n", 0, start) + 1, f"a {what} that does not end"))
