"""What the manifest extractors share: collecting entries that stand at offsets of a text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aegis.gates.scan.extract._place import Places, one_line
from aegis.gates.scan.model import Form, Statement, Surface, Unreadable

INDIRECT = "indirect: "


@dataclass(slots=True)
class Entries:
    """The entries of one manifest, in the order in which they were found."""

    source: str
    wanted: re.Pattern[str]
    surface: Surface
    found: list[Statement | Unreadable] = field(default_factory=list)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.source)

    def add(
        self,
        offset: int,
        name: str,
        text: str,
        *,
        direct: bool = True,
        surface: Surface | None = None,
        form: Form = "manifest",
    ) -> None:
        """Keep one entry if its name is wanted."""
        if not self.wanted.search(name):
            return
        line, column = self.places.at(offset)
        shown = one_line(text if direct else INDIRECT + text)
        self.found.append(Statement(line, column, surface or self.surface, form, name, shown))

    def unreadable(self, offset: int, why: str) -> None:
        """Say that the text cannot be followed from here."""
        self.found.append(Unreadable(self.places.line(offset), why))

    def result(self) -> list[Statement | Unreadable]:
        """All of it by line, each once."""
        unique = dict.fromkeys(self.found)
        return sorted(unique, key=lambda item: (item.line, item.column if isinstance(item, Statement) else 0))
