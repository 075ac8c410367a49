"""Which statements are uses of a provider's SDK: the catalogue's reading, confirmed by semgrep.

All statements of a run are written into one text per language, a statement a line (a *slice*), so that one engine
run answers for all of them, whatever else their files hold. Each slice also holds statements whose answer is known:
if the engine gets one of those wrong, there is no answer at all. Where the two readings of a statement differ, the
statement counts as a use and as a disagreement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import Engine, Target
from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.model import Entry, Statement, Surface
from aegis.gates.scan.rules import ENGINE_LANGUAGE, provider_of, slice_rules

_PLAIN: Final[Mapping[Surface, re.Pattern[str]]] = {
    "python": re.compile(r"(?:import|from)\s[\w., *]+"),
    "npm": re.compile(r'import "[^"\\$\s]+";'),
    "go": re.compile(r'import "[^"\\\s]+"'),
    "java": re.compile(r"import (?:static )?[\w.$]+(?:\.\*)?;"),
}
"""What may stand in a slice. A statement that could reach over its line would speak for its neighbours."""

_FIRST_LINE: Final[Mapping[Surface, str]] = {"go": "package slice"}


@dataclass(frozen=True, slots=True)
class Matched:
    """The answer about one statement."""

    entry: Entry
    agreed: bool
    """Both readings name this provider."""


def match(statements: Iterable[Statement], catalogue: Catalogue, engine: Engine) -> dict[Statement, Matched]:
    """Match every statement; those that belong to no provider are left out."""
    own = {statement: catalogue.match(statement.surface, statement.name) for statement in statements}
    sliced = {s: _line_of(s) for s in own if s.surface in ENGINE_LANGUAGE}
    answers = _ask(sorted({(s.surface, line) for s, line in sliced.items() if line}), catalogue, engine)
    matched: dict[Statement, Matched] = {}
    for statement, entry in own.items():
        line = sliced.get(statement)
        if statement.surface not in ENGINE_LANGUAGE or _is_manifest(statement):
            if entry:
                matched[statement] = Matched(entry, agreed=True)
            continue
        found = answers.get((statement.surface, line), frozenset()) if line else frozenset()
        if entry:
            matched[statement] = Matched(entry, agreed=entry.provider in found)
        elif found:
            provider = min(found)
            guess = Entry(provider, statement.surface, statement.name, "sdk")
            matched[statement] = Matched(guess, agreed=False)
    return matched


def _is_manifest(statement: Statement) -> bool:
    """Whether the name comes from a manifest: its meaning is the file's, and no parser's opinion is needed."""
    return statement.form == "manifest"


def _line_of(statement: Statement) -> str | None:
    if _is_manifest(statement) or not _PLAIN[statement.surface].fullmatch(statement.text):
        return None
    return statement.text


def _ask(
    lines: Sequence[tuple[Surface, str]], catalogue: Catalogue, engine: Engine
) -> dict[tuple[Surface, str], frozenset[str]]:
    """The providers that the engine sees in each line."""
    surfaces = sorted({surface for surface, _ in lines})
    if not surfaces:
        return {}
    controls = {surface: _controls(surface, catalogue) for surface in surfaces}
    slices: dict[Surface, list[str]] = {}
    for surface in surfaces:
        first = _FIRST_LINE.get(surface, "")
        slices[surface] = [first, *(text for text, _ in controls[surface]), *(t for s, t in lines if s == surface)]
    targets = [Target(s, ENGINE_LANGUAGE[s], "\n".join(text).encode() + b"\n") for s, text in slices.items()]
    report = engine.run(slice_rules(catalogue, surfaces), targets)
    if report.problems:
        raise _unsound(f"it could not read {', '.join(sorted(report.problems))} statements")
    found: dict[tuple[Surface, int], set[str]] = {}
    for hit in report.matches:
        surface = next(s for s in surfaces if s == hit.target)
        found.setdefault((surface, hit.line), set()).add(provider_of(hit.rule))
    for surface in surfaces:
        for line, (text, provider) in enumerate(controls[surface], start=2):
            expected = {provider} if provider else set()
            if found.get((surface, line), set()) != expected:
                raise _unsound(f"the control {text!r} matched {sorted(found.get((surface, line), set()))}")
    return {
        (surface, text): frozenset(found.get((surface, line), ()))
        for surface, texts in slices.items()
        for line, text in enumerate(texts, start=1)
    }


def _controls(surface: Surface, catalogue: Catalogue) -> list[tuple[str, str | None]]:
    """Statements with their known answer: one of each provider, and one of nobody."""
    controls: list[tuple[str, str | None]] = [(statement_text(surface, "aegis_control"), None)]
    for provider in catalogue.providers:
        names = [e.literal for e in catalogue.entries(surface) if e.provider == provider and e.literal[-1] != "*"]
        if names:
            controls.append((statement_text(surface, names[0]), provider))
    return controls


def statement_text(surface: Surface, name: str) -> str:
    """The one-line import statement of `name` in the language of `surface`."""
    if surface == "python":
        return f"import {name}"
    if surface == "npm":
        return f'import "{name}";'
    return f'import "{name}"' if surface == "go" else f"import {name};"


def _unsound(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "scan.engine_failed",
        f"semgrep: {problem}",
        expected="the known answer for every control statement",
        remedy="run it again; if it fails again, report it with this message",
    )
