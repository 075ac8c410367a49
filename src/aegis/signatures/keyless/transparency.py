"""Entries of transparency logs: that a log which is believed holds them, and since when (RFC 6962 2.1, Rekor).

An inclusion proof with a signed checkpoint shows that the log holds the entry. Rekor v1 also promises it, in a signed
entry timestamp; that signature alone makes its integrated time a proven one.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.encoding import base64_bytes
from aegis.core.merkle import root_of_proof
from aegis.signatures.keyless.checkpoint import check_checkpoint
from aegis.signatures.keyless.sct import log_signature_holds
from aegis.signatures.keyless.trusted_root import Log
from aegis.signatures.refusal import refused, refusing

_PROMISED = {("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2")}
"""Kinds of Rekor v1; v2 knows no promises."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof."""

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a transparency log."""

    index: int
    key_id: bytes
    kind: str
    version: str
    integrated: int
    """Seconds since 1970; 0 where there is none."""
    body: bytes
    promise: bytes | None
    proof: Proof | None

    @property
    def tiled(self) -> bool:
        """Whether it is of Rekor v2."""
        return (self.kind, self.version) not in _PROMISED


@dataclass(frozen=True, slots=True)
class Held:
    """An entry that a log holds."""

    entry: Entry
    log: Log
    at: datetime.datetime | None
    """The time that its promise proves."""


def read_entry(entry: Mapping[str, Any]) -> Entry:
    """The entry as `aegis.signatures.formats.bundle` gives it. Refuses with `verify.bundle_malformed`."""
    with refusing("verify.bundle_malformed", "a log entry cannot be read", expected="a TransparencyLogEntry"):
        promise, proof = entry.get("inclusionPromise"), entry.get("inclusionProof")
        return Entry(
            index=int(entry["logIndex"]),
            key_id=base64_bytes(entry["logId"]["keyId"]),
            kind=entry["kindVersion"]["kind"],
            version=entry["kindVersion"]["version"],
            integrated=int(entry["integratedTime"]),
            body=base64_bytes(entry["canonicalizedBody"]),
            promise=base64_bytes(promise["signedEntryTimestamp"]) if promise else None,
            proof=_proof(proof) if proof else None,
        )


def check_held(entry: Entry, log: Log) -> Held:
    """Whether `log` holds the entry, and since when.

    Refuses with `verify.log_entry_missing`, `verify.log_promise_invalid`, `verify.log_proof_invalid` or
    `verify.checkpoint_invalid`.
    """
    if entry.proof is None and (entry.promise is None or entry.tiled):
        raise refused(
            "verify.log_entry_missing",
            "the log entry comes without proof that a log holds it",
            expected="an inclusion proof, or in old formats a signed entry timestamp",
        )
    at = _promised(entry, log) if entry.promise is not None else None
    if entry.proof is not None:
        _check_proof(entry, entry.proof, log)
    return Held(entry, log, at)


def _promised(entry: Entry, log: Log) -> datetime.datetime:
    """The integrated time, as the log has signed it (Rekor's `pkg/verify`, `VerifySignedEntryTimestamp`)."""
    if entry.tiled or not 0 < entry.integrated < 2**40:
        raise refused(
            "verify.log_promise_invalid",
            "the log's promise is of an entry that has none",
            expected="a Rekor v1 entry with its integrated time",
        )
    signed = json.dumps(
        {
            "body": base64.b64encode(entry.body).decode(),
            "integratedTime": entry.integrated,
            "logID": entry.key_id.hex(),
            "logIndex": entry.index,
        },
        separators=(",", ":"),
    )
    if not log_signature_holds(log, entry.promise or b"", signed.encode()):
        raise refused(
            "verify.log_promise_invalid",
            "the log's promise does not hold",
            expected="a signed entry timestamp of this entry, by its log",
        )
    with refusing("verify.log_promise_invalid", "the integrated time is no time", expected="seconds since 1970"):
        return datetime.datetime.fromtimestamp(entry.integrated, datetime.UTC)


def _check_proof(entry: Entry, proof: Proof, log: Log) -> None:
    expected = "a proof that leads from this entry to the log's root (RFC 6962 2.1.1)"
    # Rekor v1 counts over all its trees, v2 has one.
    if entry.tiled and entry.index != proof.index:
        raise refused(
            "verify.log_proof_invalid",
            f"the entry is number {entry.index} and its proof is of leaf {proof.index}",
            expected="one number for both",
        )
    if root_of_proof(entry.body, index=proof.index, size=proof.size, hashes=proof.hashes) != proof.root:
        raise refused("verify.log_proof_invalid", "the log's proof does not hold", expected=expected)
    check_checkpoint(proof.checkpoint, log, size=proof.size, root=proof.root, tiled=entry.tiled)


def _proof(proof: Mapping[str, Any]) -> Proof:
    return Proof(
        index=int(proof["logIndex"]),
        size=int(proof["treeSize"]),
        root=base64_bytes(proof["rootHash"]),
        hashes=tuple(base64_bytes(each) for each in proof["hashes"]),
        checkpoint=proof["checkpoint"]["envelope"],
    )
