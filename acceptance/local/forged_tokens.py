"""Tokens that no issuer has given, or that are not for this service: each must be refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests.doubles.oidc_issuer import Issuer, b64, new_key


def forged(issuer: Issuer) -> Mapping[str, str]:
    """By what is wrong with each; all of them say that they are of an administrator."""
    real = issuer.signing
    admin: dict[str, Any] = {"groups": ["ml-admins"], "sub": "mallory"}
    good = issuer.token(**admin)
    header, payload, _ = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    reader = issuer.token(groups=["ml-readers"], sub="mallory").split(".")
    stranger = new_key("stranger", real.algorithm)
    public = real.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now = int(time.time())
    return {
        "unsigned (alg none)": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "signature taken off": f"{header}.{payload}.",
        "signature of another token": f"{header}.{payload}.{reader[2]}",
        "rights added after signing": f"{reader[0]}.{_part(claims)}.{reader[2]}",
        "a stranger's key under the issuer's name": issuer.token(key=stranger, header={"kid": real.kid}, **admin),
        "a key that nobody published": issuer.token(key=stranger, **admin),
        "HMAC by the issuer's public key": _hmac(public, {"alg": "HS256", "typ": "JWT", "kid": real.kid}, payload),
        "its own key in the header": issuer.token(key=stranger, header={"jwk": stranger.jwk()}, **admin),
        "keys from an address in the header": issuer.token(header={"jku": "https://mallory.example/keys"}, **admin),
        "an extension that nobody knows": issuer.token(header={"crit": ["b64"], "b64": False}, **admin),
        "for another service": issuer.token(aud="billing", **admin),
        "of another issuer": issuer.token(iss="https://mallory.example", **admin),
        "expired": issuer.token(exp=now - 3600, iat=now - 7200, nbf=now - 7200, **admin),
        "not yet valid": issuer.token(nbf=now + 3000, **admin),
        "without an end": issuer.token(exp=None, **admin),
        "without a subject": issuer.token(groups=["ml-admins"], sub=None),
        "no token at all": "mallory",
    }


def _part(document: Mapping[str, object]) -> str:
    return b64(json.dumps(document).encode())


def _hmac(secret: bytes, header: Mapping[str, object], payload: str) -> str:
    signed = f"{_part(header)}.{payload}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
