"""Reading signatures: Sigstore bundles v0.1 to v0.3, cosign's older `.bundle`, and bare base64 (`.sig`).

The formats: github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto and sigstore_rekor.proto;
cosign's pkg/cosign/fetch.go (`LocalSignedPayload`) and pkg/cosign/bundle/rekor.go.

Each file is one format by what it says of itself, never by what happens to parse: a broken bundle is not tried again
as something older that proves less.
"""

from __future__ import annotations

from typing import Any

from aegis.signatures import strict_json
from aegis.signatures.formats import cosign as cosign_formats
from aegis.signatures.formats.protojson import Message
from aegis.signatures.shown import shown
from aegis.signatures.strict_json import malformed
from aegis.signatures.types import Bundle, Envelope, Format, MessageSignature

MAX_LOG_ENTRIES = 32
MAX_TIMESTAMPS = 32
"""The limits of sigstore-go (`internal/limits`): each costs its reader a signature check (GHSA-cq38-jh5f-37mq)."""
MAX_CERTIFICATES = 10
"""Chains have two or three."""
_MAX_PROOF = 64
"""Hashes of an inclusion proof: a tree of 2^63 leaves has no longer path (RFC 6962 2.1.1)."""

_MEDIA_TYPES: dict[str, Format] = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": "sigstore-bundle-v0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2": "sigstore-bundle-v0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3": "sigstore-bundle-v0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "sigstore-bundle-v0.3",
}
"""All that sigstore_bundle.proto asks clients to take."""

_HASHES = {"SHA2_256": ("sha256", 32), "SHA2_384": ("sha384", 48), "SHA2_512": ("sha512", 64)}
"""sigstore_common.proto `HashAlgorithm`, with lengths in bytes; no signer that is taken here uses SHA-3."""

_MATERIALS = ("publicKey", "x509CertificateChain", "certificate")
_ENTRY = (
    "logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof", "canonicalizedBody",
)  # fmt: skip


def parse_bundle(data: bytes, *, name: str, limit: int = strict_json.MAX_BYTES) -> Bundle:
    """The one signature in `data`; nothing of it is believed yet.

    `name` is the file's, for people; `limit` is in bytes, for bundles that hold the manifest of a large model. Refuses
    with `verify.bundle_malformed` or `verify.bundle_too_large`.
    """
    what = f"the signature {shown(name)}"
    strict_json.check_size(data, what=what, limit=limit)
    if not data.strip():
        raise malformed(what, "is empty", expected="a signature")
    if not data.lstrip(b" \t\r\n").startswith(b"{"):
        return cosign_formats.bare_signature(data, what=what)
    document: dict[str, Any] = strict_json.parse(data, what=what, limit=limit)
    message = Message(document, what)
    if "base64Signature" in document:
        return cosign_formats.older_bundle(message)
    return _sigstore_bundle(message)


def _sigstore_bundle(bundle: Message) -> Bundle:
    media_type = bundle.text("mediaType")
    if media_type not in _MEDIA_TYPES:
        raise malformed(
            bundle.what,
            f"has the mediaType {shown(media_type)}" if media_type else "has no mediaType",
            expected=", ".join(_MEDIA_TYPES),
        )
    form = _MEDIA_TYPES[media_type]
    bundle.only("mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope")
    material = bundle.message("verificationMaterial", *_MATERIALS, "tlogEntries", "timestampVerificationData")
    entries = tuple(_entry(item) for item in material.messages("tlogEntries", *_ENTRY, most=MAX_LOG_ENTRIES))
    _check_entries(bundle.what, form, material, entries)
    stamps = material.message("timestampVerificationData", "rfc3161Timestamps")
    return Bundle(
        format=form,
        content=_content(bundle),
        certificates=_certificates(material),
        key_hint=material.message("publicKey", "hint").text("hint") if material.has("publicKey") else None,
        log_entries=entries,
        timestamps=tuple(
            item.required_data("signedTimestamp")
            for item in stamps.messages("rfc3161Timestamps", "signedTimestamp", most=MAX_TIMESTAMPS)
        ),
    )


