"""From a signing certificate to an authority that is believed, at a given time (RFC 5280 6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aegis.signatures.keyless.certificate import Leaf
from aegis.signatures.keyless.trusted_root import Authority
from aegis.signatures.refusal import refused, refusing

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, KeyUsage
    from cryptography.x509.verification import Policy

UPDATE = "Update the trusted root (`aegis` and its lock, or `trusted-root` in the policy): it may know a newer key."


def check_issued(leaf: Leaf, authorities: Sequence[Authority], times: Iterable[datetime.datetime]) -> Certificate:
    """Return the certificate that issued `leaf`, when all of the chain was valid at every one of `times`.

    Refuses with `verify.unknown_trust_key`, `verify.certificate_untrusted`, `verify.trust_window`,
    `verify.certificate_expired` or `verify.issuer_expired`.
    """
    times = sorted(times)
    named = [authority for authority in authorities if _names(authority.certificates[0], leaf.certificate)]
    if not named:
        raise refused(
            "verify.unknown_trust_key",
            f"the certificate is issued by {_name(leaf.certificate)!a}, whom the trusted root does not know",
            expected="an authority of the trusted root",
            remedy=UPDATE,
        )
    issued = [authority for authority in named if _issued(authority.certificates[0], leaf.certificate)]
    if not issued:
        raise refused(
            "verify.certificate_untrusted",
            "the certificate names a known authority, which has not signed it",
            expected="a certificate that its issuer has signed",
        )
    for at in times:
        if not leaf.not_before <= at <= leaf.not_after:
            raise refused(
                "verify.certificate_expired",
                f"the signature was made at {at.isoformat()}, outside the certificate's validity",
                expected=f"a time from {leaf.not_before.isoformat()} to {leaf.not_after.isoformat()}",
            )
    valid = [authority for authority in issued if all(map(authority.window.holds, times))]
    if not valid:
        raise refused(
            "verify.trust_window",
            f"the certificate's authority was not in use at {times[0].isoformat()}",
            expected="a time " + " or ".join(str(authority.window) for authority in issued),
            remedy=UPDATE,
        )
    authority = valid[0]
    for at in times:
        for issuer in authority.certificates:
            # GHSA-wfqv-66vq-46rm: an authority's certificate that ends before the leaf's ends its leaves.
            if not issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc:
                raise refused(
                    "verify.issuer_expired",
                    f"the authority's certificate was not valid when the signature was made, at {at.isoformat()}",
                    expected=f"a time from {issuer.not_valid_before_utc.isoformat()} "
                    f"to {issuer.not_valid_after_utc.isoformat()}",
                )
        check_path(leaf.certificate, authority.certificates[:-1], authority.certificates[-1:], at)
    return authority.certificates[0]


def check_path(
    leaf: Certificate, intermediates: Sequence[Certificate], roots: Sequence[Certificate], at: datetime.datetime
) -> None:
    """A path from `leaf` to one of `roots` that is valid at `at`. Refuses with `verify.certificate_untrusted`.

    The library's own profile is that of TLS: it knows no code signing, and asks for extensions that private
    authorities leave out, as RFC 5280 lets them. Callers check the leaf's usage themselves.
    """
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

    expected = "a chain to a root that is believed, valid at that time (RFC 5280 6)"
    with refusing("verify.certificate_untrusted", "the certificate's chain does not hold", expected=expected):
        either = Criticality.AGNOSTIC
        authorities = (
            ExtensionPolicy.webpki_defaults_ca()
            .may_be_present(x509.ExtendedKeyUsage, either, None)
            .may_be_present(x509.KeyUsage, either, _may_issue)
        )
        leaves = (
            ExtensionPolicy.webpki_defaults_ee()
            .may_be_present(x509.ExtendedKeyUsage, either, None)
            .may_be_present(x509.SubjectAlternativeName, either, None)
            .may_be_present(x509.AuthorityKeyIdentifier, either, None)
        )
        builder = PolicyBuilder().store(Store(list(roots))).time(at)
        verifier = builder.extension_policies(ca_policy=authorities, ee_policy=leaves).build_client_verifier()
        verifier.verify(leaf, list(intermediates))


def _may_issue(_policy: Policy, _certificate: Certificate, usage: KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("a key that may not sign certificates (RFC 5280 4.2.1.3)")


def _names(issuer: Certificate, leaf: Certificate) -> bool:
    """Whether `leaf` says that it is from `issuer`: by name, and by key where both tell one."""
    from cryptography.x509 import AuthorityKeyIdentifier, ExtensionNotFound, SubjectKeyIdentifier

    if issuer.subject != leaf.issuer:
        return False
    try:
        wanted = leaf.extensions.get_extension_for_class(AuthorityKeyIdentifier).value.key_identifier
        return wanted is None or wanted == issuer.extensions.get_extension_for_class(SubjectKeyIdentifier).value.digest
    except ExtensionNotFound:
        return True


def _issued(issuer: Certificate, leaf: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        leaf.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _name(certificate: Certificate) -> str:
    with refusing("verify.certificate_invalid", "the issuer's name cannot be read", expected="RFC 5280 4.1.2.4"):
        return certificate.issuer.rfc4514_string()[:120]
