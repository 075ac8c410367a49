"""How Sigstore writes bytes, keys, times and JSON."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SigningKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def raw(key: ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def rfc3339(at: datetime.datetime) -> str:
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical(value: Any) -> bytes:
    """RFC 8785 for ASCII names and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def utf8_string(text: str) -> bytes:
    """DER UTF8String of less than 64 kB."""
    data = text.encode()
    size = len(data)
    if size < 128:
        return bytes([0x0C, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x0C, 0x80 | len(length)]) + length + data


def sign(key: SigningKey, content: bytes) -> bytes:
    """ECDSA with SHA-256, or pure Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def sign_digest(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    """ECDSA over a SHA-256 digest."""
    return key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
