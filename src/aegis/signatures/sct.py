"""Signed certificate timestamps (RFC 6962 3): a signing certificate is publicly logged before it signs."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from aegis.core.errors import Refused
from aegis.signatures.certificate import Leaf
from aegis.signatures.issuing import UPDATE
from aegis.signatures.keys import DIGESTS, check_signature
from aegis.signatures.refusal import refused, refusing
from aegis.signatures.trusted_root import Log, TrustedRoot

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def log_signature_holds(log: Log, signature: bytes, content: bytes) -> bool:
    """Whether the log signed `content`, by the algorithm that its key decides."""
    import hashlib

    name = DIGESTS.get(log.key.kind)
    digests = {name: hashlib.new(name, content).digest()} if name else {}
    try:
        check_signature(log.key, signature, digests=digests, content=content)
    except Refused:
        return False
    return True


class _Keyring:
    """What sigstore's check takes for its keyring: here just the keys of one log, within their time."""

    def __init__(self, logs: list[Log]) -> None:
        self._logs = logs

    def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
        if not any(log_signature_holds(log, signature, data) for log in self._logs):
            raise ValueError("not signed by this log")


def check_logged(leaf: Leaf, issuer: Certificate, root: TrustedRoot) -> None:
    """Whether a certificate log that is believed has promised to hold the certificate.

    Refuses with `verify.sct_missing`, `verify.sct_invalid`, `verify.unknown_trust_key` or `verify.trust_window`.
    """
    from cryptography.x509 import ExtensionNotFound, PrecertificateSignedCertificateTimestamps

    expected = "exactly one signed certificate timestamp (RFC 6962 3.3)"
    with refusing("verify.sct_invalid", "the certificate's log timestamp cannot be read", expected=expected):
        try:
            found = list(
                leaf.certificate.extensions.get_extension_for_class(PrecertificateSignedCertificateTimestamps).value
            )
        except ExtensionNotFound:
            found = []
        times = [each.timestamp.replace(tzinfo=datetime.UTC) for each in found]
        ids = [each.log_id for each in found]
    if not found:
        raise refused("verify.sct_missing", "the certificate is in no certificate log", expected=expected)
    if len(found) > 1:
        raise refused("verify.sct_invalid", f"the certificate has {len(found)} log timestamps", expected=expected)
    known = [log for log in root.certificate_logs if log.key_id == ids[0]]
    if not known:
        raise refused(
            "verify.unknown_trust_key",
            f"the certificate is logged by {ids[0].hex()}, which the trusted root does not know",
            expected="a certificate log of the trusted root",
            remedy=UPDATE,
        )
    # Two clocks: the log's own word, which its key alone decides, and the authority's.
    valid = [log for log in known if log.window.holds(times[0]) and log.window.holds(leaf.not_before)]
    if not valid:
        raise refused(
            "verify.trust_window",
            f"the certificate's log was not in use at {times[0].isoformat()}",
            expected="a time " + " or ".join(str(log.window) for log in known),
            remedy=UPDATE,
        )
    with refusing("verify.sct_invalid", "the certificate's log timestamp does not hold", expected="one by its log"):
        from sigstore._internal.sct import verify_sct

        keyring: Any = _Keyring(valid)
        verify_sct(leaf.certificate, [issuer], keyring)
