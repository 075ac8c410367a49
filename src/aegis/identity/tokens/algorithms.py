"""The signature algorithms that are taken (RFC 7518 3.1, RFC 8037 3.1): asymmetric ones alone.

`none` proves nothing, and of a shared secret the verifier has a copy. Encryption (JWE) is no part of this at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

KeyType = Literal["RSA", "EC", "OKP"]
Check = Callable[[Any, bytes, bytes], None]
"""Public key, signature, message; raises cryptography's InvalidSignature."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What an algorithm asks of its key."""

    kty: KeyType
    curve: str | None = None
    hash: str = ""
    signature_size: int | None = None
    """Bytes; None: as many as the modulus has."""


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        **{f"{kind}{bits}": Algorithm("RSA", hash=f"SHA{bits}") for kind in ("RS", "PS") for bits in (256, 384, 512)},
        "ES256": Algorithm("EC", "P-256", "SHA256", 64),
        "ES384": Algorithm("EC", "P-384", "SHA384", 96),
        "ES512": Algorithm("EC", "P-521", "SHA512", 132),
        "EdDSA": Algorithm("OKP", "Ed25519", "", 64),
    }
)


def invalid_signature() -> type[Exception]:
    """What a check raises. Asked for only where something was raised, which keeps its import off every other token."""
    from cryptography.exceptions import InvalidSignature

    return InvalidSignature


@cache
def checks() -> Mapping[str, Check]:
    """How each algorithm checks a signature. (Importing cryptography takes long, so it waits for the first token.)"""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    def rsa(pad: padding.AsymmetricPadding, hashed: hashes.HashAlgorithm) -> Check:
        def check(key: Any, signature: bytes, signed: bytes) -> None:
            key.verify(signature, signed, pad, hashed)

        return check

    def ecdsa(hashed: hashes.HashAlgorithm, size: int) -> Check:
        scheme = ec.ECDSA(hashed)

        def check(key: Any, signature: bytes, signed: bytes) -> None:
            # RFC 7518 3.4: both numbers one after the other, not DER
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            key.verify(encode_dss_signature(r, s), signed, scheme)

        return check

    def eddsa(key: Any, signature: bytes, signed: bytes) -> None:
        key.verify(signature, signed)

    found: dict[str, Check] = {"EdDSA": eddsa}
    for name, algorithm in ALGORITHMS.items():
        if algorithm.kty == "OKP":
            continue
        hashed = getattr(hashes, algorithm.hash)()
        if algorithm.signature_size is not None:
            found[name] = ecdsa(hashed, algorithm.signature_size // 2)
        elif name.startswith("PS"):
            # RFC 7518 3.5: MGF1 with the same hash, and as much salt as the hash is long
            found[name] = rsa(padding.PSS(padding.MGF1(hashed), hashed.digest_size), hashed)
        else:
            found[name] = rsa(padding.PKCS1v15(), hashed)
    return MappingProxyType(found)
