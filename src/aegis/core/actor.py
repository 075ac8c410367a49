"""Who did something: what every entry of the audit log names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ActorKind = Literal["github-workflow", "service-account", "person", "process"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One who acts, by names that nobody else gets later."""

    id: str
    """Stable, and unique over all issuers: built from ids where the issuer has them, not from names that are reused."""
    kind: ActorKind
    display: str
    """For people; decides nothing."""
    issuer: str
    """The OIDC issuer; `local` for a process that acts for itself."""
    subject: str
    """The token's `sub`."""
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Further ids, e.g. `repository_id`, `run_id`, `uid`. No secrets."""
