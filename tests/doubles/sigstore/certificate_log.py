"""A certificate transparency log without a server: it stamps precertificates (RFC 6962 3.2, 3.3)."""

from __future__ import annotations

import datetime
import hashlib
import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ObjectIdentifier

from tests.doubles.sigstore.encoding import PublicKey, sign, spki

SCT_OID = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ECDSA_SHA256 = b"\x04\x03"


class CertificateLog:
    """Its key, and a clock that may be wrong."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.lag = datetime.timedelta()
        """Added to the time of every stamp."""
        self.lies = False
        """Whether it signs something else than what it is given."""

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(spki(self.key.public_key())).digest()

    def stamp(self, precertificate: bytes, issuer: PublicKey, at: datetime.datetime) -> bytes:
        """A SignedCertificateTimestamp of a precertificate's TBSCertificate."""
        milliseconds = int((at + self.lag).timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + hashlib.sha256(spki(issuer)).digest()
        signed += struct.pack("!I", len(precertificate))[1:] + precertificate + b"\0\0"
        signature = sign(self.key, signed + b"!" if self.lies else signed)
        head = b"\0" + self.key_id + struct.pack("!Q", milliseconds) + b"\0\0" + _ECDSA_SHA256
        return head + struct.pack("!H", len(signature)) + signature

    @staticmethod
    def extension(stamps: Sequence[bytes]) -> bytes:
        """The value of the certificate's extension: a list in an OCTET STRING."""
        members = b"".join(struct.pack("!H", len(stamp)) + stamp for stamp in stamps)
        body = struct.pack("!H", len(members)) + members
        if len(body) < 128:
            return bytes([4, len(body)]) + body
        length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
        return bytes([4, 0x80 | len(length)]) + length + body
