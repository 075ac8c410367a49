"""The seal of what a workflow keeps: a cache can be written by any job of the branch, and a state decides.

HMAC-SHA-256 (RFC 2104) by a secret of the job's environment: AEGIS_STATE_KEY, or else the kubeconfig's text. Whoever
has that one can promote the rollout anyway.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aegis.core.errors import UsageError

STATE_KEY: Final = "AEGIS_STATE_KEY"
_SHORTEST: Final = 32
"""Characters: of random ones more than anybody can guess."""
SIZE: Final = 65
"""Bytes of a seal: hex digits and a line end."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals files by their names and contents."""

    key: bytes = field(repr=False)

    def close(self, name: str, data: bytes) -> bytes:
        """The sealed file's content."""
        return self._mac(name, data) + b"\n" + data

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """What was sealed under this name; None where it was not by us."""
        mac, data = sealed[: SIZE - 1], sealed[SIZE:]
        good = hmac.compare_digest(mac, self._mac(name, data)) and sealed[SIZE - 1 : SIZE] == b"\n"
        return data if good else None

    def _mac(self, name: str, data: bytes) -> bytes:
        return hmac.digest(self.key, name.encode() + b"\0" + data, "sha256").hex().encode()


def seal_of(environ: Mapping[str, str], kubeconfig: str) -> Seal | None:
    """The job's; None where it has no secret to seal with. `kubeconfig`: the secret's text, or empty.

    Raises UsageError `canary.state_unsealed` for a key that could be guessed.
    """
    key = environ.get(STATE_KEY, "")
    if key and len(key) < _SHORTEST:
        raise unsealed(f"{STATE_KEY} has {len(key)} characters")
    secret = key or kubeconfig
    return Seal(hashlib.sha256(b"aegis canary state\0" + secret.encode()).digest()) if secret else None


def unsealed(problem: str) -> UsageError:
    """The error for a job whose state anybody could write."""
    return UsageError(
        "canary.state_unsealed",
        problem,
        expected=f"a secret {STATE_KEY} of at least {_SHORTEST} random characters, or a kubeconfig as AEGIS_KUBECONFIG",
        remedy=f"Make one (`openssl rand -hex 32`), keep it as a secret of the job's environment, and hand it over by "
        f"`env: {STATE_KEY}`.",
    )
