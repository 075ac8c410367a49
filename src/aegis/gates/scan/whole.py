"""Files that an engine reads as a whole.

Two reasons: a file imports by a name that is worked out at run time, which only constant propagation can follow; or a
second opinion on the static imports is wanted, from a parser that shares nothing with the extractors.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.extract.route import targets
from aegis.gates.scan.match import Answer, Seen, WholeFile, statement_text
from aegis.gates.scan.model import Entry, Statement, Surface
from aegis.gates.scan.read import FileReading

_SURFACES: Final[Mapping[str, Surface]] = {
    "python.file": "python",
    "javascript.file": "npm",
    "go": "go",
    "jvm.file:java": "java",
}
"""The surface of the files that an extractor reads."""
_PARTS: Final[Mapping[str, Surface]] = {
    "python.notebook": "python",
    "python.snakefile": "python",
    "javascript.html": "npm",
}
"""The same of files that are only partly code, or code with more in it, which no engine reads as a whole."""
_COMPONENTS: Final = frozenset({".vue", ".svelte", ".astro"})
_BY_NAME: Final[Mapping[Surface, Sequence[re.Pattern[str]]]] = {
    # A call whose first argument does not begin with a plain string: what the extractors leave to the engine. Each
    # pattern begins with a word, so that `re` finds the next candidate quickly.
    "python": (
        re.compile(
            r"import_module(?:\s*+(?:\(\s*+(?![\"'\s)]|[rRuU]?[\"'])|\([^()]*[\"']\s*+[+%]|as\b)|[ \t]*+$)",
            re.MULTILINE,
        ),
        re.compile(
            r"__import__(?:\s*+(?:\(\s*+(?![\"'\s)]|[rRuU]?[\"'])|\([^()]*[\"']\s*+[+%])|[ \t]*+(?:$|[,)\]]))",
            re.MULTILINE,
        ),
        re.compile(r"(?:find_spec|resolve_name|run_module)\s*+\(\s*+(?![\"'\s)]|[rRuU]?[\"'])"),
    ),
    "npm": (
        re.compile(r"require\s*+\(\s*+(?:(?![\"'`\s)])|[\"'`][^\"'`]*[\"'`]\s*+\+)"),
        re.compile(r"import\s*+\(\s*+(?:(?![\"'`\s)])|[\"'`][^\"'`]*[\"'`]\s*+\+)"),
    ),
    "java": (re.compile(r"(?:forName|loadClass)\s*+\(\s*+(?:(?![\"\s)])|\"[^\"]*\"\s*+\+)"),),
}
MAX_WHOLE: Final = 1_000_000
"""Characters of the largest file that is read as a whole for its imports by name: semgrep takes seconds for it."""
_HEAD: Final = 200
"""Characters at the start of a file that tell its interpreter."""
_TELLING: Final = 3
"""Characters at the start of a string that make it worth asking whether constants add up to an SDK's name."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A statement that two engines read differently."""

    path: str
    line: int
    provider: str
    seen_by: str
    """Which reading sees a use where the other does not."""


@dataclass(frozen=True, slots=True)
class WholeReader:
    """Chooses the files that an engine is to read as a whole."""

    catalogue: Catalogue

    def choose(self, readings: Iterable[FileReading], *, side: str, every: bool) -> list[WholeFile]:
        """Those that import by name, or every one for a second opinion."""
        chosen = []
        for reading in readings:
            surface = surface_of(reading)
            if surface is None or reading.source is None:
                continue
            if every or (self.imports_by_name(reading) and len(reading.source) <= MAX_WHOLE):
                chosen.append(WholeFile(f"{side}:{reading.path}", surface, reading.source))
        return chosen

    def too_large(self, reading: FileReading) -> bool:
        """Whether a file imports by name and is too large to be read for it."""
        return len(reading.source or "") > MAX_WHOLE and self.imports_by_name(reading)

    def imports_by_name(self, reading: FileReading) -> bool:
        """Whether the file imports by a name that is no literal, and holds a string that could be part of one."""
        surface, source = surface_of(reading), reading.source
        return surface is not None and source is not None and self._imports_by_name(surface, source)

    def _imports_by_name(self, surface: Surface, source: str) -> bool:
        calls = any(pattern.search(source) for pattern in _BY_NAME.get(surface, ()))
        return calls and _beginnings(self.catalogue, surface).search(source) is not None

    def unexplained(self, reading: FileReading, providers: Collection[str]) -> Iterator[tuple[int, str, str]]:
        """Line, value and provider of strings that are SDKs' names, in a file that imports by a name unknown until run.

        Such as `import_module(PLACES[kind])`. One for each provider but `providers`, which the file is known to use.
        """
        surface, source = surface_of(reading) or _surface_of_a_part(reading), reading.source
        if surface is None or source is None:
            return
        if reading.path.lower().endswith(".ipynb"):
            source = source.replace('\\"', '"')  # code in strings of JSON
        if not self._imports_by_name(surface, source):
            return
        told = set(providers)
        for match in _beginnings(self.catalogue, surface).finditer(source):
            name = _REST.match(source, match.start() + 1)
            entry = self.catalogue.match(surface, name[1]) if name and name[2] == source[match.start()] else None
            if name and entry and entry.kind == "sdk" and entry.provider not in told:
                told.add(entry.provider)
                yield source.count("\n", 0, match.start()) + 1, name[1], entry.provider


