"""What is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from aegis.core.actor import Actor

Action = Literal[
    "log.started",
    "log.torn",
    "model.load.requested",
    "model.load.verified",
    "model.load.refused",
    "model.quarantined",
    "model.released",
    "model.revoked",
    "api.denied",
    "database.restored",
    "backup.created",
    "backup.drilled",
    "backup.pruned",
]
"""Closed: an action that is not here is a mistake of its caller."""
Outcome = Literal["success", "failure", "refused", "unknown"]
ResourceKind = Literal["model", "database", "backup", "log", "endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What was acted on."""

    kind: ResourceKind
    name: str
    sha256: str | None = None
    """Hex."""
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One action, before the log gives it an id, a time and an index."""

    action: Action
    actor: Actor
    resource: Resource
    outcome: Outcome
    reason: str | None = None
    """A reason code (`aegis.core.codes`) where the outcome is not success, or what a person said."""
    correlation_id: str | None = None
    """The same for all entries of one request."""
    details: Mapping[str, str | int | bool | None] = field(default_factory=lambda: MappingProxyType({}))
    """Small facts. Never tokens or secrets; capped in size."""
