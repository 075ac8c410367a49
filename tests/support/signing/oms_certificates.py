"""Signatures by the `certificate` method of OpenSSF Model Signing, with every part open to lies."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.doubles.sigstore.encoding import b64

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.datetime(2025, 6, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Holder:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a certificate says."""

    name: str = "signer"
    authority: bool = False
    path: int | None = None
    start: datetime.datetime = NOW - DAY
    end: datetime.datetime = NOW + DAY
    signs: bool | None = True
    """Key usage digitalSignature; None: no key usage."""
    certifies: bool = False
    purposes: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    critical: tuple[x509.ExtensionType, ...] = field(default=())


AUTHORITY = Profile(name="root", authority=True, signs=False, certifies=True, purposes=())


def new_key(kind: str = "p256") -> Key:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind])


def issue(profile: Profile, key: Key, parent: Holder | None = None) -> Holder:
    """A certificate by `parent`, or by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, profile.name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(parent.certificate.subject if parent else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(profile.start)
        .not_valid_after(profile.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if profile.authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=profile.path), critical=True)
    if profile.signs is not None:
        builder = builder.add_extension(_usage(signs=profile.signs, certifies=profile.certifies), critical=True)
    if profile.purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(profile.purposes), critical=False)
    for extension in profile.critical:
        builder = builder.add_extension(extension, critical=True)
    return Holder(key, builder.sign(parent.key if parent else key, hashes.SHA256()))


def sign_statement(statement: dict[str, Any], signer: Holder, chain: Sequence[Holder] = ()) -> dict[str, Any]:
    """A bundle as model_signing writes it."""
    payload, kind = json.dumps(statement).encode(), "application/vnd.in-toto+json"
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    envelope = {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": b64(_sign(signer.key, encoded))}]}
    return {**_bundle(signer, chain), "dsseEnvelope": envelope}


def sign_file(content: bytes, signer: Holder, chain: Sequence[Holder] = ()) -> dict[str, Any]:
    name = _hash(signer.key).name
    digest = {"algorithm": f"SHA2_{name[3:]}", "digest": b64(hashlib.new(name, content).digest())}
    signature = {"messageDigest": digest, "signature": b64(_sign(signer.key, content))}
    return {**_bundle(signer, chain), "messageSignature": signature}


def _bundle(signer: Holder, chain: Sequence[Holder]) -> dict[str, Any]:
    certificates = [{"rawBytes": b64(holder.der)} for holder in (signer, *chain)]
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"x509CertificateChain": {"certificates": certificates}},
    }


def _hash(key: Key) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    if isinstance(key, rsa.RSAPrivateKey) or key.curve.key_size == 256:
        return hashes.SHA256()
    return hashes.SHA384() if key.curve.key_size == 384 else hashes.SHA512()


def _sign(key: Key, content: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(content, ec.ECDSA(_hash(key)))


def _usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=certifies, crl_sign=certifies, encipher_only=False, decipher_only=False,
    )  # fmt: skip
