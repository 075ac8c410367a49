"""Signing certificates of Sigstore: whom they name, and whether that is whom the policy names.

The profile: github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md and docs/oid-info.md.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from aegis.core.errors import Refused, UsageError
from aegis.signatures import patterns
from aegis.signatures.keys import der
from aegis.signatures.keys.public import PublicKey, key_of_spki
from aegis.signatures.refusal import refused, refusing
from aegis.signatures.shown import shown
from aegis.signatures.types import IdentitySigner

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ExtensionType

    _Extension = TypeVar("_Extension", bound=ExtensionType)

CLAIMS: Mapping[str, str] = MappingProxyType({
    "signer-workflow": "1.3.6.1.4.1.57264.1.9",
    "signer-workflow-sha": "1.3.6.1.4.1.57264.1.10",
    "runner-environment": "1.3.6.1.4.1.57264.1.11",
    "repository": "1.3.6.1.4.1.57264.1.12",
    "sha": "1.3.6.1.4.1.57264.1.13",
    "ref": "1.3.6.1.4.1.57264.1.14",
    "repository-id": "1.3.6.1.4.1.57264.1.15",
    "owner": "1.3.6.1.4.1.57264.1.16",
    "owner-id": "1.3.6.1.4.1.57264.1.17",
    "workflow": "1.3.6.1.4.1.57264.1.18",
    "workflow-sha": "1.3.6.1.4.1.57264.1.19",
    "trigger": "1.3.6.1.4.1.57264.1.20",
    "run": "1.3.6.1.4.1.57264.1.21",
    "visibility": "1.3.6.1.4.1.57264.1.22",
    "environment": "1.3.6.1.4.1.57264.1.23",
})  # fmt: skip
"""What GitHub says of a run, by the extension that holds it. `repository`, `owner`, `workflow`, `signer-workflow` and
`run` are URLs, e.g. `https://github.com/org/repo`; the ids outlive a rename, the URLs can be registered anew."""

_ISSUER = "1.3.6.1.4.1.57264.1.8"
_ISSUER_RAW = "1.3.6.1.4.1.57264.1.1"
"""Of Fulcio before 2022-10: the bare text, without DER."""
_HOSTED = "github-hosted"
_UTF8_STRING = 0x0C
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

IdentityKind = Literal["uri", "email"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A signing certificate, read but not yet believed."""

    certificate: Certificate
    key: PublicKey
    kind: IdentityKind
    identity: str
    issuer: str
    claims: Mapping[str, str]

    @property
    def not_before(self) -> datetime.datetime:
        """Its first second."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime.datetime:
        """Its last second, which belongs to it (RFC 5280 4.1.2.5)."""
        return self.certificate.not_valid_after_utc


def load_certificate(data: bytes) -> Certificate:
    """One certificate in DER. Refuses with `verify.certificate_invalid`."""
    import warnings

    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import load_der_x509_certificate

    expected = "one certificate in DER"
    with (
        refusing("verify.certificate_invalid", "the certificate cannot be read", expected=expected),
        warnings.catch_warnings(),
    ):
        # Of names that are longer than X.520 has them it need not speak; the rest breaks RFC 5280.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        certificate = load_der_x509_certificate(data)
        # Each field is parsed at its first use: a broken one, or a doubled extension, shows here.
        _ = certificate.subject, certificate.issuer, certificate.extensions
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        # Signatures are whole octets (RFC 5280 4.1.1.3); the library passes over a bit that is said to be unused.
        if data[-len(certificate.signature) - 1] != 0:
            raise ValueError("the signature is no number of octets")
    return certificate


def certificate_key(certificate: Certificate) -> PublicKey:
    """Its public key. Refuses with `verify.unsupported_key`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    expected = "ECDSA P-256, P-384 or P-521, or RSA of 2048 bits or more"
    with refusing("verify.unsupported_key", "the key in the certificate cannot be read", expected=expected):
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        return key_of_spki(spki)
    except UsageError as error:
        raise refused("verify.unsupported_key", f"in the certificate, {error.problem}", expected=expected) from error


