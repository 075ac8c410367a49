"""semgrep rules, generated from the catalogue: one per provider and language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.model import Entry, Surface

Rule = Mapping[str, Any]

ENGINE_LANGUAGE: Final[Mapping[Surface, str]] = {
    "python": "python",
    "npm": "typescript",
    "go": "go",
    "java": "java",
}
"""Surfaces that the engine matches, with its word for their language. Kotlin imports are written as Java ones."""

_DYNAMIC_CALLS: Final[Mapping[Surface, Sequence[str]]] = {
    "python": (
        'importlib.import_module("$X",...)',
        'importlib.__import__("$X",...)',
        '__import__("$X",...)',
        'importlib.util.find_spec("$X",...)',
        'pkgutil.resolve_name("$X",...)',
        'runpy.run_module("$X",...)',
    ),
    "npm": ('require("$X",...)', 'import("$X")', '$R.resolve("$X",...)'),
    "java": ('Class.forName("$X",...)', '$L.loadClass("$X",...)'),
}


def slice_rules(catalogue: Catalogue, surfaces: Sequence[Surface]) -> list[Rule]:
    """Rules for statements that stand alone on a line each."""
    return _per_provider(catalogue, surfaces, _import_rule, "slice")


def dynamic_rules(catalogue: Catalogue, surfaces: Sequence[Surface]) -> list[Rule]:
    """Rules for whole files: imports by a name that the engine's constant propagation can work out."""
    return _per_provider(catalogue, [s for s in surfaces if s in _DYNAMIC_CALLS], _dynamic_rule, "dynamic")


def provider_of(rule: str) -> str:
    """The provider that a rule's id speaks of."""
    return rule.split("--")[1]


def _per_provider(
    catalogue: Catalogue,
    surfaces: Sequence[Surface],
    body: Callable[[Surface, Sequence[Entry]], Rule],
    kind: str,
) -> list[Rule]:
    rules: list[Rule] = []
    for surface in surfaces:
        for provider in catalogue.providers:
            entries = [e for e in catalogue.entries(surface) if e.provider == provider]
            if entries:
                identity = {"id": f"{kind}--{provider}--{surface}", "languages": [ENGINE_LANGUAGE[surface]]}
                rules.append({**identity, "severity": "ERROR", "message": provider, **body(surface, entries)})
    return rules


def _import_rule(surface: Surface, entries: Sequence[Entry]) -> Rule:
    # One prefix pattern a literal: a regular expression over a metavariable misses `from google import cloud`.
    if surface == "python":
        exact = [{"pattern": f"import {e.literal}"} for e in entries if not e.literal.endswith("*")]
        globs = [e.literal[:-1] for e in entries if e.literal.endswith("*")]
        by_name = [_bound("import $X", rf"^({_any(globs)})\w*([. ].*)?$")] if globs else []
        return {"pattern-either": exact + by_name}
    if surface == "java":
        forms = ("import {0}", "import {0}.$X", "import static {0}.$X")
        return {"pattern-either": [{"pattern": form.format(e.literal)} for e in entries for form in forms]}
    return _bound('import "$X"', _path_prefix(entries))


def _dynamic_rule(surface: Surface, entries: Sequence[Entry]) -> Rule:
    calls = [{"pattern": call} for call in _DYNAMIC_CALLS[surface]]
    regex = _path_prefix(entries) if surface == "npm" else _dotted_prefix(entries)
    return {"patterns": [{"pattern-either": calls}, {"metavariable-regex": {"metavariable": "$X", "regex": regex}}]}


def _bound(pattern: str, regex: str) -> Rule:
    return {"patterns": [{"pattern": pattern}, {"metavariable-regex": {"metavariable": "$X", "regex": regex}}]}


def _any(literals: Sequence[str]) -> str:
    return "|".join(re.escape(literal) for literal in literals)


def _path_prefix(entries: Sequence[Entry]) -> str:
    return rf"^({_any([e.literal for e in entries])})(/.*)?$"


def _dotted_prefix(entries: Sequence[Entry]) -> str:
    exact = _any([e.literal for e in entries if not e.literal.endswith("*")])
    globs = _any([e.literal[:-1] for e in entries if e.literal.endswith("*")])
    # The value that the engine gives for a concatenation is its first part, quotes and all.
    return rf"^\"?({exact}{'|(' + globs + ')' + chr(92) + 'w*' if globs else ''})([.:].*|\"?)$"
