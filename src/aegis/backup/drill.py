"""What a restore has shown: the answer that records, reports and the gate share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from aegis.backup.compare import Difference
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import Tier

Phase = Literal["find", "download", "engine", "restore", "compare", "smoke"]
PHASES: Final[tuple[Phase, ...]] = ("find", "download", "engine", "restore", "compare", "smoke")
"""In their order. What a person waits for in an emergency (RTO) is the sum of all but `compare`."""
DrillOutcome = Literal["PASS", "FAIL", "COULD NOT VERIFY"]
Equality = Literal["equal", "differs", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A smoke question and its answer."""

    name: str
    ok: bool
    said: str
    """The value, or why there is none; bounded, and free of the database's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """One restore of one backup."""

    outcome: DrillOutcome
    reason: str
    """A code of the registry: why this outcome."""
    problem: str = ""
    """For people, where it is no pass."""
    remedy: str = ""
    tier: Tier
    equality: Equality
    backup: str = ""
    """Its id; empty where the manifest could not be read, as the next two."""
    manifest_sha256: str = ""
    """Of the very manifest that was drilled."""
    snapshot_time: str = ""
    """As the manifest says it, by the clock of the server that was dumped."""
    differences: tuple[Difference, ...] = ()
    smoke: tuple[Answered, ...] = ()
    seconds: Mapping[Phase, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of each phase that was reached."""
    size: int = 0
    """Bytes of the backup's objects."""
    isolated: bool = False
    """Whether what the dump ran had no network and no files of others."""
    engine: str = ""
    """Version of PostgreSQL that it was restored into, e.g. `17.11`."""
    not_run: tuple[str, ...] = ()
    """What this tier leaves out, for people."""
    notices: tuple[str, ...] = ()


def error_of(result: DrillResult) -> AegisError | None:
    """The error that a restore's answer stands for; None for a pass."""
    if result.outcome == "PASS":
        return None
    kind = Refused if result.outcome == "FAIL" else CouldNotDecide
    return kind(result.reason, result.problem, expected="a restore that is equal to the snapshot", remedy=result.remedy)
