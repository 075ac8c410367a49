"""The trusted root of a private Sigstore, as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from tests.doubles.sigstore.certificate_log import CertificateLog
from tests.doubles.sigstore.encoding import PublicKey, b64, rfc3339, spki
from tests.doubles.sigstore.log import Log
from tests.doubles.sigstore.timestamp import TimestampAuthority

MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"


@dataclass(frozen=True)
class Window:
    start: datetime.datetime
    end: datetime.datetime | None = None


@dataclass
class Root:
    """What is believed, each with its window. Lists may be changed before it is written."""

    authorities: list[tuple[tuple[Certificate, ...], Window]] = field(default_factory=list)
    logs: list[tuple[Log, Window]] = field(default_factory=list)
    certificate_logs: list[tuple[CertificateLog, Window]] = field(default_factory=list)
    timestamp_authorities: list[tuple[TimestampAuthority, Window]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "mediaType": MEDIA_TYPE,
            "tlogs": [_log(f"https://{log.host}", log.key.public_key(), log.key_id, of) for log, of in self.logs],
            "certificateAuthorities": [
                _authority("https://fulcio.private.test", chain, of) for chain, of in self.authorities
            ],
            "ctlogs": [
                _log("https://ct.private.test", log.key.public_key(), log.key_id, of)
                for log, of in self.certificate_logs
            ],
            "timestampAuthorities": [
                _authority("https://tsa.private.test", authority.chain, of)
                for authority, of in self.timestamp_authorities
            ],
        }


def _log(url: str, key: PublicKey, key_id: bytes, window: Window) -> dict[str, Any]:
    details = "PKIX_ED25519" if isinstance(key, ed25519.Ed25519PublicKey) else "PKIX_ECDSA_P256_SHA_256"
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": _valid_for(window)},
        "logId": {"keyId": b64(key_id)},
    }


def _authority(url: str, chain: Sequence[Certificate], window: Window) -> dict[str, Any]:
    return {
        "subject": {"organization": "private.test", "commonName": "private"},
        "uri": url,
        "certChain": {"certificates": [{"rawBytes": b64(each.public_bytes(Encoding.DER))} for each in chain]},
        "validFor": _valid_for(window),
    }


def _valid_for(window: Window) -> dict[str, str]:
    end = {"end": rfc3339(window.end)} if window.end else {}
    return {"start": rfc3339(window.start), **end}
