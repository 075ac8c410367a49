"""Snakemake's workflows: Python between rules, whose `shell:` strings are commands and whose containers are images.

https://snakemake.readthedocs.io/en/stable/snakefiles/writing_snakefiles.html#grammar; the rules' words are nothing that
an import could hide behind, so that what reads Python reads a workflow's, too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract.python import file as python
from aegis.gates.scan.extract.python.commands import readable, shell_text
from aegis.gates.scan.extract.python.mask import Masked, mask
from aegis.gates.scan.extract.python.strings import HOLE, token_value
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_GAP = r"(?:\s|\\\n)*+"
_DIRECTIVE = re.compile(rf"(?<![\w.])(?P<name>shell|container|containerized|singularity){_GAP}:{_GAP}(?=\")")
_JOINT = re.compile(rf"{_GAP}\+?{_GAP}")
_FIELD = re.compile(r"(\{\{|\}\})|\{[^{}\n]*\}")
"""Snakemake formats a command: `{input}` is known when the rule runs, `{{` is one brace."""

Found = Statement | Unreadable


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Found]:
    """Return every statement of a workflow that names something wanted."""
    found = python.extract(source, wanted, last_line)
    masked = mask(source.removeprefix("\ufeff"))
    for directive in _DIRECTIVE.finditer(masked.code):
        value, last = _value(masked, directive.end())
        line = masked.line(directive.end())
        if directive["name"] == "shell":
            found += (_placed(one, line, last) for one in shell.extract(value, wanted))
        elif wanted.search(value):
            image = value.removeprefix("docker://")
            found.append(Statement(line, masked.column(directive.end()), "image", "image", image, one_line(value)))
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _value(masked: Masked, start: int) -> tuple[str, int]:
    """The strings from `start` on as one, a line of it for each of theirs, and the line of the last one."""
    index = masked.first_string_after(start - 1)
    parts = []
    while True:
        token = masked.strings[index]
        parts.append(_FIELD.sub(lambda field: field[1][:1] if field[1] else HOLE, token_value(masked.text, token)))
        index += 1
        following = masked.strings[index].start if index < len(masked.strings) else -1
        gap = _JOINT.match(masked.code, token.end)
        if gap is None or gap.end() != following:
            return shell_text("".join(parts)), masked.line(token.end)
        parts.append("\\\n" * masked.text.count("\n", token.end, following))


def _placed(one: Found, first: int, last: int) -> Found:
    """A statement of a command that begins at one line of the file and ends at another."""
    line = min(first + one.line - 1, last)
    if isinstance(one, Unreadable):
        return replace(one, line=line)
    return replace(one, line=line, text=readable(one.text))
