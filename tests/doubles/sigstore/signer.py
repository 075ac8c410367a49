"""All parts of a private Sigstore, and signers that use them."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from tests.doubles.sigstore.authority import YEAR, Request, issue, new_intermediate, new_root
from tests.doubles.sigstore.certificate_log import CertificateLog
from tests.doubles.sigstore.encoding import b64, sign, sign_digest, spki
from tests.doubles.sigstore.entries import EntryKind, Signature, body, envelope
from tests.doubles.sigstore.log import Log
from tests.doubles.sigstore.timestamp import TimestampAuthority
from tests.doubles.sigstore.trusted_root import Root, Window

AT = datetime.datetime(2025, 6, 1, 12, 0, 0, tzinfo=datetime.UTC)
IDENTITY = "https://github.com/org/models/.github/workflows/release.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
CLAIMS = {
    "11": "github-hosted",
    "12": "https://github.com/org/models",
    "13": "0123456789012345678901234567890123456789",
    "14": "refs/heads/main",
    "15": "700000001",
    "16": "https://github.com/org",
    "17": "400000001",
    "18": IDENTITY,
    "20": "push",
    "22": "private",
}
"""Of GitHub, by the last number of the extension."""
IN_TOTO = "application/vnd.in-toto+json"
V01, V02 = (f"application/vnd.dev.sigstore.bundle+json;version=0.{number}" for number in (1, 2))
V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"


class PrivateSigstore:
    """One instance. Everything in it was set up a year before `at`."""

    def __init__(self, *, intermediate: bool = False, history: int = 5, at: datetime.datetime = AT) -> None:
        self.root_authority = new_root("fulcio", at)
        self.authority = (
            new_intermediate("fulcio-intermediate", self.root_authority, at) if intermediate else self.root_authority
        )
        self.certificate_log = CertificateLog()
        self.log = Log("rekor.private.test", tiled=False, history=history)
        self.tiled_log = Log("rekor-2.private.test", tiled=True, history=history)
        self.timestamps = TimestampAuthority(at)
        window = Window(at - YEAR)
        chain: tuple[Certificate, ...] = (self.root_authority.certificate,)
        if intermediate:
            chain = (self.authority.certificate, *chain)
        self.root = Root(
            authorities=[(chain, window)],
            logs=[(self.log, window), (self.tiled_log, window)],
            certificate_logs=[(self.certificate_log, window)],
            timestamp_authorities=[(self.timestamps, window)],
        )

    def trusted_root(self) -> bytes:
        return json.dumps(self.root.document()).encode()

    def request(self, **changes: Any) -> Request:
        """For the usual signer's certificate."""
        usual: dict[str, Any] = {"identity": IDENTITY, "issuer": ISSUER, "at": AT, "claims": CLAIMS}
        return Request(**(usual | changes))

    def certificate(self, key: ec.EllipticCurvePrivateKey, request: Request | None = None) -> Certificate:
        """A signing certificate as Fulcio issues it."""
        return issue(self.authority, key.public_key(), request or self.request(), [self.certificate_log])

    def sign_file(
        self,
        content: bytes,
        *,
        request: Request | None = None,
        certificate: Certificate | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        at: datetime.datetime = AT,
        kind: EntryKind = "hashedrekord",
        media_type: str = V03,
        stamped: bool | None = None,
        promise: bool = True,
        proof: bool = True,
    ) -> dict[str, Any]:
        """A bundle with a message signature over `content`.

        `stamped`: with a timestamp; None means where the log gives no time.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        digest = hashlib.sha256(content).digest()
        signature = sign_digest(key, digest)
        signed = Signature(signature, certificate or self.certificate(key, request), digest)
        message = {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)}, "signature": b64(signature)}
        bundle = self._bundle(signed, kind, media_type, at, stamped=stamped, promise=promise, proof=proof)
        return {**bundle, "messageSignature": message}

    def sign_statement(
        self,
        statement: Mapping[str, Any],
        *,
        request: Request | None = None,
        at: datetime.datetime = AT,
        kind: EntryKind = "dsse",
        media_type: str = V03,
        stamped: bool | None = None,
        payload_type: str = IN_TOTO,
    ) -> dict[str, Any]:
        """A bundle with a DSSE envelope around a statement."""
        key = ec.generate_private_key(ec.SECP256R1())
        payload = json.dumps(statement).encode()
        encoded = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
        signed = Signature(
            sign(key, encoded),
            self.certificate(key, request),
            hashlib.sha256(encoded).digest(),
            payload,
            payload_type,
        )
        bundle = self._bundle(signed, kind, media_type, at, stamped=stamped, promise=True, proof=True)
        return {**bundle, "dsseEnvelope": envelope(signed)}

    def sign_older(
        self, content: bytes, *, request: Request | None = None, at: datetime.datetime = AT
    ) -> dict[str, Any]:
        """cosign's `.bundle` of before 2.0: certificate and promise, no proof."""
        key = ec.generate_private_key(ec.SECP256R1())
        digest = hashlib.sha256(content).digest()
        signed = Signature(sign_digest(key, digest), self.certificate(key, request), digest)
        entry = body("hashedrekord", signed)
        added = self.log.add(entry.data, entry.kind, entry.version, at)
        payload = {
            "body": added["canonicalizedBody"],
            "integratedTime": int(added["integratedTime"]),
            "logIndex": int(added["logIndex"]),
            "logID": self.log.key_id.hex(),
        }
        promise = added["inclusionPromise"]["signedEntryTimestamp"]
        return {
            "base64Signature": b64(signed.signature),
            "cert": signed.pem,
            "rekorBundle": {"SignedEntryTimestamp": promise, "Payload": payload},
        }

    def stamp(self, bundle: dict[str, Any], *stamps: bytes) -> dict[str, Any]:
        """The bundle with these timestamps."""
        given = [{"signedTimestamp": b64(stamp)} for stamp in stamps]
        bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": given}
        return bundle

    def _bundle(
        self,
        signed: Signature,
        kind: EntryKind,
        media_type: str,
        at: datetime.datetime,
        *,
        stamped: bool | None,
        promise: bool,
        proof: bool,
    ) -> dict[str, Any]:
        entry = body(kind, signed)
        log = self.tiled_log if kind == "hashedrekord-v2" else self.log
        added = log.add(entry.data, entry.kind, entry.version, at, promise=promise, proof=proof)
        certificate = {"rawBytes": b64(signed.certificate.public_bytes(Encoding.DER))}
        material: dict[str, Any] = {"tlogEntries": [added]}
        if media_type == V03:
            material["certificate"] = certificate
        else:
            material["x509CertificateChain"] = {"certificates": [certificate]}
        bundle = {"mediaType": media_type, "verificationMaterial": material}
        if log.tiled if stamped is None else stamped:
            self.stamp(bundle, self.timestamps.stamp(signed.signature, at))
        return bundle


def sign_file_with_key(content: bytes, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """A bundle as cosign makes with a key and no log."""
    digest = hashlib.sha256(content).digest()
    return {
        "mediaType": V03,
        "verificationMaterial": {"publicKey": {"hint": b64(hashlib.sha256(spki(key.public_key())).digest())}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)},
            "signature": b64(sign_digest(key, digest)),
        },
    }