def check_usage(certificate: Certificate, *, fulcio: bool) -> None:
    """Whether it may sign artifacts: it is no authority's, and its key is for signatures and for code.

    Sigstore's have both usages in any case (`fulcio`). Others may leave one out: what is absent limits nothing
    (RFC 5280 4.2.1.3, 4.2.1.12), but one of them must say that it signs. Refuses with `verify.certificate_is_ca` or
    `verify.not_code_signing`.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    with refusing("verify.certificate_invalid", "an extension of the certificate cannot be read", expected="RFC 5280"):
        constraints = _extension(certificate, x509.BasicConstraints)
        usage = _extension(certificate, x509.KeyUsage)
        purposes = _extension(certificate, x509.ExtendedKeyUsage)
        authority = bool(constraints and constraints.ca) or bool(usage and usage.key_cert_sign)
        signs = usage.digital_signature if usage is not None else None
        for_code = ExtendedKeyUsageOID.CODE_SIGNING in purposes if purposes is not None else None
    if authority:
        raise refused(
            "verify.certificate_is_ca", "the signing certificate is one of an authority", expected="a leaf certificate"
        )
    if signs is False or (signs is None and (fulcio or for_code is None)):
        raise refused(
            "verify.not_code_signing",
            "the key of the signing certificate is not for signatures",
            expected="the key usage digitalSignature (RFC 5280 4.2.1.3)",
        )
    if for_code is False or (for_code is None and fulcio):
        raise refused(
            "verify.not_code_signing",
            "the signing certificate is not for code signing",
            expected="the extended key usage id-kp-codeSigning (RFC 5280 4.2.1.12)",
        )


def read_leaf(data: bytes) -> Leaf:
    """The signing certificate in `data` (DER).

    Refuses with `verify.certificate_invalid`, `verify.certificate_is_ca`, `verify.not_code_signing` or
    `verify.unsupported_key`.
    """
    certificate = load_certificate(data)
    check_usage(certificate, fulcio=True)
    values = _fulcio_values(certificate)
    kind, identity = _subject(certificate)
    return Leaf(
        certificate=certificate,
        key=certificate_key(certificate),
        kind=kind,
        identity=identity,
        issuer=_issuer(values),
        claims={name: _text(values[oid], name) for name, oid in CLAIMS.items() if oid in values},
    )


def check_signer(leaf: Leaf, signer: IdentitySigner) -> None:
    """Whether the certificate names whom the policy names.

    Refuses with `verify.wrong_identity`, `verify.wrong_issuer`, `verify.wrong_claim` or `verify.self_hosted_runner`.
    """
    if not signer.issuer or bool(signer.identity) == bool(signer.pattern):
        raise UsageError(
            "verify.policy_incomplete",
            f"the signer {shown(signer.name)} names no issuer, or not exactly one of identity and pattern",
            expected="an issuer, and an identity or a pattern",
            remedy="Correct `signers` in the policy.",
        )
    exact = signer.identity is not None and leaf.identity == signer.identity
    if not exact and not (signer.pattern and patterns.matches(signer.pattern, leaf.identity)):
        raise _other("verify.wrong_identity", "identity", leaf.identity, signer.identity or signer.pattern or "")
    if leaf.issuer != signer.issuer:
        raise _other("verify.wrong_issuer", "issuer", leaf.issuer, signer.issuer)
    for name, value in signer.claims.items():
        if leaf.claims.get(name) != value:
            raise _other("verify.wrong_claim", name, leaf.claims.get(name), value)
    if signer.deny_self_hosted and leaf.claims.get("runner-environment") != _HOSTED:
        raise _other("verify.self_hosted_runner", "runner-environment", leaf.claims.get("runner-environment"), _HOSTED)


def _subject(certificate: Certificate) -> tuple[IdentityKind, str]:
    """The one subject alternative name.

    A URI must look like one and an e-mail address must not, so that one can never be spelt as the other.
    """
    from cryptography import x509

    expected = "exactly one name, a URI or an e-mail address"
    with refusing("verify.certificate_invalid", "the name in the certificate cannot be read", expected=expected):
        names = list(_extension(certificate, x509.SubjectAlternativeName) or ())
    if len(names) != 1:
        raise _invalid(f"the certificate has {len(names)} subject alternative names", expected)
    name = names[0]
    if not isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name):
        raise _invalid(f"the certificate's subject is a {type(name).__name__}", expected)
    kind: IdentityKind = "uri" if isinstance(name, x509.UniformResourceIdentifier) else "email"
    looks = "uri" if _SCHEME.match(name.value) else "email" if "@" in name.value else None
    if kind != looks:
        raise _invalid(f"the certificate's {kind} is {shown(name.value)}", expected)
    return kind, name.value


def _issuer(values: Mapping[str, bytes]) -> str:
    if _ISSUER not in values and _ISSUER_RAW not in values:
        raise _invalid("the certificate names no OIDC issuer", f"the extension {_ISSUER}")
    raw = None
    if _ISSUER_RAW in values:
        with refusing("verify.certificate_invalid", "the issuer is no text", expected="UTF-8"):
            raw = values[_ISSUER_RAW].decode("utf-8", "strict")
    if _ISSUER not in values:
        return raw or ""
    issuer = _text(values[_ISSUER], "issuer")
    if raw is not None and raw != issuer:
        raise _invalid(f"the certificate names the issuers {shown(issuer)} and {shown(raw)}", "one issuer")
    return issuer


def _fulcio_values(certificate: Certificate) -> dict[str, bytes]:
    from cryptography.x509 import UnrecognizedExtension

    return {
        extension.oid.dotted_string: extension.value.value
        for extension in certificate.extensions
        if isinstance(extension.value, UnrecognizedExtension)
    }


def _text(value: bytes, name: str) -> str:
    """The text of a DER UTF8String in its one encoding."""
    for header in range(2, 6):
        content = value[header:]
        if der.element(_UTF8_STRING, content) == value:
            with refusing("verify.certificate_invalid", f"the claim {name} is no text", expected="UTF-8"):
                return content.decode("utf-8", "strict")
    raise _invalid(f"the claim {name} of the certificate is not in DER", "a UTF8String (X.690 8.23)")


def _extension(certificate: Certificate, kind: type[_Extension]) -> _Extension | None:
    from cryptography.x509 import ExtensionNotFound

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def _invalid(problem: str, expected: str) -> Refused:
    return refused("verify.certificate_invalid", problem, expected=expected)


def _other(code: str, what: str, found: str | None, expected: str) -> Refused:
    said = f"has the {what} {shown(found)}" if found is not None else f"has no {what}"
    return refused(
        code,
        f"the signing certificate {said}",
        expected=shown(expected),
        remedy="Sign it as the workflow or person that the policy names, or have the policy's owner change it.",
    )
