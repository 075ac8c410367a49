"""One bundle, whom it is judged for, and the verdict that it deserves."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.signature import verify_keyless
from aegis.signatures.types import IdentitySigner, SignedBy, Trust
from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore

CONTENT = b"weights of a model"
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "model.bin", "digest": {"sha256": hashlib.sha256(CONTENT).hexdigest()}}],
    "predicateType": "https://example.org/predicate/v1",
    "predicate": {},
}
SIGNER = IdentitySigner(identity=IDENTITY, issuer=ISSUER)


@dataclass(frozen=True)
class Made:
    """A bundle and everything that it is judged by."""

    bundle: dict[str, Any] | bytes
    sigstore: PrivateSigstore
    signer: IdentitySigner = SIGNER
    content: bytes | None = CONTENT
    """None: an attestation."""

    @property
    def data(self) -> bytes:
        return self.bundle if isinstance(self.bundle, bytes) else json.dumps(self.bundle).encode()

    def judge(self) -> SignedBy:
        """Our own verdict: it returns or refuses."""
        trust = Trust(signers=(self.signer,), trusted_root=self.sigstore.trusted_root(), now=AT)
        digest = None if self.content is None else hashlib.sha256(self.content).digest()
        return verify_keyless(parse_bundle(self.data, name="model.sigstore.json"), self.signer, trust, digest=digest)


@dataclass(frozen=True)
class Case:
    """A bundle by name."""

    name: str
    make: Callable[[], Made] = field(repr=False)
    code: str | None = None
    """Of the refusal; None: it is to be accepted."""


def verdict(made: Made) -> str | None:
    """The code of our refusal, or None."""
    try:
        made.judge()
    except Refused as error:
        return error.code
    return None


def entry_of(bundle: dict[str, Any]) -> dict[str, Any]:
    """The first log entry."""
    entry: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return entry


def signature_of(bundle: dict[str, Any]) -> bytes:
    """Of a file."""
    return base64.b64decode(bundle["messageSignature"]["signature"])


class Cases(list[Case]):
    """Cases that are written as functions which make them."""

    def __call__(self, code: str | None = None) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
        """`code` without its gate's name."""

        def add(make: Callable[[], Made]) -> Callable[[], Made]:
            self.append(Case(make.__name__, make, None if code is None else f"verify.{code}"))
            return make

        return add
