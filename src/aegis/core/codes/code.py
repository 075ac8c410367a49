"""What a reason code is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One reason, explained once for every report."""

    id: str
    title: str
    why: str
    remedy: str

    @property
    def gate(self) -> str:
        """The gate it belongs to; `core` for what all gates share."""
        return self.id.partition(".")[0]
