"""An issuer's public keys: a JSON Web Key Set (RFC 7517), and which of its keys a token may mean.

A key that cannot be used is left out, and its neighbours stay good (RFC 7517 5): an issuer may publish a kind of key
that nobody here knows yet. A set that is not exactly a set is refused as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis.core import ed25519_points
from aegis.identity.tokens import roca
from aegis.identity.tokens.algorithms import ALGORITHMS, checks, invalid_signature
from aegis.identity.tokens.compact import MAX_NAME, Header
from aegis.identity.tokens.refusal import refused
from aegis.identity.tokens.text import base64url, json_object

MAX_SET = 256 * 1024
"""Bytes. Entra's set, the largest in common use, has about 20 kB."""
MAX_KEYS = 64
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
"""RFC 7518 3.3 asks for the least; a huge modulus serves to keep its reader busy."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""RFC 7518 6: who publishes one of these has given the key away."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the only algorithms by which it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    thumbprint: str
    """SHA-256 (hex) of its SubjectPublicKeyInfo."""
    size: int
    """Bytes of each of its signatures."""
    public: Any = field(repr=False, compare=False)
    """Of cryptography."""

    def holds(self, algorithm: str, signature: bytes, signed: bytes) -> bool:
        """Whether the signature is by this key over exactly these bytes."""
        if algorithm not in self.algorithms or len(signature) != self.size:
            return False
        try:
            checks()[algorithm](self.public, signature, signed)
        except invalid_signature():
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeySet:
    """What an issuer published at one moment."""

    keys: tuple[VerifyingKey, ...]
    left_out: tuple[str, ...] = ()
    """Why each other key is not used."""
    _named: Mapping[str | None, tuple[VerifyingKey, ...]] = field(init=False, repr=False, compare=False)
    """By `kid`; all of them for None, a token that names no key."""

    def __post_init__(self) -> None:
        """Sort the keys by name."""
        names = dict.fromkeys(key.kid for key in self.keys)
        named = {name: tuple(key for key in self.keys if key.kid == name) for name in names}
        object.__setattr__(self, "_named", {**named, None: self.keys})

    def knows(self, kid: str | None) -> bool:
        """Whether a token that names this key may be judged by this set."""
        return kid in self._named

    def find(self, header: Header) -> VerifyingKey:
        """The one key that the token means: by `kid`, or where it names none, by being the only one that fits.

        Refuses with `token.key_unknown`, `token.key_unfit`, `token.key_ambiguous`.
        """
        named = self._named.get(header.kid)
        if not named:
            raise refused("key_unknown", "the issuer publishes no key by the token's kid", "a key of the issuer's set")
        fitting = [key for key in named if header.algorithm in key.algorithms]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise refused("key_ambiguous", f"{len(fitting)} keys of the issuer fit the token", "exactly one")
        raise refused("key_unfit", f"the key is not for {header.algorithm}", "the algorithm that the key is for")


def parse_keys(data: bytes) -> KeySet:
    """Read a set. Raises ValueError, with a text that goes on after `the issuer's set of keys`."""
    if len(data) > MAX_SET:
        raise ValueError(f"has more than {MAX_SET} bytes")
    document = json_object(data)
    entries = document.get("keys")
    if not isinstance(entries, tuple):
        raise ValueError("has no array 'keys'")
    if len(entries) > MAX_KEYS:
        raise ValueError(f"has {len(entries)} keys, more than {MAX_KEYS}")
    return key_set(entries)


def key_set(entries: Sequence[Any]) -> KeySet:
    """The keys that can be used, each once."""
    good: dict[VerifyingKey, None] = {}
    left_out: list[str] = []
    for index, entry in enumerate(entries):
        try:
            good[parse_key(entry)] = None
        except ValueError as error:
            left_out.append(f"key {index} {error}")
    return KeySet(tuple(good), tuple(left_out))


def parse_key(jwk: Any) -> VerifyingKey:
    """A public key that may verify signatures. Raises ValueError, with a text that goes on after the key's name."""
    if not isinstance(jwk, Mapping):
        raise ValueError("is no JSON object")
    if _PRIVATE & set(jwk):
        raise ValueError("is not public: it holds private members")
    kid = jwk.get("kid")
    if "kid" in jwk and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_NAME):
        raise ValueError("has a kid that is no name")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("is not for signatures (use)")
    operations = jwk.get("key_ops", ("verify",))
    if not isinstance(operations, tuple | list) or "verify" not in operations:
        raise ValueError("is not for verifying (key_ops)")
    public, curve, size = _public(jwk)
    algorithms = {name for name, each in ALGORITHMS.items() if (each.kty, each.curve) == (jwk["kty"], curve)}
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    if not algorithms:
        raise ValueError("is for an algorithm that is not taken, or not its own (alg)")
    return VerifyingKey(kid, frozenset(algorithms), _thumbprint(public), size, public)


def _public(jwk: Mapping[str, Any]) -> tuple[Any, str | None, int]:
    """The key, its curve, and the bytes of its signatures."""
    kty, curve = jwk.get("kty"), jwk.get("crv")
    if kty == "RSA":
        modulus = _number(jwk, "n")
        return _rsa(modulus, _number(jwk, "e")), None, (modulus.bit_length() + 7) // 8
    for algorithm in ALGORITHMS.values():
        if algorithm.kty == kty and algorithm.curve == curve and algorithm.signature_size is not None:
            half = algorithm.signature_size // 2
            make = _ed25519 if kty == "OKP" else _ec
            return make(jwk, half), algorithm.curve, algorithm.signature_size
    raise ValueError("is of a type or curve that is not taken")


def _rsa(modulus: int, exponent: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or modulus % 2 == 0:
        raise ValueError(f"is RSA of {bits} bits")
    # FIPS 186-5 A.1.1 asks for an odd exponent above 2**16; Go takes none from 2**31.
    if not (1 << 16) < exponent < (1 << 31) or exponent % 2 == 0:
        raise ValueError("is RSA with an exponent that no tool makes")
    if roca.is_weak(modulus):
        raise ValueError("is RSA of a chip whose keys are broken (CVE-2017-15361)")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _ec(jwk: Mapping[str, Any], size: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    curves: dict[int, ec.EllipticCurve] = {32: ec.SECP256R1(), 48: ec.SECP384R1(), 66: ec.SECP521R1()}
    point = b"\x04" + _octets(jwk, "x", size) + _octets(jwk, "y", size)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curves[size], point)
    except ValueError:
        # SEC 1 3.2.2.1; on these curves every point but infinity has the full order.
        raise ValueError("has a point that is not on its curve") from None


def _ed25519(jwk: Mapping[str, Any], size: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    point = _octets(jwk, "x", size)
    try:
        ed25519_points.check(point)
    except ValueError as error:
        raise ValueError(f"has a point that {error}") from None
    return Ed25519PublicKey.from_public_bytes(point)


def _octets(jwk: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise ValueError(f"has no text in {name!r}")
    try:
        data = base64url(value.encode())
    except ValueError as error:
        raise ValueError(f"has a member {name!r} that {error}") from None
    if size is not None and len(data) != size:
        raise ValueError(f"has {len(data)} bytes in {name!r}, not {size}")
    return data


def _number(jwk: Mapping[str, Any], name: str) -> int:
    """RFC 7518 2, Base64urlUInt: in as few bytes as possible."""
    data = _octets(jwk, name)
    if not data or data[0] == 0:
        raise ValueError(f"has a number in {name!r} that is empty or begins with a zero byte")
    return int.from_bytes(data, "big")


def _thumbprint(public: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()
