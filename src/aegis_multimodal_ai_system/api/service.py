"""What the handlers of one process share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aegis.core.actor import Actor
from aegis_multimodal_ai_system.api.denials import Denials
from aegis_multimodal_ai_system.api.workers import Workers

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.api.auth import Auth
    from aegis_multimodal_ai_system.api.readiness import Readiness
    from aegis_multimodal_ai_system.runtime import Runtime
    from aegis_multimodal_ai_system.verified_model import VerifiedModel


class Prepare(Protocol):
    """The loader."""

    def __call__(
        self,
        model_name: str,
        *,
        actor: Actor | None = None,
        correlation_id: str | None = None,
        runtime: Runtime | None = None,
    ) -> VerifiedModel:
        """`orchestrator_verify_loader.fetch_and_prepare_model_for_load`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one process."""

    calls: int = 64
    """Short calls at once, each a thread."""
    call_seconds: float = 20.0
    prepares: int = 8
    """Loads at once."""
    prepare_seconds: float = 900.0
    """A caller is told after that; the load goes on."""
    probes: int = 4
    """Readiness and metrics at once: a database that hangs must not take the other calls' places with it."""
    probe_seconds: float = 5.0
    part_seconds: float = 1.0
    """For the parts that readiness asks: a cluster waits no longer."""
    body_seconds: float = 10.0
    """For a request's body to arrive."""
    in_flight: int = 256
    """Requests at once, but for those on the port for probes; more would only wait for each other."""


@dataclass(slots=True, kw_only=True)
class Service:
    """One process of the service."""

    runtime: Runtime
    auth: Auth | None
    limits: Limits
    denials: Denials
    readiness: Readiness
    prepare: Prepare
    probe_port: int | None = None
    """The port on which metrics and health are told to anyone, and nothing else is."""
    calls: Workers = field(init=False)
    prepares: Workers = field(init=False)
    probes: Workers = field(init=False)
    stopping: bool = False
    """Set by the signal; then readiness is false."""

    def __post_init__(self) -> None:
        self.calls = Workers(self.limits.calls, "calls")
        self.prepares = Workers(self.limits.prepares, "models being prepared")
        self.probes = Workers(self.limits.probes, "probes")
