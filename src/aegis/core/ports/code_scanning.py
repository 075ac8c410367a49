"""Where a SARIF file goes, so that its findings become alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A SARIF file and what it is about."""

    sarif: bytes
    repository: str
    """`owner/name`."""
    commit: str
    """The commit that was judged, 40 hex digits."""
    ref: str
    """The full ref that it belongs to, e.g. `refs/heads/main` or `refs/pull/7/merge`."""
    started: str | None = None
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the service said."""

    id: str
    state: Literal["complete", "pending"]
    """`pending`: it took the file, but had not read it when our patience ended."""


class CodeScanning(Protocol):
    """A service that takes SARIF files."""

    def upload(self, analysis: Analysis) -> Receipt:
        """Hand the file over and wait a while for it to be read. Raises `CouldNotDecide` where it is not taken."""
        ...
