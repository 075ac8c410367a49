"""A timestamp authority without a server (RFC 3161, RFC 5816)."""

from __future__ import annotations

import datetime
import hashlib
import secrets

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.doubles.sigstore.authority import YEAR, new_root
from tests.doubles.sigstore.encoding import sign


class TimestampAuthority:
    """Its certificates, and a way to stamp anything with any time."""

    def __init__(self, at: datetime.datetime, *, until: datetime.datetime | None = None, name: str = "tsa") -> None:
        self.root = new_root(f"{name}-root", at)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.root.certificate.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - YEAR)
            .not_valid_after(until or at + 8 * YEAR)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.root.key, hashes.SHA256())
        )  # fmt: skip

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self.certificate, self.root.certificate

    def answer(self, request: bytes, at: datetime.datetime) -> bytes:
        """The response to a TimeStampReq with SHA-256."""
        imprint = tsp.TimeStampReq.load(request)["message_imprint"]
        return self._stamp(imprint["hashed_message"].native, at, self.key)

    def stamp(self, message: bytes, at: datetime.datetime, *, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
        """A granted TimeStampResp over `message`; `key` signs in place of its own."""
        return self._stamp(hashlib.sha256(message).digest(), at, key or self.key)

    def _stamp(self, digest: bytes, at: datetime.datetime, key: ec.EllipticCurvePrivateKey) -> bytes:
        certificate = asn1_x509.Certificate.load(self.certificate.public_bytes(Encoding.DER))
        info = tsp.TSTInfo({
            "version": "v1",
            "policy": "1.3.6.1.4.1.57264.2",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest,
            },
            "serial_number": secrets.randbits(62) + 1,
            "gen_time": at,
            "nonce": secrets.randbits(62) + 1,
        }).dump()  # fmt: skip
        attributes = cms.CMSAttributes([
            cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
            cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": at})]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info).digest()]}),
            cms.CMSAttribute({
                "type": "signing_certificate_v2",
                "values": [tsp.SigningCertificateV2({
                    "certs": [tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(certificate.dump()).digest()})],
                })],
            }),
        ])  # fmt: skip
        signer = cms.SignerInfo({
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
            ),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": sign(key, attributes.untag().dump()),
        })  # fmt: skip
        signed = cms.SignedData({
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "certificates": [cms.CertificateChoices("certificate", certificate)],
            "signer_infos": [signer],
        })  # fmt: skip
        token = cms.ContentInfo({"content_type": "signed_data", "content": signed})
        answer: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
        return answer
