"""What verification finds: the ways in which a log is tampered with, by name and place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from aegis.core.errors import Refused

Tamper = Literal[
    "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14", "T15", "T17", "T18"
]
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "T1": "bytes of an entry changed",
        "T2": "entry replaced by another event",
        "T3": "entry removed",
        "T4": "entry inserted",
        "T5": "entries reordered",
        "T6": "entry doubled",
        "T7": "end cut off",
        "T8": "log put back to an older state",
        "T9": "log rewritten without its key",
        "T10": "log rewritten with its key",
        "T11": "two logs under one name",
        "T12": "checkpoint of another log",
        "T13": "other key",
        "T14": "file removed or replaced",
        "T15": "tile edited",
        "T17": "clock set back",
        "T18": "bytes after a bundle's end",
    }
)
"""T16, a write that a power cut tore, is no tampering: it stands in a report's notes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which the log is not what was signed."""

    tamper: Tamper
    index: int
    """Of the first bad entry, from 0: all before it are as they were signed."""
    problem: str

    @property
    def name(self) -> str:
        """For people."""
        return NAMES[self.tamper]


@dataclass(frozen=True, slots=True)
class Report:
    """A log's state."""

    origin: str
    size: int
    """Entries under the checkpoint."""
    root: bytes
    findings: tuple[Finding, ...] = ()
    restored: tuple[int, ...] = ()
    """Indexes of the `database.restored` events that say why a published checkpoint is not continued."""
    notes: tuple[str, ...] = ()
    """What is worth a look and is no tampering, e.g. a torn write."""

    @property
    def result(self) -> Literal["intact", "restored", "tampered"]:
        """`restored`: intact, but for checkpoints that a recorded restore has given up."""
        if self.findings:
            return "tampered"
        return "restored" if self.restored else "intact"

    def joined(self, findings: Iterable[Finding], notes: tuple[str, ...] = ()) -> Report:
        """With what was found in a backend besides its resources."""
        every = sorted({*self.findings, *findings}, key=lambda found: (found.index, found.tamper))
        return replace(self, findings=tuple(every), notes=notes + self.notes)

    def refusal(self) -> Refused | None:
        """The first finding as an error `audit.tampered`; None where the log is intact or restored."""
        if not self.findings:
            return None
        first = self.findings[0]
        return Refused(
            "audit.tampered",
            f"the log {self.origin} at entry {first.index}: {first.tamper} {first.name}: {first.problem}",
            expected="a log that is as its key signed it, and the continuation of every published checkpoint",
            remedy="Keep a copy as evidence, stop writing to it, and find out who could write there.",
        )
