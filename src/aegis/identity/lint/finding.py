"""What a rule says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is."""

    NOTE = 0
    """To be looked at; it may well be right."""
    WARNING = 1
    """Wider, or sooner broken, than it need be."""
    ERROR = 2
    """Somebody else can use it, or nobody can."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding."""

    rule: str
    severity: Severity
    document: str
    place: str
    """A statement or a job."""
    message: str
    fix: str

    def __str__(self) -> str:
        """For people."""
        where = f"{self.document}: {self.place}" if self.place else self.document
        return f"{where}: {self.severity.name.lower()}: {self.message} [{self.rule}]\n  fix: {self.fix}"
