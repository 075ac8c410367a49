"""Short-lived credentials for an object store of the S3 kind, and where they come from.

Fulfilled by `aegis.adapters.aws`; taken by the S3 adapter. They live in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """One set of temporary credentials."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime
    """With its time zone, UTC."""


class AwsCredentialSource(Protocol):
    """Gives credentials that are good for a while yet, getting new ones when they are not. Safe to call from threads.

    Every fault is an `AegisError` that a user can act on.
    """

    def __call__(self) -> AwsCredentials:
        """The credentials for the next requests; ask again before each batch of them."""
        ...
