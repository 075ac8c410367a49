"""A Fulcio without a server: roots, intermediates and signing certificates.

The profile is Fulcio's docs/certificate-specification.md.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.doubles.sigstore.certificate_log import SCT_OID, CertificateLog
from tests.doubles.sigstore.encoding import PublicKey, utf8_string

FULCIO = "1.3.6.1.4.1.57264.1."
YEAR = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Issuer:
    """An authority's certificate with its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a signing certificate says; each field may be a lie."""

    identity: str
    issuer: str
    at: datetime.datetime
    minutes: int = 10
    email: bool = False
    names: tuple[x509.GeneralName, ...] | None = None
    """In place of the identity."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """By the last number of the extension."""
    raw_issuer: str | None = None
    """The extension `.1`; None: the issuer itself."""
    only_raw_issuer: bool = False
    purposes: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    authority: bool = False
    digital_signature: bool = True


def new_root(name: str, at: datetime.datetime, *, until: datetime.datetime | None = None) -> Issuer:
    """A self-signed authority that began a year before `at`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    return Issuer(
        key, _authority(subject, key, Issuer(key, _unsigned(subject, key)), at - YEAR, until or at + 9 * YEAR)
    )


def new_intermediate(
    name: str, parent: Issuer, at: datetime.datetime, *, until: datetime.datetime | None = None
) -> Issuer:
    """An authority below another."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issuer(key, _authority(_name(name), key, parent, at - YEAR, until or at + 8 * YEAR, path=0))


def issue(issuer: Issuer, key: PublicKey, request: Request, logs: Sequence[CertificateLog] = ()) -> x509.Certificate:
    """A signing certificate, with a timestamp of each of `logs`."""
    serial = x509.random_serial_number()
    extensions = _extensions(request)

    def build(more: Sequence[tuple[x509.ExtensionType, bool]]) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .issuer_name(issuer.certificate.subject)
            .subject_name(x509.Name([]))
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(request.at)
            .not_valid_after(request.at + datetime.timedelta(minutes=request.minutes))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        for extension, critical in (*extensions, *more):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer.key, hashes.SHA256())

    if not logs:
        return build(())
    # The timestamps are over the certificate without their own extension, which cryptography leaves out again.
    precertificate = build([(x509.UnrecognizedExtension(SCT_OID, b"\x04\x02\x00\x00"), False)])
    stamps = [log.stamp(precertificate.tbs_precertificate_bytes, issuer.key.public_key(), request.at) for log in logs]
    return build([(x509.UnrecognizedExtension(SCT_OID, CertificateLog.extension(stamps)), False)])


def _extensions(request: Request) -> list[tuple[x509.ExtensionType, bool]]:
    subject: x509.GeneralName = (
        x509.RFC822Name(request.identity) if request.email else x509.UniformResourceIdentifier(request.identity)
    )
    found: list[tuple[x509.ExtensionType, bool]] = [
        (_usage(digital_signature=request.digital_signature, authority=request.authority), True),
        (x509.SubjectAlternativeName([subject] if request.names is None else list(request.names)), True),
    ]
    if request.purposes:
        found.append((x509.ExtendedKeyUsage(request.purposes), False))
    if request.authority:
        found.append((x509.BasicConstraints(ca=True, path_length=0), True))
    values = {"1": (request.issuer if request.raw_issuer is None else request.raw_issuer).encode()}
    if not request.only_raw_issuer:
        values["8"] = utf8_string(request.issuer)
    values |= {number: utf8_string(text) for number, text in request.claims.items()}
    found += [
        (x509.UnrecognizedExtension(ObjectIdentifier(FULCIO + number), value), False)
        for number, value in values.items()
    ]
    return found


def _authority(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    parent: Issuer,
    start: datetime.datetime,
    end: datetime.datetime,
    *,
    path: int = 1,
) -> x509.Certificate:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path), critical=True)
        .add_extension(_usage(digital_signature=False, authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(parent.key.public_key()), critical=False)
        .sign(parent.key, hashes.SHA256())
    )


def _unsigned(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Only for its name: what a root's issuer is before the root is there."""
    epoch = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    return builder.serial_number(1).not_valid_before(epoch).not_valid_after(epoch).sign(key, hashes.SHA256())


def _usage(*, digital_signature: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "private.test"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip
