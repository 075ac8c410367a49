"""Bodies of log entries: what Rekor makes of a signature, by kind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from tests.doubles.sigstore.encoding import b64, canonical

EntryKind = Literal["hashedrekord", "dsse", "intoto", "hashedrekord-v2"]


@dataclass(frozen=True)
class Body:
    """One canonicalised body."""

    kind: str
    version: str
    data: bytes


@dataclass(frozen=True)
class Signature:
    """A signature over a digest or an envelope."""

    signature: bytes
    certificate: Certificate
    digest: bytes
    """SHA-256 of the artifact, or of the envelope's pre-authentication encoding."""
    payload: bytes = b""
    payload_type: str = ""

    @property
    def pem(self) -> str:
        return b64(self.certificate.public_bytes(Encoding.PEM))


def body(kind: EntryKind, signed: Signature) -> Body:
    if kind == "hashedrekord":
        spec: dict[str, Any] = {
            "data": {"hash": _hash(signed.digest)},
            "signature": {"content": b64(signed.signature), "publicKey": {"content": signed.pem}},
        }
        return _body("hashedrekord", "0.0.1", spec)
    if kind == "hashedrekord-v2":
        der = signed.certificate.public_bytes(Encoding.DER)
        verifier = {"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": b64(der)}}
        spec = {
            "data": {"algorithm": "SHA2_256", "digest": b64(signed.digest)},
            "signature": {"content": b64(signed.signature), "verifier": verifier},
        }
        return _body("hashedrekord", "0.0.2", {"hashedRekordV002": spec})
    payload_hash = _hash(hashlib.sha256(signed.payload).digest())
    envelope_hash = _hash(hashlib.sha256(canonical(envelope(signed))).digest())
    if kind == "dsse":
        signatures = [{"signature": b64(signed.signature), "verifier": signed.pem}]
        spec = {"envelopeHash": envelope_hash, "payloadHash": payload_hash, "signatures": signatures}
        return _body("dsse", "0.0.1", spec)
    # Rekor keeps the base64 that it is sent as bytes: it is encoded twice.
    signatures = [{"publicKey": signed.pem, "sig": b64(b64(signed.signature).encode())}]
    content = {
        "envelope": {"payloadType": signed.payload_type, "signatures": signatures},
        "hash": envelope_hash,
        "payloadHash": payload_hash,
    }
    return _body("intoto", "0.0.2", {"content": content})


def envelope(signed: Signature) -> dict[str, Any]:
    return {
        "payload": b64(signed.payload),
        "payloadType": signed.payload_type,
        "signatures": [{"sig": b64(signed.signature)}],
    }


def _body(kind: str, version: str, spec: dict[str, Any]) -> Body:
    return Body(kind, version, canonical({"apiVersion": version, "kind": kind, "spec": spec}))


def _hash(digest: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": digest.hex()}