_REST: Final = re.compile(r"([\w.@/-]+)(.)")


@functools.cache
def _beginnings(catalogue: Catalogue, surface: Surface) -> re.Pattern[str]:
    """Strings that begin as some name of the surface does."""
    starts = {entry.literal[:_TELLING] for entry in catalogue.entries(surface)}
    return re.compile(rf"[\"'`](?:{'|'.join(map(re.escape, sorted(starts)))})")


def dynamic_statements(
    answer: Answer, readings: Iterable[FileReading], *, side: str, catalogue: Catalogue
) -> Iterator[tuple[str, Statement, Entry]]:
    """Imports by name that only the engine found: path, statement, and what they import."""
    by_key = {f"{side}:{reading.path}": reading for reading in readings}
    told: set[tuple[str, int, str]] = set()
    for seen in answer.seen:
        reading = by_key.get(seen.key)
        if seen.kind != "dynamic" or reading is None:
            continue
        surface = surface_of(reading) or "python"
        name = (seen.name or "").strip("\"'`").rstrip(".")
        entry = catalogue.match(surface, name) or Entry(seen.provider, surface, name, "sdk")
        place = (reading.path, seen.line, entry.provider)
        if place in told or _known(reading, seen, catalogue):
            continue
        told.add(place)
        text = statement_text(surface, name or seen.provider)
        yield reading.path, Statement(seen.line, 1, surface, "dynamic", name, text), entry


def _known(reading: FileReading, seen: Seen, catalogue: Catalogue) -> bool:
    """Whether an extractor found the same import itself."""
    here = (s for s in reading.statements if s.line == seen.line and s.form in {"dynamic", "import", "mock"})
    return any((e := catalogue.match(s.surface, s.name)) is not None and e.provider == seen.provider for s in here)


def second_opinions(
    answer: Answer, readings: Sequence[FileReading], *, side: str, catalogue: Catalogue
) -> Iterator[Disagreement]:
    """Where semgrep on the whole file, or Python's own parser, sees other static imports than the extractors."""
    semgrep: dict[str, set[tuple[int, str]]] = {}
    for seen in answer.seen:
        if seen.kind == "slice":
            semgrep.setdefault(seen.key, set()).add((seen.line, seen.provider))
    for reading in readings:
        surface = surface_of(reading)
        if surface is None or reading.source is None:
            continue
        ours = _static(reading, surface, catalogue)
        key = f"{side}:{reading.path}"
        if key not in answer.unread:
            yield from _compare(reading.path, ours, semgrep.get(key, set()), "semgrep")
        if surface == "python" and (parsed := _by_ast(reading.source, catalogue)) is not None:
            yield from _compare(reading.path, ours, parsed, "ast")


def _static(reading: FileReading, surface: Surface, catalogue: Catalogue) -> set[tuple[int, str]]:
    """Line and provider of each static import that the extractors found."""
    found = set()
    for statement in reading.statements:
        if statement.surface == surface and statement.form in {"import", "type-only"}:
            entry = catalogue.match(statement.surface, statement.name)
            if entry:
                found.add((statement.line, entry.provider))
    return found


def _by_ast(source: str, catalogue: Catalogue) -> set[tuple[int, str]] | None:
    """Line and provider of each static import that Python's parser finds; None where it can't parse the file."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module if alias.name == "*" else f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            entry = catalogue.match("python", name)
            if entry and isinstance(node, (ast.Import, ast.ImportFrom)):
                found.add((node.lineno, entry.provider))
    return found


def _compare(path: str, ours: set[tuple[int, str]], theirs: set[tuple[int, str]], who: str) -> Iterator[Disagreement]:
    # One-sided on purpose: what only the extractors see (a require() is no import for semgrep's rule) is found anyway.
    for line, provider in sorted(theirs - ours):
        yield Disagreement(path, line, provider, who)


def surface_of(reading: FileReading) -> Surface | None:
    """The surface of the language that a file is written in, where the engine reads that language."""
    if PurePosixPath(reading.path).suffix.lower() in _COMPONENTS:
        return None
    return _surface_by(_SURFACES, reading)


def _surface_of_a_part(reading: FileReading) -> Surface | None:
    """The surface of the code that stands in a file beside something else."""
    return _surface_by({**_PARTS, **_SURFACES}, reading)


def _surface_by(known: Mapping[str, Surface], reading: FileReading) -> Surface | None:
    found = targets(reading.path, (reading.source or "")[:_HEAD])
    return next((known[target] for target in found if target in known), None)
