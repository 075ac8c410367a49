"""The object store, as the service sees it."""

from __future__ import annotations

from typing import Protocol


class ObjectStore(Protocol):
    """Reads whole objects by key."""

    def read(self, key: str) -> bytes:
        """The object's bytes; KeyError if there is none."""