def _content(bundle: Message) -> MessageSignature | Envelope:
    """Exactly one of the two: with both, one reader would check the file and another the attestation."""
    if bundle.has("messageSignature") == bundle.has("dsseEnvelope"):
        count = "both messageSignature and dsseEnvelope" if bundle.has("dsseEnvelope") else "no signature"
        raise malformed(bundle.what, f"has {count}", expected="exactly one of messageSignature and dsseEnvelope")
    if bundle.has("messageSignature"):
        return _message_signature(bundle.message("messageSignature", "messageDigest", "signature"))
    envelope = bundle.message("dsseEnvelope", "payload", "payloadType", "signatures")
    signatures = envelope.messages("signatures", "sig", "keyid", most=1)
    if not signatures:
        raise malformed(bundle.what, "has no signature in its envelope", expected="exactly one")
    signatures[0].text("keyid")
    if not envelope.text("payloadType"):
        raise envelope.wrong("payloadType", "the type of the payload")
    return Envelope(
        payload_type=envelope.text("payloadType"),
        payload=envelope.data("payload"),
        signature=signatures[0].required_data("sig"),
    )


def _message_signature(message: Message) -> MessageSignature:
    digest = message.message("messageDigest", "algorithm", "digest")
    signature = message.required_data("signature")
    algorithm = digest.text("algorithm")
    if algorithm in {"", "HASH_ALGORITHM_UNSPECIFIED"}:
        if digest.has("digest"):
            raise digest.wrong("algorithm", "the algorithm of the digest")
        return MessageSignature(signature)
    if algorithm not in _HASHES:
        raise digest.wrong("algorithm", ", ".join(_HASHES))
    name, size = _HASHES[algorithm]
    value = digest.data("digest")
    if len(value) != size:
        raise digest.wrong("digest", f"{size} bytes, as {algorithm} has")
    return MessageSignature(signature, name, value)


def _certificates(material: Message) -> tuple[bytes, ...]:
    given = [name for name in _MATERIALS if material.has(name)]
    if len(given) != 1:
        raise malformed(
            material.what,
            f"has {' and '.join(given) or 'nothing'} to verify it with",
            expected="exactly one of " + ", ".join(_MATERIALS),
        )
    if given == ["certificate"]:
        return (material.message("certificate", "rawBytes").required_data("rawBytes"),)
    if given == ["publicKey"]:
        return ()
    chain = material.message("x509CertificateChain", "certificates")
    found = chain.messages("certificates", "rawBytes", most=MAX_CERTIFICATES)
    if not found:
        raise chain.wrong("certificates", "at least one certificate")
    return tuple(item.required_data("rawBytes") for item in found)


def _check_entries(what: str, form: Format, material: Message, entries: tuple[dict[str, Any], ...]) -> None:
    """What sigstore_bundle.proto asks of each version; sigstore-go and so cosign check the same."""
    if not entries:
        return
    needed = "inclusionPromise" if form == "sigstore-bundle-v0.1" else "inclusionProof"
    if not all(needed in entry for entry in entries):
        raise malformed(what, f"has a log entry without {needed}", expected=f"{needed} in a {form[9:]}")
    if form == "sigstore-bundle-v0.3" and material.has("x509CertificateChain"):
        raise malformed(
            what,
            "has a certificate chain and a log entry",
            expected="a single certificate, as keyless v0.3 bundles have",
        )


def _entry(entry: Message) -> dict[str, Any]:
    """A TransparencyLogEntry in canonical protojson: defaults filled in, messages that are absent left out."""
    log, kind = entry.message("logId", "keyId"), entry.message("kindVersion", "kind", "version")
    log.required_data("keyId")
    entry.required_data("canonicalizedBody")
    value: dict[str, Any] = {
        "logIndex": str(entry.number("logIndex")),
        "logId": {"keyId": log.text("keyId")},
        "kindVersion": {"kind": kind.text("kind"), "version": kind.text("version")},
        "integratedTime": str(entry.number("integratedTime")),
        "canonicalizedBody": entry.text("canonicalizedBody"),
    }
    if entry.has("inclusionPromise"):
        promise = entry.message("inclusionPromise", "signedEntryTimestamp")
        promise.required_data("signedEntryTimestamp")
        value["inclusionPromise"] = {"signedEntryTimestamp": promise.text("signedEntryTimestamp")}
    if entry.has("inclusionProof"):
        proof = entry.message("inclusionProof", "logIndex", "rootHash", "treeSize", "hashes", "checkpoint")
        proof.required_data("rootHash")
        proof.list_of_data("hashes", most=_MAX_PROOF)
        value["inclusionProof"] = {
            "logIndex": str(proof.number("logIndex")),
            "rootHash": proof.text("rootHash"),
            "treeSize": str(proof.number("treeSize")),
            "hashes": list(proof.fields.get("hashes") or ()),
            "checkpoint": {"envelope": proof.message("checkpoint", "envelope").text("envelope")},
        }
    return value
