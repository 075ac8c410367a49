"""Command lines that code of any language starts, as the shell extractor reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from aegis.gates.scan.extract._code import CodeText
from aegis.gates.scan.model import Statement

HOLE = "\x00"
"""A word, or a part of one, that the program works out at run time."""
_HOLE_IN_SHELL = "$HOLE"


def commands(code: CodeText, offset: int, words: Sequence[str], wanted: re.Pattern[str]) -> Iterator[Statement]:
    """The commands of a list of words, placed where the call stands."""
    line = " ".join(_HOLE_IN_SHELL if word == HOLE else shlex.quote(word.replace(HOLE, "")) for word in words)
    yield from shell_commands(code, offset, line, wanted)


def shell_commands(code: CodeText, offset: int, script: str, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """The commands of a text for the shell, placed where the call stands."""
    if not wanted.search(script):
        return
    from aegis.gates.scan.extract.shell import text as shell  # a file without a wanted command pays nothing for it

    line, column = code.at(offset)
    for found in shell.extract(script.replace(HOLE, _HOLE_IN_SHELL), wanted):
        if isinstance(found, Statement):
            yield Statement(line, column, found.surface, found.form, found.name, found.text)
