"""What a signature consists of, and who must have signed: data only.

Formats: Sigstore bundle v0.1-v0.3 (github.com/sigstore/protobuf-specs, protos/sigstore_bundle.proto), cosign's legacy
`.sig` and `.bundle`, DSSE (github.com/secure-systems-lab/dsse), OpenSSF Model Signing 1.0.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aegis.signatures.keys.public import PublicKey

Format = Literal["sigstore-bundle-v0.1", "sigstore-bundle-v0.2", "sigstore-bundle-v0.3", "cosign-bundle", "cosign-sig"]

# --- what a signature consists of -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature over an artifact's bytes."""

    signature: bytes
    digest_algorithm: str | None = None
    """What the bundle claims (`sha256`, …): a hint that must agree, never what is verified against."""
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope with its one signature."""

    payload_type: str
    payload: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The pre-authentication encoding (PAE), which is what is signed."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One signature with everything that came along to verify it."""

    format: Format
    content: MessageSignature | Envelope
    certificates: tuple[bytes, ...] = ()
    """DER, leaf first; empty for a signature by a bare key."""
    key_hint: str | None = None
    """Opaque; other tools fill it in different ways."""
    log_entries: tuple[Mapping[str, Any], ...] = ()
    """Transparency log entries as parsed JSON (protojson of `TransparencyLogEntry`), defaults filled in."""
    timestamps: tuple[bytes, ...] = ()
    """RFC 3161 responses, DER."""

    @property
    def keyless(self) -> bool:
        """Whether it claims to be signed by an identity: a certificate with a log entry or timestamp."""
        return bool(self.certificates) and bool(self.log_entries or self.timestamps)


# --- who must have signed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Whoever holds a key."""

    name: str
    """For people: where the policy names it."""
    key: PublicKey
    valid_from: datetime.date | None = None
    """First day (UTC) on which signatures by it are believed; judged by `Trust.now` where nothing proves a time."""
    valid_until: datetime.date | None = None
    """Last day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySigner:
    """Whoever an OIDC issuer says it is, by a certificate of a Sigstore CA."""

    identity: str | None = None
    """The certificate's subject alternative name, exactly. Exactly one of this and `pattern`."""
    pattern: str | None = None
    """A regular expression, anchored at both ends; its form was checked when the policy was read."""
    issuer: str
    """Exactly."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """GitHub's claims in the certificate, exactly: `repository-id`, `owner-id`, `ref`, `workflow`, `sha`, `trigger`,
    `runner-environment`, … (`aegis.signatures.keyless.certificate.CLAIMS`)."""
    deny_self_hosted: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.identity or self.pattern} ({self.issuer})"


@dataclass(frozen=True, slots=True)
class CertificateSigner:
    """Whoever holds a certificate of a given root (the `certificate` method of OpenSSF Model Signing)."""

    name: str
    roots: tuple[bytes, ...]
    """DER."""
    subject: str | None = None
    """RFC 4514 subject of the leaf, exactly; None takes any leaf of these roots."""
    valid_from: datetime.date | None = None
    valid_until: datetime.date | None = None


Signer = KeySigner | IdentitySigner | CertificateSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Who must have signed, and what is believed of the outside world."""

    signers: tuple[Signer, ...]
    """At least one; any of them counts once."""
    threshold: int = 1
    """How many different signers are needed."""
    trusted_root: bytes | None = None
    """Sigstore's trusted root as JSON; None means the public good instance's, as packaged."""
    now: datetime.datetime
    """For validity windows that have no proven signing time, e.g. of key and certificate methods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """One signature that holds, by whom."""

    signer: str
    """`Signer.name` of the policy."""
    method: Literal["key", "keyless", "certificate"]
    key: str
    """SHA-256 (hex) of the public key's SubjectPublicKeyInfo."""
    format: Format
    identity: str | None = None
    issuer: str | None = None
    signed_at: str | None = None
    """RFC 3339, proven by a log or a timestamp authority; None where nothing proves it."""
    log: str | None = None
    """Key id (hex) and index of the log entry."""
    notices: tuple[str, ...] = ()
    """E.g. that the format proves no time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Enough different signers stand behind the artifact."""

    signed_by: tuple[SignedBy, ...]
