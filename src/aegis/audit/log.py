"""What every backend of the log does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aegis.audit.event import Event


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an event is on disk."""

    index: int
    """From 0."""
    leaf_hash: bytes
    """RFC 6962: SHA-256 of 0x00 and the entry."""
    id: str
    """The event's UUIDv7."""


class Source(Protocol):
    """The log as anyone reads it: the resources of C2SP tlog-tiles by their paths."""

    def read(self, path: str) -> bytes | None:
        """`checkpoint`, `tile/0/x001/234`, `tile/entries/000.p/17`, …; None where there is none.

        Raises CouldNotDecide `audit.unavailable` where that cannot be told.
        """
        ...


class AuditLog(Source, Protocol):
    """A log that can be written. Safe to call from threads, and from several processes at once."""

    @property
    def origin(self) -> str:
        """The log's name, the first line of its checkpoints; never that of another log."""
        ...

    def append(self, event: Event) -> Receipt:
        """Record it; durable on return. Raises CouldNotDecide `audit.unavailable`, and then it may be missing."""
        ...

    def checkpoint(self) -> bytes:
        """A signed note on all that is durable now, and what `read` serves is of this size from here on."""
        ...

    def check(self) -> None:
        """Whether it could be written, as far as can be told without an entry. Raises `audit.unavailable`."""
        ...
