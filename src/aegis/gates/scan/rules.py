"""semgrep rules, generated from the catalogue: one per provider and language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.model import Surface

Rule = Mapping[str, Any]
RuleKind = Literal["slice", "dynamic"]

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


def kind_of(rule: str) -> RuleKind:
    """Which of the two lists a rule's id comes from."""
    return "slice" if rule.startswith("slice--") else "dynamic"


def provider_of(rule: str) -> str:
    """The provider that a rule's id speaks of."""
    return rule.split("--")[1]


def _per_provider(
    catalogue: Catalogue,
    surfaces: Sequence[Surface],
    body: Callable[[Surface, Sequence[str], Sequence[str]], Rule],
    kind: RuleKind,
) -> list[Rule]:
    rules: list[Rule] = []
    for surface in surfaces:
        for provider in catalogue.providers:
            literals = [e.literal for e in catalogue.entries(surface) if e.provider == provider]
            if literals:
                identity = {"id": f"{kind}--{provider}--{surface}", "languages": [ENGINE_LANGUAGE[surface]]}
                matches = body(surface, literals, catalogue.exclusions(provider, surface))
                rules.append({**identity, "severity": "ERROR", "message": provider, **matches})
    return rules


def _import_rule(surface: Surface, literals: Sequence[str], excluded: Sequence[str]) -> Rule:
    if surface in {"npm", "go"}:
        return _bound('import "$X"', _prefix(literals, excluded, joint="/", rest="/.*"))
    # One prefix pattern a literal: a regular expression over a metavariable misses `from google import cloud`.
    forms = ("import {0}",) if surface == "python" else ("import {0}", "import {0}.$Y", "import static {0}.$Y")
    whole = [{"pattern": form.format(each)} for each in literals if each[-1] != "*" for form in forms]
    globs = [each[:-1] for each in literals if each[-1] == "*"]
    by_name = [_bound("import $X", rf"^({_any(globs)})\w*([. ].*)?$")] if globs else []
    without = [{"pattern-not": form.format(each)} for each in excluded for form in forms]
    return {"patterns": [{"pattern-either": [*whole, *by_name]}, *without]}


def _dynamic_rule(surface: Surface, literals: Sequence[str], excluded: Sequence[str]) -> Rule:
    calls = [{"pattern": call} for call in _DYNAMIC_CALLS[surface]]
    joint = "/" if surface == "npm" else "."
    regex = _prefix(literals, excluded, joint=joint, rest='([./:].*|"?)')
    return {"patterns": [{"pattern-either": calls}, {"metavariable-regex": {"metavariable": "$X", "regex": regex}}]}


def _bound(pattern: str, regex: str) -> Rule:
    return {"patterns": [{"pattern": pattern}, {"metavariable-regex": {"metavariable": "$X", "regex": regex}}]}


def _any(literals: Sequence[str]) -> str:
    return "|".join(re.escape(literal) for literal in literals)


def _prefix(literals: Sequence[str], excluded: Sequence[str], *, joint: str, rest: str) -> str:
    """A literal as a whole or up to a joint. A concatenation's value is given as its first part, with its quote."""
    names = "|".join(re.escape(each[:-1]) + r"\w*" if each[-1] == "*" else re.escape(each) for each in literals)
    without = rf"(?!({_any(excluded)})({re.escape(joint)}|$))" if excluded else ""
    return rf'^"?{without}({names})({rest})?$'
