"""An engine that answers from the catalogue, and can be told to answer wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aegis.core.ports.engine import EngineReport, Match, Target
from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.model import Surface

_NAME = re.compile(
    r'import "(?P<quoted>[^"]+)"|from (?P<module>[\w.]+) import (?P<member>[\w*]+)'
    r"|import (?:static )?(?P<dotted>[\w.$]+)"
)


@dataclass
class ScriptedEngine:
    """Reads each line of a slice as an import. `spoil` may change its matches; `also` and `problems` add to them."""

    catalogue: Catalogue
    spoil: Callable[[Match], Match | None] = lambda match: match
    also: tuple[Match, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None
    version: str = "0"
    asked: list[tuple[Sequence[Mapping[str, Any]], Sequence[Target]]] = field(default_factory=list)

    def run(self, rules: Sequence[Mapping[str, Any]], targets: Sequence[Target]) -> EngineReport:
        """See the port."""
        self.asked.append((rules, targets))
        if self.error:
            raise self.error
        matches = [match for target in targets if target.name.startswith("slice:") for match in self._read(target)]
        kept = [spoilt for match in matches if (spoilt := self.spoil(match))]
        return EngineReport((*kept, *self.also), dict(self.problems))

    def _read(self, target: Target) -> list[Match]:
        surface = cast("Surface", target.name.removeprefix("slice:"))
        found = []
        for number, text in enumerate(target.text.decode().splitlines(), start=1):
            named = _NAME.match(text)
            if named is None:
                continue
            name = named["quoted"] or named["dotted"] or f"{named['module']}.{named['member']}".removesuffix(".*")
            entry = self.catalogue.match(surface, name)
            if entry is not None:
                found.append(Match(f"slice--{entry.provider}--{surface}", target.name, number, 1))
        return found
