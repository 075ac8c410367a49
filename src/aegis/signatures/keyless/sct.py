"""Signed certificate timestamps (RFC 6962 3): a signing certificate is publicly logged before it signs."""

from __future__ import annotations

import datetime
import hashlib
import struct
from typing import TYPE_CHECKING

from aegis.core.errors import Refused
from aegis.signatures.keyless.certificate import Leaf
from aegis.signatures.keyless.issuing import UPDATE
from aegis.signatures.keyless.trusted_root import Log, TrustedRoot
from aegis.signatures.keys.public import DIGESTS, check_signature
from aegis.signatures.refusal import refused, refusing

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from cryptography.x509.certificate_transparency import SignedCertificateTimestamp


def log_signature_holds(log: Log, signature: bytes, content: bytes) -> bool:
    """Whether the log signed `content`, by the algorithm that its key decides."""
    name = DIGESTS.get(log.key.kind)
    digests = {name: hashlib.new(name, content).digest()} if name else {}
    try:
        check_signature(log.key, signature, digests=digests, content=content)
    except Refused:
        return False
    return True


def check_logged(leaf: Leaf, issuer: Certificate, root: TrustedRoot) -> None:
    """Whether a certificate log that is believed has promised to hold the certificate.

    Refuses with `verify.sct_missing`, `verify.sct_invalid`, `verify.unknown_trust_key` or `verify.trust_window`.
    """
    from cryptography.hazmat.primitives import hashes
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
    expected = "one over exactly this certificate, by its log"
    with refusing("verify.sct_invalid", "the certificate's log timestamp cannot be checked", expected=expected):
        sha256 = isinstance(found[0].signature_hash_algorithm, hashes.SHA256)
        signed = _signed(found[0], leaf.certificate, issuer)
        signature = found[0].signature
    if not sha256 or not any(log_signature_holds(log, signature, signed) for log in valid):
        raise refused("verify.sct_invalid", "the certificate's log timestamp does not hold", expected=expected)


def _signed(stamp: SignedCertificateTimestamp, certificate: Certificate, issuer: Certificate) -> bytes:
    """What the log signed: RFC 6962 3.2 `digitally-signed`, for a precertificate."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    milliseconds = (stamp.timestamp - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1)
    precertificate = certificate.tbs_precertificate_bytes
    return b"".join(
        (
            struct.pack("!BBQH", 0, 0, milliseconds, 1),
            hashlib.sha256(spki).digest(),
            len(precertificate).to_bytes(3, "big"),
            precertificate,
            struct.pack("!H", len(stamp.extension_bytes)),
            stamp.extension_bytes,
        )
    )
