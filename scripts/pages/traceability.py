"""docs/traceability.md: runbook line ↔ threat ↔ reason ↔ negative test.

docs/traceability.yml says which reasons stand for which line and which invariant of the threat model; the test of a
reason is the one that its example in the gallery was recorded from, so it is one that has caused it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml

from aegis.core.codes import CODES
from scripts.pages import gallery

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "docs" / "traceability.yml"
PAGE = ROOT / "docs" / "traceability.md"
THREATS = ROOT / "docs" / "threat-model.md"

_HEAD = """\
# From the runbook to tests

Each line of the runbook, the [invariants of the threat model](threat-model.md#invariants) that defend it, the
[reasons](reasons.md) by which a gate or tool says no, and of each reason a test in which that happens. An empty cell, a
reason without a test and a test that is gone turn CI red (`tests/unit/pages`).

This page is generated from docs/traceability.yml; `make docs` writes it anew.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Reasons that stand for a line of the runbook, and what they defend."""

    line: str
    invariants: tuple[int, ...]
    codes: tuple[str, ...]
    """Names or globs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table."""

    line: str
    invariants: tuple[int, ...]
    code: str
    test: str
    """`file::name`; empty where none is recorded."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the table is made of."""

    lines: Mapping[str, str]
    rows: tuple[Row, ...]
    invariants: Mapping[int, str]
    tests: Mapping[str, str]
    """Code → test."""


def sources() -> Sources:
    """Read them."""
    document = yaml.safe_load(SOURCE.read_text("utf-8"))
    rows = tuple(Row(each["line"], tuple(each["invariants"]), tuple(each["codes"])) for each in document["rows"])
    tests = {code: example["test"] for code, example in gallery.recorded().items()}
    return Sources(document["lines"], rows, invariants(THREATS.read_text("utf-8")), tests)


def invariants(page: str) -> dict[int, str]:
    """Number → title of each invariant."""
    chapter = page.partition("\n## Invariants\n")[2].partition("\n## ")[0]
    return {int(number): title for number, title in re.findall(r"(?m)^(\d+)\. \*\*(.+?)\.?\*\*", chapter)}


def entries(given: Sources) -> Iterator[Entry]:
    """Each reason, in the order of the runbook's lines."""
    placed = {code: row for code in CODES if (row := _row(given, code)) is not None}
    for line in given.lines:
        for code, row in placed.items():
            if row.line == line:
                yield Entry(line, row.invariants, code, given.tests.get(code, ""))


def _row(given: Sources, code: str) -> Row | None:
    named = (row for row in given.rows if code in row.codes)
    fitting = (row for row in given.rows if any(fnmatchcase(code, pattern) for pattern in row.codes))
    return next(named, None) or next(fitting, None)


def problems(given: Sources) -> list[str]:
    """Everything that would be an empty cell, or lead nowhere."""
    found = [f"{code}: no row of docs/traceability.yml names it" for code in CODES if _row(given, code) is None]
    there = list(entries(given))
    for entry in there:
        if not entry.test:
            found.append(f"{entry.code}: no test is recorded: scripts/record_gallery.py tests/…")
        elif not exists(entry.test):
            found.append(f"{entry.code}: the test {entry.test} is no longer there: record it again")
    for line in given.lines:
        if all(entry.line != line for entry in there):
            found.append(f"runbook {line}: no reason stands for it")
    for number in given.invariants:
        if all(number not in entry.invariants for entry in there):
            found.append(f"invariant {number}: no reason stands for it")
    for row in given.rows:
        if row.line not in given.lines:
            found.append(f"there is no line {row.line!r} of the runbook")
        if not row.invariants:
            found.append(f"{row.line}: {', '.join(row.codes)}: no invariant")
        found += [f"there is no invariant {number}" for number in row.invariants if number not in given.invariants]
        found += [
            f"{row.line}: {pattern} is no reason"
            for pattern in row.codes
            if not any(fnmatchcase(code, pattern) for code in CODES)
        ]
    return found


def exists(test: str) -> bool:
    """Whether `file::name` or `file::Class::name` is a test."""
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and name in _tests(path)


@cache
def _tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test"))


def render() -> str:
    """The page."""
    given = sources()
    there = list(entries(given))
    lines = [
        _HEAD,
        "| line | what it asks for | reasons | threats |",
        "|---|---|---|---|",
    ]
    for line, text in given.lines.items():
        own = [entry for entry in there if entry.line == line]
        threats = sorted({number for entry in own for number in entry.invariants})
        lines.append(f"| [{line}](#{_anchor(line)}) | {text} | {len(own)} | {', '.join(map(str, threats))} |")
    for line, text in given.lines.items():
        lines += ["", f"## Runbook {line}", "", f"{text}.", "", "| reason | threat | negative test |", "|---|---|---|"]
        for entry in (each for each in there if each.line == line):
            threats_of = "; ".join(f"{number}: {given.invariants.get(number, '')}" for number in entry.invariants)
            where = f"gallery/{entry.code.partition('.')[0]}.md#{entry.code.replace('.', '')}"
            lines.append(f"| [{entry.code}]({where}) | {threats_of} | `{entry.test}` |")
    return "\n".join(lines) + "\n"


def _anchor(line: str) -> str:
    return f"runbook-{line.replace('.', '')}"
