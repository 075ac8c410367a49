"""Credentials for an object store of the S3 kind, and where they come from.

Fulfilled by `aegis.adapters.aws.role`; taken by the S3 adapter. They live in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """One set of credentials: temporary ones, or on a laptop those of its user."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """The session token; None for a user's own key."""
    expires: datetime | None = None
    """With its time zone, UTC; None where they do not end."""


class AwsCredentialSource(Protocol):
    """Gives credentials that are good for a while yet, getting new ones when they are not. Safe to call from threads.

    Every fault is an `AegisError` that a user can act on.
    """

    def __call__(self) -> AwsCredentials:
        """The credentials for the next requests; ask again before each batch of them."""
        ...
