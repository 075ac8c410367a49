"""Public keys: reading them, and checking one signature with one of them.

Only what cosign and OpenSSF Model Signing write is taken: ECDSA on the NIST curves, RSA with PKCS#1 v1.5, and pure
Ed25519. A key decides its algorithm; nothing in a signature may choose another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aegis.core import ed25519_points
from aegis.core.encoding import base64_bytes, pem_block
from aegis.core.errors import Refused, UsageError
from aegis.signatures.keys import der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

KeyKind = Literal["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa", "ed25519"]

DIGESTS: Mapping[KeyKind, str] = {
    "ecdsa-p256": "sha256",
    "ecdsa-p384": "sha384",
    "ecdsa-p521": "sha512",
    "rsa": "sha256",
}
"""The one hash that goes with each kind of key (Sigstore's algorithm registry,
github.com/sigstore/architecture-docs/blob/main/algorithm-registry.md); pure
Ed25519, which hashes for itself, has none."""

ED25519_SIZE = 64
"""Bytes of every Ed25519 signature (RFC 8032 5.1.6)."""

MIN_RSA_BITS = 2048
"""NIST SP 800-131A: less is no longer allowed for signatures."""
MAX_RSA_BITS = 8192
"""Beyond what any tool of Sigstore makes; a huge modulus serves to keep its reader busy."""

_MAX_TEXT = 32_768
"""Characters: the PEM of the largest RSA key has 1500."""

# The whole SubjectPublicKeyInfo up to the key's own bytes is one constant for each kind of key (RFC 5480 2 for the
# curves, uncompressed points as its 2.2 asks everybody to support; RFC 8410 4), so it is compared, not interpreted.
_EC_PREFIX: Mapping[bytes, tuple[KeyKind, int]] = {
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"): ("ecdsa-p256", 65),
    bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"): ("ecdsa-p384", 97),
    bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"): ("ecdsa-p521", 133),
}
_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
"""rsaEncryption with NULL parameters (RFC 3279 2.3.1); id-RSASSA-PSS is another algorithm and not taken."""


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


class _UnusableError(ValueError):
    """Why a key is not taken; says nothing of the key's own bytes."""


def load_public_key(text: str, *, name: str) -> PublicKey:
    """The key of a policy: one PEM block `PUBLIC KEY` (RFC 7468 13), or base64 of such a PEM.

    `name` says where it comes from, for people. Raises UsageError `verify.key_invalid`, which repeats nothing of
    `text`: who mixes up the two files of a key pair must not find the private one in a log.
    """
    try:
        return _of_pem(_pem(text))
    except _UnusableError as error:
        raise UsageError(
            "verify.key_invalid",
            f"{name} {error}",
            expected="one PEM block PUBLIC KEY (ECDSA P-256, P-384 or P-521, RSA of 2048 bits or more, or Ed25519), "
            "or base64 of it",
            remedy="Write the public key with `cosign public-key --key KEY` or `openssl pkey -in KEY -pubout`.",
        ) from None


def key_of_spki(spki: bytes) -> PublicKey:
    """The key in a DER SubjectPublicKeyInfo, e.g. of a certificate. Raises UsageError `verify.key_invalid`."""
    try:
        return PublicKey(_kind(spki), spki)
    except _UnusableError as error:
        raise UsageError(
            "verify.key_invalid",
            f"the public key {error}",
            expected="ECDSA P-256, P-384 or P-521, RSA of 2048 bits or more, or Ed25519",
            remedy="Sign with another key.",
        ) from None


def algorithms(key: PublicKey, *, legacy: bool = False) -> tuple[str, ...]:
    """The hashes by which a signature of this key may hold, the usual one first; none for Ed25519.

    `legacy`: cosign's formats before bundles have SHA-256 for every key (`--signature-digest-algorithm`), which
    FIPS 186-5 6.1 allows for the larger curves.
    """
    usual = DIGESTS.get(key.kind)
    if usual is None:
        return ()
    return (usual, "sha256") if legacy and usual != "sha256" else (usual,)


def check_signature(
    key: PublicKey, signature: bytes, *, digests: Mapping[str, bytes], content: bytes | None, legacy: bool = False
) -> str:
    """Return the algorithm by which `signature` holds over the artifact.

    `digests` of the artifact by name (`sha256`, …); `content` is the artifact itself, which Ed25519 alone needs: it
    hashes the content twice, so a digest does not do (RFC 8032 5.1.6), and Ed25519ph is another algorithm.
    Refuses with `verify.wrong_signature`, or `verify.content_needed`.
    """
    if key.kind == "ed25519":
        if len(signature) != ED25519_SIZE:
            raise _wrong(key)
        if content is None:
            raise content_needed()
        if _holds_ed25519(key, signature, content):
            return "ed25519"
        raise _wrong(key)
    for name in algorithms(key, legacy=legacy):
        if _holds(key, signature, name, digests[name]):
            return name
    raise _wrong(key)


def content_needed() -> Refused:
    """The refusal of what only an artifact in memory could answer."""
    return Refused(
        "verify.content_needed",
        "an Ed25519 key signs the artifact itself, which is too large to be held in memory",
        expected="an ECDSA or RSA key, which signs the artifact's digest",
        remedy="Sign with an ECDSA key, or sign a folder as a model: its manifest is small.",
    )


