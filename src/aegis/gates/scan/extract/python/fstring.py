"""Where an f-string or t-string ends (PEP 701, PEP 750).

Its fields hold expressions with strings of any quote, comments and line breaks, so no regular expression finds the end.
"""

from __future__ import annotations

import re

PLAIN = re.compile(
    r'''"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+"""|"(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'''
    r"""|\'\'\'[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+\'\'\'|'(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'""",
    re.DOTALL,
)
"""A whole plain string without its prefix."""

_QUOTE = re.compile(r'"""|\'\'\'|"|\'')
_FORMATTED_PREFIX = re.compile(r"(?<![^\x00-/:-@\[-\^`{-\x7f])(?:[fFtT]([rR])?|([rR])[fFtT])\Z")
_IN_EXPRESSION = re.compile(r"""[\[\](){}:"']|\#[^\n]*+""")
_IN_SPEC = re.compile(r"""[{}"']""")
_IN_LITERAL = {
    quote: re.compile(rf"{quote}|\{{\{{|\}}\}}|\{{|\\N\{{[^}}\n]*+\}}|\\(?![{{}})]).{end_of_line}", re.DOTALL)
    for quote, end_of_line in (('"""', ""), ("'''", ""), ('"', r"|\n"), ("'", r"|\n"))
}
_IN_RAW_LITERAL = {
    quote: re.compile(rf"{quote}|\{{\{{|\}}\}}|\{{|\\(?![{{}}]).{end_of_line}", re.DOTALL)
    for quote, end_of_line in (('"""', ""), ("'''", ""), ('"', r"|\n"), ("'", r"|\n"))
}

# What the innermost open thing is. A literal's frame is (quote, raw); the others carry no data of their own.
_EXPRESSION, _SPEC, _BRACKET = "expression", "spec", "bracket"


def end_of_fstring(text: str, quote: int, *, raw: bool) -> int | None:
    """Return the offset after the f-string whose quote stands at `quote`, or None if it has no end."""
    frames: list[tuple[str, bool]] = []
    position = _open(text, quote, frames, raw=raw)
    while frames:
        kind, is_raw = frames[-1]
        if kind in _IN_LITERAL:
            after = _literal_step(text, position, frames, kind, is_raw)
        else:
            after = _field_step(text, position, frames, kind)
        if after is None:
            return None
        position = after
    return position


def _open(text: str, quote: int, frames: list[tuple[str, bool]], *, raw: bool) -> int:
    match = _QUOTE.match(text, quote)
    if match is None:  # only called at a quote
        return quote
    frames.append((match[0], raw))
    return match.end()


def _literal_step(text: str, position: int, frames: list[tuple[str, bool]], quote: str, raw: bool) -> int | None:
    match = (_IN_RAW_LITERAL if raw else _IN_LITERAL)[quote].search(text, position)
    if match is None or match[0] == "\n":
        return None
    if match[0] == quote:
        frames.pop()
    elif match[0] == "{":
        frames.append((_EXPRESSION, False))
    return match.end()


def _field_step(text: str, position: int, frames: list[tuple[str, bool]], kind: str) -> int | None:
    match = (_IN_SPEC if kind == _SPEC else _IN_EXPRESSION).search(text, position)
    if match is None:
        return None
    found = match[0]
    if found in "\"'":
        return match.end() if kind == _SPEC else _nested_string(text, match.start(), frames)
    if found == "{" and kind == _SPEC:
        frames.append((_EXPRESSION, False))
    elif found in "([{":
        frames.append((_BRACKET, False))
    elif found in ")]}":
        if kind == _BRACKET or found == "}":
            frames.pop()
    elif found == ":" and kind == _EXPRESSION:
        frames[-1] = (_SPEC, False)
    return match.end()


def _nested_string(text: str, quote: int, frames: list[tuple[str, bool]]) -> int | None:
    prefix = _FORMATTED_PREFIX.search(text, max(0, quote - 2), quote)
    if prefix:
        return _open(text, quote, frames, raw=bool(prefix[1] or prefix[2]))
    plain = PLAIN.match(text, quote)
    return plain.end() if plain else None
