"""Keys and signatures for tests, made with `cryptography` alone: nothing of the code under test is used."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KINDS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa", "ed25519")
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)
CONTENT = b"weights of a model\n"
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
IN_TOTO = "application/vnd.in-toto+json"
V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"

HASHES: dict[str, hashes.HashAlgorithm] = {
    "ecdsa-p256": hashes.SHA256(),
    "ecdsa-p384": hashes.SHA384(),
    "ecdsa-p521": hashes.SHA512(),
    "rsa": hashes.SHA256(),
}


@lru_cache
def private(kind: str, number: int = 0) -> Private:
    """One key of a kind; other numbers are other keys."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {
        "ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1(), "ecdsa-p521": ec.SECP521R1(),
    }  # fmt: skip
    return ec.generate_private_key(curves[kind])


def pem(key: Private) -> str:
    """The public half."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def spki(key: Private) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: Private, password: str | None = None) -> bytes:
    """The private half, PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password.encode()),
    )


def sign(key: Private, content: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bytes:
    """As cosign does, or with another hash."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), algorithm or hashes.SHA256())
    return key.sign(content, ec.ECDSA(algorithm or HASHES[f"ecdsa-p{key.key_size}"]))


def digests(content: bytes) -> dict[str, bytes]:
    return {name: hashlib.new(name, content).digest() for name in ("sha256", "sha384", "sha512")}


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hint(key: Private) -> str:
    """As cosign fills it in."""
    return text64(hashlib.sha256(spki(key)).digest())


def message_bundle(key: Private, content: bytes = CONTENT) -> dict[str, Any]:
    """A bundle v0.3 over a file, as cosign writes it."""
    names = {256: "SHA2_256", 384: "SHA2_384", 521: "SHA2_512"}
    name = names[key.key_size] if isinstance(key, ec.EllipticCurvePrivateKey) else "SHA2_256"
    digest = {"algorithm": name, "digest": text64(digests(content)[name.lower().replace("2_", "")])}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        digest = {}
    return {
        "mediaType": V03,
        "verificationMaterial": {"publicKey": {"hint": hint(key)}},
        "messageSignature": {"messageDigest": digest, "signature": text64(sign(key, content))},
    }


def pae(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """github.com/secure-systems-lab/dsse/blob/master/protocol.md"""
    return b" ".join(
        [b"DSSEv1", str(len(payload_type)).encode(), payload_type.encode(), str(len(payload)).encode(), payload]
    )


def envelope_bundle(key: Private, payload: bytes = STATEMENT, payload_type: str = IN_TOTO) -> dict[str, Any]:
    """A bundle v0.3 over an attestation."""
    return {
        "mediaType": V03,
        "verificationMaterial": {"publicKey": {"hint": hint(key)}},
        "dsseEnvelope": {
            "payload": text64(payload),
            "payloadType": payload_type,
            "signatures": [{"sig": text64(sign(key, pae(payload, payload_type)))}],
        },
    }


def dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
