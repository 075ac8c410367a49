"""The values of string literals, as far as they can be known without running anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract.python.mask import Masked, StringToken

HOLE = "\ufffc"
"""Stands in a value for what is only known at run time."""

_ESCAPE = re.compile(
    r"\\(?:\n|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^}\n]+)\}|([0-7]{1,3})|(.))", re.DOTALL
)
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {
    char: char for char in "\\'\""
}
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}|\{.*", re.DOTALL)
_SPACE = r"(?:\s|\\\n)*+"
_JOIN = re.compile(rf"{_SPACE}(\+?){_SPACE}")
_STATEMENT_BEFORE = re.compile(r"(?:\A|[\n;:])[ \t\f]*\Z")
_STATEMENT_AFTER = re.compile(r"[ \t\f]*(?:[\n;]|\Z)")
_LOOK_BEHIND = 200
"""Characters of code that are looked at before a string: more space than that between two strings joins nothing."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One string operand: a literal with all that is concatenated to it."""

    start: int
    end: int
    value: str
    """With `HOLE` for each unknown part."""
    last: int
    """Index of its last token."""

    @property
    def prefix(self) -> str:
        """The value up to the first unknown part."""
        return self.value.partition(HOLE)[0]

    @property
    def complete(self) -> bool:
        """Whether the whole value is known."""
        return HOLE not in self.value


def literal_around(masked: Masked, index: int, first: int) -> Literal:
    """Return the operand that a token belongs to; tokens before `first` are not looked at."""
    while index > first and _is_joined(masked, index - 1, index):
        index -= 1
    return literal(masked, index)


def literal(masked: Masked, index: int) -> Literal:
    """Return the operand that starts with a token: adjacent literals and `+` are followed."""
    tokens, code = masked.strings, masked.code
    start = tokens[index].start
    parts = [token_value(masked.text, tokens[index])]
    while True:
        end = tokens[index].end
        join = _JOIN.match(code, end)
        if join is None or end == len(code):
            break
        if index + 1 < len(tokens) and tokens[index + 1].start == join.end() and _is_joined(masked, index, index + 1):
            index += 1
            parts.append(token_value(masked.text, tokens[index]))
            continue
        if join[1]:
            parts.append(HOLE)
        break
    return Literal(start, tokens[index].end, "".join(parts), index)


def _is_joined(masked: Masked, left: int, right: int) -> bool:
    start, end = masked.strings[left].end, masked.strings[right].start
    gap = masked.code[start:end] if end - start <= _LOOK_BEHIND else "x"
    if gap.replace("+", "", 1).replace("\\\n", "").strip():
        return False
    return "\n" not in gap.replace("\\\n", "") or masked.bracket(end) >= 0


def is_statement(masked: Masked, one: Literal) -> bool:
    """Whether a string is a statement of its own: a docstring, or a comment in disguise."""
    before = masked.code[max(0, one.start - _LOOK_BEHIND) : one.start]
    return bool(
        _STATEMENT_BEFORE.search(before)
        and not before.rstrip(" \t\f").endswith("\\\n")
        and _STATEMENT_AFTER.match(masked.code, one.end)
        and masked.bracket(one.start) < 0
    )


def token_value(text: str, token: StringToken) -> str:
    """Return a token's value, with a hole for each field of an f-string."""
    prefix = text[token.start : token.quote].lower()
    width = 3 if text.startswith(('"""', "'''"), token.quote) else 1
    body = text[token.quote + width : token.end - width]
    if "f" in prefix or "t" in prefix:
        body = _FIELD.sub(_field, body)
    if "\\" in body and "r" not in prefix:
        body = _ESCAPE.sub(_unescape, body)
    return body


def expressions(text: str, token: StringToken) -> Iterator[str]:
    """Yield the expressions in the fields of an f-string or t-string that hold strings themselves."""
    if "f" not in (prefix := text[token.start : token.quote].lower()) and "t" not in prefix:
        return
    for match in _FIELD.finditer(text, token.quote, token.end):
        if match[0] not in ("{{", "}}") and ('"' in match[0] or "'" in match[0]):
            yield match[0].strip("{}")


def _field(match: re.Match[str]) -> str:
    return match[0][0] if match[0] in ("{{", "}}") else HOLE


def _unescape(match: re.Match[str]) -> str:
    code_point = next((int(digits, 16) for digits in match.group(1, 2, 3) if digits), None)
    if match[5]:
        code_point = int(match[5], 8)
    if code_point is not None:
        return chr(code_point) if code_point <= 0x10FFFF else HOLE
    if match[4]:
        try:
            return unicodedata.lookup(match[4])
        except KeyError:
            return HOLE
    if match[6]:
        return _SIMPLE_ESCAPES.get(match[6], match[0])
    return ""
