"""What cosign wrote before there were bundles: base64 alone (`.sig`), and a JSON file of its own (`.bundle`).

Neither says which key or what digest; `.sig` proves no time either. cosign's sources: pkg/cosign/fetch.go
(`LocalSignedPayload`), pkg/cosign/bundle/rekor.go (`RekorBundle`), cmd/cosign/cli/sign/sign_blob.go.
"""

from __future__ import annotations

import base64
from typing import Any

from aegis.core.encoding import base64_bytes, pem_block
from aegis.signatures import strict_json
from aegis.signatures.formats.protojson import Message
from aegis.signatures.strict_json import malformed
from aegis.signatures.types import Bundle, MessageSignature

_MAX_BARE = 2048
"""Bytes of a `.sig`: an RSA signature of 8192 bits has 1368 in base64."""


def bare_signature(data: bytes, *, what: str) -> Bundle:
    """Base64 of one signature, with at most one line feed after it."""
    if len(data) > _MAX_BARE:
        raise malformed(what, f"is no JSON and has {len(data)} bytes", expected="a bundle, or base64 of one signature")
    try:
        signature = base64_bytes(data.decode("ascii").removesuffix("\n"))
    except ValueError as error:
        raise malformed(
            what, "is neither JSON nor base64 of a signature", expected="a bundle, or canonical base64 (RFC 4648)"
        ) from error
    return Bundle(format="cosign-sig", content=MessageSignature(signature))


def older_bundle(bundle: Message) -> Bundle:
    """`{"base64Signature", "cert", "rekorBundle"}`."""
    bundle.only("base64Signature", "cert", "rekorBundle")
    entries = (_entry(bundle),) if bundle.has("rekorBundle") else ()
    return Bundle(
        format="cosign-bundle",
        content=MessageSignature(bundle.required_data("base64Signature")),
        certificates=_certificates(bundle),
        log_entries=entries,
    )


def _certificates(bundle: Message) -> tuple[bytes, ...]:
    """The certificate in `cert`: PEM, or base64 of PEM. A public key there is left out: it proves nothing."""
    text = bundle.text("cert")
    if not text:
        return ()
    try:
        label, der = pem_block(text if "-----" in text else base64_bytes(text).decode("ascii"))
    except ValueError as error:
        raise bundle.wrong("cert", "one PEM certificate or public key, or base64 of it") from error
    if label not in {"CERTIFICATE", "PUBLIC KEY"}:
        raise bundle.wrong("cert", "a CERTIFICATE or PUBLIC KEY")
    return (der,) if label == "CERTIFICATE" else ()


def _entry(bundle: Message) -> dict[str, Any]:
    """The log entry, in the form that newer bundles have. It has a promise and no proof."""
    rekor = bundle.message("rekorBundle", "SignedEntryTimestamp", "Payload")
    payload = rekor.message("Payload", "body", "integratedTime", "logIndex", "logID")
    rekor.required_data("SignedEntryTimestamp")
    body = strict_json.parse(payload.required_data("body"), what=f"the log entry of {bundle.what}")
    kind, version = (body.get(name) if isinstance(body, dict) else None for name in ("kind", "apiVersion"))
    if not isinstance(kind, str) or not isinstance(version, str):
        raise payload.wrong("body", "an entry of Rekor with kind and apiVersion")
    try:
        log = bytes.fromhex(payload.text("logID"))
    except ValueError:
        log = b""
    if log.hex() != payload.text("logID") or not log:
        raise payload.wrong("logID", "the log's key id in lowercase hex")
    return {
        "logIndex": str(payload.number("logIndex")),
        "logId": {"keyId": base64.b64encode(log).decode()},
        "kindVersion": {"kind": kind, "version": version},
        "integratedTime": str(payload.number("integratedTime")),
        "inclusionPromise": {"signedEntryTimestamp": rekor.text("SignedEntryTimestamp")},
        "canonicalizedBody": payload.text("body"),
    }
