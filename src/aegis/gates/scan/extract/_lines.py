"""Statements that were found in a piece of a file, moved to where they stand in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from aegis.gates.scan.extract._yaml import Scalar
from aegis.gates.scan.model import Statement, Unreadable


def moved(
    found: Iterable[Statement | Unreadable], line: int, column: int = 1, *, one_line: bool = False
) -> Iterator[Statement | Unreadable]:
    """`found` in a text that begins at `line` and `column`; `one_line`: the file has all of it on that line."""
    for item in found:
        at = line if one_line else item.line + line - 1
        if isinstance(item, Unreadable):
            yield replace(item, line=at)
        else:
            yield replace(item, line=at, column=item.column + column - 1 if item.line == 1 else item.column)


def in_scalar(
    found: Iterable[Statement | Unreadable], scalar: Scalar, lines: list[str]
) -> Iterator[Statement | Unreadable]:
    """`found` in the text of a YAML scalar, placed in the file whose lines are `lines`.

    A literal block keeps its lines and loses its indentation. Folded and multi-line flow scalars join lines: there the
    statement is looked for by its first word.
    """
    if scalar.node.style == "|":
        start = scalar.line
        indent = _indentation(lines[start - 1]) if start <= len(lines) else 0
        for item in found:
            if isinstance(item, Unreadable):
                yield replace(item, line=item.line + start - 1)
            else:
                yield replace(item, line=item.line + start - 1, column=item.column + indent)
        return
    end = scalar.node.end_mark.line + 1
    if scalar.line == end and not scalar.block:
        yield from moved(found, scalar.line, scalar.column, one_line=True)
        return
    at = (scalar.line, 0)
    for item in found:
        if isinstance(item, Unreadable):
            yield replace(item, line=scalar.line)
        else:
            placed = _searched(item, at, end, lines)
            at = (placed.line, placed.column)
            yield placed


def _indentation(line: str) -> int:
    """How many characters a line is indented."""
    return len(line) - len(line.lstrip(" "))


def _searched(item: Statement, start: tuple[int, int], last: int, lines: list[str]) -> Statement:
    """`item` at the first place after `start` (line, column), up to the line `last`, that has its text's first word."""
    word = re.compile(rf"(?<![\w.-]){re.escape(item.text.split(' ', 1)[0])}(?![\w-])")
    for number in range(start[0], min(last, len(lines)) + 1):
        found = word.search(lines[number - 1], start[1] if number == start[0] else 0)
        if found:
            return replace(item, line=number, column=found.start() + 1)
    return replace(item, line=start[0], column=max(1, start[1]))
