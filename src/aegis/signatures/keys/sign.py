"""Signing with a private key: what `aegis.signatures.verify` accepts, and cosign with the public key as well.

Written are Sigstore bundles v0.3 and cosign's `.sig`. Private keys are PKCS#8 in PEM (RFC 7468 10 and 11), as
`openssl genpkey` writes them; a password comes from the caller, who has it from the environment.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aegis.core.encoding import pem_block
from aegis.core.errors import UsageError
from aegis.signatures.keys import public as keys
from aegis.signatures.keys.public import PublicKey
from aegis.signatures.types import Envelope

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_HASH_NAMES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}
_COSIGN = frozenset({"ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"})
_MAX_PEM = 32_768
"""Bytes: the largest RSA key that is taken has 6400."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs."""

    public: PublicKey
    private: EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def hint(self) -> str:
        """The key's fingerprint as cosign fills in `publicKey.hint`."""
        return base64.b64encode(bytes.fromhex(self.public.fingerprint)).decode()


def load_private_key(pem: bytes, *, name: str, password: str | None = None) -> PrivateKey:
    """The key in one PEM block PRIVATE KEY, or ENCRYPTED PRIVATE KEY with its password.

    `name` says where it comes from, for people. Raises UsageError `verify.private_key_invalid`, which repeats nothing
    of the key or the password; and `verify.key_invalid` for a kind of key that verifying refuses too.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    label = _label(pem, name)
    if label == "ENCRYPTED PRIVATE KEY" and password is None:
        raise _invalid(name, "is encrypted, and there is no password", "Set the environment variable of its password.")
    try:
        private = serialization.load_pem_private_key(
            pem, None if password is None or label == "PRIVATE KEY" else password.encode()
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own words may hold what was in the file.
        problem = "is broken, or the password is wrong" if label != "PRIVATE KEY" else "is broken"
        raise _invalid(name, problem, "Make a pair with `openssl genpkey`, or correct the password.") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise _invalid(name, "is of a kind that signs nothing here", _MAKE)
    spki = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PrivateKey(keys.key_of_spki(spki), private)


def needed_digest(key: PrivateKey) -> str | None:
    """The hash that a file must be read with before it is signed; None where its content itself is signed."""
    return keys.DIGESTS.get(key.public.kind)


def sign_file(key: PrivateKey, digests: Mapping[str, bytes], content: bytes | None = None) -> bytes:
    """A Sigstore bundle over a file that has these digests, `needed_digest` among them."""
    signature = sign(key, digests, content)
    algorithm = needed_digest(key)
    # Of a pure Ed25519 signature no digest is a part, and cosign writes none.
    digest = {} if algorithm is None else {"algorithm": _HASH_NAMES[algorithm], "digest": _base64(digests[algorithm])}
    return _bundle(key, {"messageSignature": {"messageDigest": digest, "signature": _base64(signature)}})


def sign_statement(key: PrivateKey, payload: bytes, *, payload_type: str, hint: str | None = None) -> bytes:
    """A Sigstore bundle with a DSSE envelope around `payload`. `hint`: in place of the one that cosign writes."""
    signed = Envelope(payload_type, payload, b"").signed
    algorithm = needed_digest(key)
    digests = {} if algorithm is None else {algorithm: hashlib.new(algorithm, signed).digest()}
    # Without a keyid, as cosign writes it: its verifier refuses one that is the hint, as sigstore_bundle.proto has it.
    signatures = [{"sig": _base64(sign(key, digests, signed))}]
    envelope = {"payload": _base64(payload), "payloadType": payload_type, "signatures": signatures}
    return _bundle(key, {"dsseEnvelope": envelope}, hint)


def detached(key: PrivateKey, digests: Mapping[str, bytes], content: bytes | None = None) -> bytes:
    """The same signature as cosign's `.sig`: base64, without a line feed."""
    return _base64(sign(key, digests, content)).encode()


def sign(key: PrivateKey, digests: Mapping[str, bytes], content: bytes | None = None) -> bytes:
    """The bare signature over what has these digests; Ed25519 signs `content` itself.

    It is checked before it is handed out: one that was miscalculated can give the key away.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

    if isinstance(key.private, ed25519.Ed25519PrivateKey):
        if content is None:
            raise keys.content_needed()
        signature = key.private.sign(content)
    else:
        known = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
        name = keys.DIGESTS[key.public.kind]
        hashed = utils.Prehashed(known[name])
        if isinstance(key.private, rsa.RSAPrivateKey):
            signature = key.private.sign(digests[name], padding.PKCS1v15(), hashed)
        else:
            signature = key.private.sign(digests[name], ec.ECDSA(hashed))
    keys.check_signature(key.public, signature, digests=digests, content=content)
    return signature


_MAKE = (
    "Make a pair with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem`; "
    "`cosign import-key-pair --key KEY.pem` gives cosign the same pair."
)


def _label(pem: bytes, name: str) -> str:
    try:
        if len(pem) > _MAX_PEM:
            raise ValueError(f"has {len(pem)} bytes")
        label, _ = pem_block(pem.decode("ascii"))
    except UnicodeDecodeError:
        raise _invalid(name, "is not PEM", _MAKE) from None
    except ValueError as error:
        raise _invalid(name, str(error), _MAKE) from None
    if label in _COSIGN:
        raise _invalid(name, "is encrypted in cosign's own way, which no library of this tool can undo", _MAKE)
    if label not in {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}:
        raise _invalid(name, "is no PKCS#8 key", "Write it anew with `openssl pkcs8 -topk8 -in KEY -out KEY.pem`.")
    return label


def _bundle(key: PrivateKey, content: Mapping[str, Any], hint: str | None = None) -> bytes:
    material = {"publicKey": {"hint": hint or key.hint}}
    return json.dumps(
        {"mediaType": MEDIA_TYPE, "verificationMaterial": material, **content}, separators=(",", ":")
    ).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _invalid(name: str, problem: str, remedy: str) -> UsageError:
    return UsageError(
        "verify.private_key_invalid",
        f"{name} {problem}",
        expected="one PEM block PRIVATE KEY or ENCRYPTED PRIVATE KEY (PKCS#8)",
        remedy=remedy,
    )
