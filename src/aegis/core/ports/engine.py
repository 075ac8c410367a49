"""The port to a pattern-matching engine: rules and source text in, matches out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Target:
    """One text to be matched."""

    name: str
    """Unique in a run; used in matches and problems."""
    language: str
    """The engine's word for it: `python`, `typescript`, `go`, `java`, `kotlin`."""
    text: bytes


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that matched in one target."""

    rule: str
    target: str
    line: int
    """Where the match starts, from 1."""
    column: int
    """From 1."""
    text: str | None = None
    """What the rule's metavariable `$X` stood for, if the rule has one."""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """All matches of a run, and the targets that the engine could not read as a whole."""

    matches: tuple[Match, ...]
    problems: Mapping[str, str]
    """Target name to the engine's word about it."""


class Engine(Protocol):
    """A pattern-matching engine."""

    version: str

    def run(self, rules: Sequence[Mapping[str, Any]], targets: Sequence[Target]) -> EngineReport:
        """Match every rule on every target of its language. Raises CouldNotDecide if there is no whole answer."""
        ...
