"""Public keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

KeyKind = Literal["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa", "ed25519"]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that may verify signatures."""

    kind: KeyKind
    spki: bytes
    """SubjectPublicKeyInfo, DER (RFC 5280 4.1.2.7)."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the SubjectPublicKeyInfo."""
        return hashlib.sha256(self.spki).hexdigest()
