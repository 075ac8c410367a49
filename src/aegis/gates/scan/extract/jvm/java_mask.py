"""Java source with Unicode escapes decoded, comments and strings masked.

Lexical rules: the Java Language Specification, chapter 3. Escapes are decoded before anything else (JLS 3.3), so that
one may end a comment or spell a keyword.
"""

from __future__ import annotations

import re

from aegis.gates.scan.extract._code import CodeText, Masker, Shifts

_TOKEN = re.compile(
    r"""
    /(?: /[^\r\n]*+ | \*(?:[^*]++|\*(?!/))*+(?:\*/|(?P<comment>)) )
    | "(?: ""[ \t\f]*+[\r\n](?:[^"\\]++|\\.|"(?!""))*+(?:\"""|(?P<block>))
         | (?:[^"\\\r\n]++|\\[^\r\n])*+(?:"|(?P<line>)) )
    | '(?:\\[^\r\n][0-7]*|[^'\\\r\n]{1,2})'
    """,
    re.VERBOSE | re.DOTALL,
)
_MASKER = Masker(
    _TOKEN,
    {"comment": "comment", "block": "text block", "line": "string"},
    safe_end=re.compile(r"[;{}][ \t\r]*\n"),
)
_ESCAPE = re.compile(r"\\(?:\\|u++([0-9A-Fa-f]{4}))")
"""A backslash after an odd number of others starts no escape (JLS 3.3): pairs are skipped."""


def mask(source: str, wanted: re.Pattern[str], last_line: int | None) -> CodeText:
    """Mask a text up to the end of the statement on `last_line` or somewhat later."""
    if "\\u" not in source:
        return _MASKER.mask(source, wanted, last_line)
    text, shifts = _decoded(source)
    # An escape may be a line break, so that lines of the decoded text are not those of the source: read all.
    return _MASKER.mask(text, wanted, None, shifts)


def _decoded(source: str) -> tuple[str, Shifts]:
    pieces: list[str] = []
    decoded: list[int] = []
    raw: list[int] = []
    position = length = 0
    for match in _ESCAPE.finditer(source):
        if match[1] is None:
            continue
        pieces += [source[position : match.start()], chr(int(match[1], 16))]
        length += match.start() - position + 1
        position = match.end()
        decoded.append(length)
        raw.append(position)
    pieces.append(source[position:])
    return "".join(pieces), Shifts(source, decoded, raw)
