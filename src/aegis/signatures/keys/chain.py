"""Signatures with a certificate of a private authority: the `certificate` method of OpenSSF Model Signing 1.0.

github.com/ossf/model-signing-spec. The bundle brings the leaf and intermediates, the policy the roots. Nothing proves
a time of signing, so the chain is judged at the time of checking: a certificate that has ended ends its signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aegis.core.errors import Refused, UsageError
from aegis.signatures.content import check_content
from aegis.signatures.keyless.certificate import certificate_key, check_usage, load_certificate
from aegis.signatures.keyless.issuing import check_path
from aegis.signatures.refusal import refused, refusing
from aegis.signatures.shown import shown
from aegis.signatures.types import Bundle, CertificateSigner, SignedBy, Trust

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_NO_TIME = "nothing proves when it was signed; the certificates are judged as of now"


def verify_certificate(
    bundle: Bundle, signer: CertificateSigner, trust: Trust, *, digests: Mapping[str, bytes] | None
) -> SignedBy:
    """Whether a certificate below one of the signer's roots signed the artifact of these digests.

    With None it is about the bundle's own envelope. The signer's days are the caller's to check. Refuses with the code
    of what does not hold; raises UsageError `verify.key_invalid` for roots that are none.
    """
    roots = _roots(signer)
    if not bundle.certificates:
        raise refused(
            "verify.wrong_key",
            "the signature is by a bare key",
            expected=f"a certificate of {shown(signer.name)}",
            remedy="Sign with the certificate that the policy asks for.",
        )
    leaf, *intermediates = (load_certificate(each) for each in bundle.certificates)
    check_usage(leaf, fulcio=False)
    key = certificate_key(leaf)
    _check_subject(leaf, signer)
    if not leaf.not_valid_before_utc <= trust.now <= leaf.not_valid_after_utc:
        raise refused(
            "verify.certificate_expired",
            f"the certificate is not valid at {trust.now.isoformat()}",
            expected=f"a time from {leaf.not_valid_before_utc.isoformat()} to {leaf.not_valid_after_utc.isoformat()}",
        )
    check_path(leaf, intermediates, roots, trust.now)
    check_content(bundle, key, digests)
    return SignedBy(
        signer=signer.name, method="certificate", key=key.fingerprint, format=bundle.format, notices=(_NO_TIME,)
    )


def _roots(signer: CertificateSigner) -> list[Certificate]:
    try:
        roots = [load_certificate(each) for each in signer.roots]
    except Refused as error:
        raise _unusable(signer, f"{error.problem}") from error
    if not roots:
        raise _unusable(signer, "there is none")
    return roots


def _check_subject(leaf: Certificate, signer: CertificateSigner) -> None:
    if signer.subject is None:
        return
    with refusing(
        "verify.certificate_invalid", "the certificate's subject cannot be read", expected="RFC 5280 4.1.2.6"
    ):
        subject = leaf.subject.rfc4514_string()
    if subject != signer.subject:
        raise refused(
            "verify.subject_mismatch",
            f"the certificate is for {shown(subject)}",
            expected=shown(signer.subject),
            remedy="Sign with the certificate that the policy names, or have the policy's owner change `subject`.",
        )


def _unusable(signer: CertificateSigner, problem: str) -> UsageError:
    return UsageError(
        "verify.key_invalid",
        f"the roots of {shown(signer.name)}: {problem}",
        expected="at least one certificate",
        remedy="Name a PEM file with the root certificates in `certificate`.",
    )