def _pem(text: str) -> str:
    """The PEM itself: as it is, or out of its base64."""
    if len(text) > _MAX_TEXT:
        raise _UnusableError(f"has {len(text)} characters")
    if not text.strip():
        raise _UnusableError("is empty")
    if "-----" in text:
        return text
    try:
        # `base64 cosign.pub` breaks lines, so white space between is fine.
        return base64_bytes("".join(text.split())).decode("ascii")
    except ValueError:
        raise _UnusableError("is neither PEM nor base64 of it") from None


def _of_pem(text: str) -> PublicKey:
    if "PRIVATE KEY-----" in text:
        raise _UnusableError("holds a PRIVATE key, which belongs in no policy; make a new pair if others may see it")
    try:
        label, spki = pem_block(text)
    except ValueError as error:
        raise _UnusableError(str(error)) from None
    if label != "PUBLIC KEY":
        raise _UnusableError("is a certificate, not a key" if label == "CERTIFICATE" else "is another kind of PEM")
    return PublicKey(_kind(spki), spki)


def _kind(spki: bytes) -> KeyKind:
    """Judge a key; everything that is not in the one form of a known kind is refused."""
    for prefix, (kind, size) in _EC_PREFIX.items():
        if spki.startswith(prefix):
            _check_point(kind, spki[len(prefix) :], size)
            return kind
    if spki.startswith(_ED25519_PREFIX):
        try:
            ed25519_points.check(spki[len(_ED25519_PREFIX) :])
        except ValueError as error:
            raise _UnusableError(f"has a point that {error}") from None
        return "ed25519"
    if _RSA_ALGORITHM in spki[:24]:
        _check_rsa(*_rsa_numbers(spki))
        return "rsa"
    raise _UnusableError("is of an algorithm or curve that is not supported, or not in its usual form")


def _check_point(kind: KeyKind, point: bytes, size: int) -> None:
    if len(point) != size or point[0] != 4:
        raise _UnusableError("has a point that is cut off, too long or compressed")
    try:
        _ec_key(kind, point)
    except ValueError:
        # SEC 1 3.2.2.1; on these curves every point but infinity has the full order.
        raise _UnusableError("has a point that is not on its curve") from None


def _rsa_numbers(spki: bytes) -> tuple[int, int]:
    """The modulus and the exponent; SubjectPublicKeyInfo is only taken in the bytes that we would write ourselves."""
    start = spki.index(_RSA_ALGORITHM)
    bits = spki[start + len(_RSA_ALGORITHM) :]
    key = bits[bits.find(b"\x00\x30") + 1 :]
    try:
        modulus, exponent = der.positive_integers(key)
    except ValueError:
        raise _UnusableError("is not in strict DER") from None
    if spki != der.element(0x30, _RSA_ALGORITHM + der.element(0x03, b"\x00" + key)):
        raise _UnusableError("is not in strict DER")
    return modulus, exponent


def _check_rsa(modulus: int, exponent: int) -> None:
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or modulus.bit_length() % 8:
        raise _UnusableError(f"is RSA of {modulus.bit_length()} bits")
    # FIPS 186-5 A.1.1 asks for an odd exponent above 2**16; Go, and so cosign, takes none from 2**31.
    if not (1 << 16) < exponent < (1 << 31) or exponent % 2 == 0 or modulus % 2 == 0:
        raise _UnusableError("is RSA with an exponent or modulus that no tool makes")


def _holds(key: PublicKey, signature: bytes, algorithm: str, digest: bytes) -> bool:
    """Whether an ECDSA or RSA signature over a digest holds; of ECDSA, OpenSSL takes strict DER alone."""
    # Here, because importing them takes longer than all else that a key's verification does.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import utils

    hashed = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[algorithm]
    try:
        if key.kind == "rsa":
            from cryptography.hazmat.primitives.asymmetric import padding, rsa

            modulus, exponent = _rsa_numbers(key.spki)
            public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            public.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(hashed))
        else:
            from aegis.signatures.keys.ecdsa_algorithm import Ecdsa

            size = next(size for kind, size in _EC_PREFIX.values() if kind == key.kind)
            _ec_key(key.kind, key.spki[-size:]).verify(signature, digest, Ecdsa(utils.Prehashed(hashed)))
    except (InvalidSignature, ValueError):
        return False
    return True


def _holds_ed25519(key: PublicKey, signature: bytes, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.spki[-32:]).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ec_key(kind: KeyKind, point: bytes) -> ec.EllipticCurvePublicKey:
    """Raises ValueError for a point that is not on the curve."""
    from cryptography.hazmat.primitives.asymmetric import ec

    curves = {"ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1(), "ecdsa-p521": ec.SECP521R1()}
    return ec.EllipticCurvePublicKey.from_encoded_point(curves[kind], point)


def _wrong(key: PublicKey) -> Refused:
    return Refused(
        "verify.wrong_signature",
        "the signature does not match the artifact and this key",
        expected=f"a signature by the key SHA256:{key.fingerprint} ({key.kind}) over exactly these bytes",
        remedy="Fetch or build the artifact anew, and sign it; if you did not expect this, treat the store as "
        "compromised.",
    )
