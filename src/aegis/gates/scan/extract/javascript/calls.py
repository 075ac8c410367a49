"""Arguments of calls in a masked script."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract._code import unescape
from aegis.gates.scan.extract.javascript.lexer import ScriptText
from aegis.gates.scan.extract.shell.command_words import HOLE

LITERAL = re.compile(r"\"++|'++|`++")
_OPEN = re.compile(r"[\s(]*+")
_PLUS = re.compile(r"\s*+\+\s*+")
_ENDS = re.compile(r"\s*+(?:!|as\s++[\w.]++)?\s*+(?:[,)]|\Z)")
_BRACKET = re.compile(r"[()]")
_LONGEST_CALL = 4_000
"""Characters in which a call's end is looked for: enough for a mock's factory, and a bound on the time."""
_DEEPEST_CALL = 50
"""Parentheses that may be open in a call; with more its end is not looked for, as a bound on the time too."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that starts with a literal."""

    offset: int
    value: str
    literals: int
    whole: bool
    """Whether the literals are all of it."""

    @property
    def is_literal(self) -> bool:
        """Whether it is one literal and nothing else."""
        return self.whole and self.literals == 1


def argument(code: ScriptText, position: int) -> Argument | None:
    """The argument at a position, if it starts with a string or a template."""
    opened = _OPEN.match(code.masked, position)
    start = position = opened.end() if opened else position
    value, count, whole = "", 0, True
    while literal := LITERAL.match(code.masked, position):
        token = code.strings.get(literal.start())
        if token is None:
            break
        if not token.whole and (folded := _folded(code, literal.start())):
            count += folded.literals
            value += folded.value
            position, token = folded.end, token._replace(whole=True)
        else:
            count += 1
            value += unescape(code.text[token.body : token.body_end])
            position = token.end
        plus = _PLUS.match(code.masked, position)
        if not token.whole or plus is None:
            whole = token.whole and _ENDS.match(code.masked, position) is not None
            break
        position = plus.end()
        whole = False
    return Argument(start, value, count, whole) if count else None


@dataclass(frozen=True, slots=True)
class _Folded:
    """A template whose expressions are literals, and so is one."""

    value: str
    end: int
    literals: int


def _folded(code: ScriptText, start: int) -> _Folded | None:
    """The value of a template like `aws-${"sdk"}`; None if an expression is anything but a literal."""
    parts = code.templates.get(start, [])
    pieces = [code.text[part.body : part.body_end] for part in parts[:1]]
    for before, after in itertools.pairwise(parts):
        opened = _OPEN.match(code.masked, before.end + len("${"))
        inner = code.strings.get(opened.end()) if opened else None
        if inner is None or not inner.whole or code.masked[inner.end : after.body].strip(" )"):
            return None
        pieces += [code.text[inner.body : inner.body_end], code.text[after.body : after.body_end]]
    if len(parts) < 2:
        return None
    return _Folded("".join(map(unescape, pieces)), parts[-1].end, len(pieces))


def end_of_call(code: ScriptText, position: int) -> int:
    """Behind the parenthesis that closes a call whose arguments start at a position."""
    depth = 1
    for bracket in _BRACKET.finditer(code.masked, position, position + _LONGEST_CALL):
        depth += 1 if bracket[0] == "(" else -1
        if depth == 0:
            return bracket.end()
        if depth > _DEEPEST_CALL:
            break
    return min(position + _LONGEST_CALL, len(code.masked))


def literals(code: ScriptText, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Every literal between two offsets."""
    for match in LITERAL.finditer(code.masked, start, end):
        value = code.value(match.start())
        if value is not None:
            yield match.start(), value


def template(code: ScriptText, start: int) -> str:
    """A template's text, with a hole for each expression."""
    parts = code.templates.get(start, [])
    return HOLE.join(unescape(code.text[part.body : part.body_end]) for part in parts)
