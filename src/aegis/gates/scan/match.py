"""Which statements are uses of a provider's SDK: the catalogue's reading, confirmed by semgrep.

All statements of a run are written into one text per language, a statement a line (a *slice*), so that one engine
run answers for all of them, whatever else their files hold. Each slice also holds statements whose answer is known:
if the engine gets one of those wrong, there is no answer at all. Where the two readings of a statement differ, the
statement counts as a use and as a disagreement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import Engine, Match, Target
from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.model import Entry, Statement, Surface
from aegis.gates.scan.rules import ENGINE_LANGUAGE, RuleKind, dynamic_rules, kind_of, provider_of, slice_rules

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
    only: Literal["the catalogue", "semgrep"] | None = None
    """The one reading that names this provider; None if both do."""


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that the engine is to read as a whole."""

    key: str
    surface: Surface
    source: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A rule that matched in a whole file."""

    key: str
    kind: RuleKind
    provider: str
    line: int
    name: str | None
    """What the engine worked out for a dynamic import's argument."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's and the catalogue's answer about everything that was asked."""

    matched: Mapping[Statement, Matched]
    """Statements that belong to no provider are left out."""
    seen: tuple[Seen, ...]
    unread: Mapping[str, str]
    """Key of a whole file that the engine could not read, and its reason."""


def match(
    statements: Iterable[Statement], catalogue: Catalogue, engine: Engine, whole_files: Sequence[WholeFile] = ()
) -> Answer:
    """Match every statement, and every whole file, in at most one run of the engine."""
    own = {statement: catalogue.match(statement.surface, statement.name) for statement in statements}
    beginnings = {surface: _beginnings(surface, catalogue) for surface in {statement.surface for statement in own}}
    # What begins like no literal belongs to nobody in either reading; asking would only cost time.
    lines = {s: _line_of(s) for s in own if s.surface in ENGINE_LANGUAGE and s.name.startswith(beginnings[s.surface])}
    slices = _slices({(s.surface, line) for s, line in lines.items() if line}, catalogue)
    matches, unread = _run(slices, whole_files, catalogue, engine)
    by_line: dict[tuple[str, int], set[str]] = {}
    for hit in matches:
        by_line.setdefault((hit.target, hit.line), set()).add(provider_of(hit.rule))
    found = {}
    for part in slices:
        found.update(part.answers(by_line))
    matched = {}
    for statement, entry in own.items():
        providers = found.get((statement.surface, lines.get(statement)), frozenset[str]())
        if answer := _weigh(statement, entry, providers):
            matched[statement] = answer
    keys = {each.key for each in whole_files}
    seen = tuple(
        Seen(hit.target, kind_of(hit.rule), provider_of(hit.rule), hit.line, hit.text)
        for hit in matches
        if hit.target in keys
    )
    return Answer(matched, seen, unread)


def _weigh(statement: Statement, entry: Entry | None, providers: frozenset[str]) -> Matched | None:
    """Both readings of one statement together."""
    if entry:
        known_to_engine = statement.surface in ENGINE_LANGUAGE and not _is_manifest(statement)
        confirmed = not known_to_engine or entry.provider in providers
        return Matched(entry, None if confirmed else "the catalogue")
    if providers:
        return Matched(Entry(min(providers), statement.surface, statement.name, "sdk"), "semgrep")
    return None


def _beginnings(surface: Surface, catalogue: Catalogue) -> tuple[str, ...]:
    return tuple({entry.literal.removesuffix("*") for entry in catalogue.entries(surface)})


def _is_manifest(statement: Statement) -> bool:
    """Whether the name comes from a manifest: its meaning is the file's, and no parser's opinion is needed."""
    return statement.form == "manifest"


def _line_of(statement: Statement) -> str | None:
    if _is_manifest(statement) or not _PLAIN[statement.surface].fullmatch(statement.text):
        return None
    return statement.text


@dataclass(frozen=True, slots=True)
class _Slice:
    """One text of one language: a first line, the controls, then a statement a line."""

    surface: Surface
    controls: tuple[tuple[str, str | None], ...]
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"slice:{self.surface}"

    def target(self) -> Target:
        lines = [_FIRST_LINE.get(self.surface, ""), *(text for text, _ in self.controls), *self.texts, ""]
        return Target(self.name, ENGINE_LANGUAGE[self.surface], "\n".join(lines).encode())

    def answers(self, by_line: Mapping[tuple[str, int], set[str]]) -> dict[tuple[str, str | None], frozenset[str]]:
        """The providers of each text, once every control has its known answer."""
        for line, (text, provider) in enumerate(self.controls, start=2):
            found = by_line.get((self.name, line), set())
            if found != ({provider} if provider else set()):
                raise _unsound(f"the control statement {text!r} matched {sorted(found)}")
        first = 2 + len(self.controls)
        return {
            (self.surface, text): frozenset(by_line.get((self.name, line), ()))
            for line, text in enumerate(self.texts, start=first)
        }


def _slices(lines: Collection[tuple[Surface, str]], catalogue: Catalogue) -> list[_Slice]:
    surfaces = sorted({surface for surface, _ in lines})
    return [
        _Slice(surface, _controls(surface, catalogue), tuple(sorted(text for s, text in lines if s == surface)))
        for surface in surfaces
    ]


def _run(
    slices: Sequence[_Slice], whole_files: Sequence[WholeFile], catalogue: Catalogue, engine: Engine
) -> tuple[tuple[Match, ...], Mapping[str, str]]:
    surfaces = sorted({part.surface for part in slices} | {each.surface for each in whole_files})
    if not surfaces:
        return (), {}
    rules = slice_rules(catalogue, surfaces)
    if whole_files:
        rules += dynamic_rules(catalogue, surfaces)
    files = [Target(f.key, ENGINE_LANGUAGE[f.surface], f.source.encode("utf-8", "replace")) for f in whole_files]
    report = engine.run(rules, [*(part.target() for part in slices), *files])
    unread = dict(report.problems)
    if broken := [part.name for part in slices if part.name in unread]:
        raise _unsound(f"{broken[0]} could not be read: {unread[broken[0]]}")
    return report.matches, unread


def _controls(surface: Surface, catalogue: Catalogue) -> tuple[tuple[str, str | None], ...]:
    """Statements with their known answer: one of nobody, and one of each provider."""
    controls: list[tuple[str, str | None]] = [(statement_text(surface, "aegis_control"), None)]
    for provider in catalogue.providers:
        names = [e.literal for e in catalogue.entries(surface) if e.provider == provider and e.literal[-1] != "*"]
        if names:
            controls.append((statement_text(surface, names[0]), provider))
    return tuple(controls)


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
