"""What the loader needs of its surroundings."""

from __future__ import annotations

from typing import Literal, Protocol

StateName = Literal["verified", "unverified", "quarantined", "revoked"]


class State(Protocol):
    """What is known of one model."""

    @property
    def state(self) -> StateName:
        """Quarantined and revoked models are not loaded."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it is not verified."""
        ...

    @property
    def floor_version(self) -> str | None:
        """The highest released version that was ever loaded."""
        ...

    @property
    def floor_digest(self) -> str | None:
        """Its digest (hex)."""
        ...


class States(Protocol):
    """The states of all models. Raises AegisError where they cannot be read or written."""

    def get(self, name: str) -> State | None:
        """None of a model that was never looked at."""
        ...

    def mark_verified(self, name: str, digest: str, version: str | None, signer: str) -> object:
        """It was just verified."""
        ...

    def mark_unverified(self, name: str, reason: str, digest: str | None = None) -> object:
        """It was refused for this reason; leaves quarantined and revoked as they are."""
        ...
