"""Checkpoints: a log's signed word on how large its tree is and what its root hash is.

https://github.com/C2SP/C2SP/blob/main/signed-note.md and tlog-checkpoint.md.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aegis.core.errors import Refused
from aegis.core.note import Checkpoint, NoteError, ed25519_key_id, parse_checkpoint
from aegis.signatures.keyless.sct import log_signature_holds
from aegis.signatures.keyless.trusted_root import Log
from aegis.signatures.refusal import refused


def check_checkpoint(envelope: str, log: Log, *, size: int, root: bytes, tiled: bool) -> None:
    """Whether `log` has signed that its tree has `size` leaves and this root hash.

    `tiled` is for Rekor v2, whose origin is its host; Rekor v1 adds the tree's id to its name. Refuses with
    `verify.checkpoint_invalid`.
    """
    found = _parse(envelope)
    if (found.size, found.root) != (size, root):
        raise _wrong(
            f"is of a tree of {found.size} leaves with the root {found.root.hex()}",
            f"{size} leaves and the root {root.hex()}, as the proof says",
        )
    name = found.origin if tiled else found.origin.rpartition(" - ")[0]
    if tiled and name != urlsplit(log.url).hostname:
        raise _wrong(f"is of {name[:80]!a}", f"the origin {urlsplit(log.url).hostname!a}")
    signed = found.text.encode()
    for signer, blob in found.signatures:
        if signer == name and blob[:4] == _hint(log, name) and log_signature_holds(log, blob[4:], signed):
            return
    raise _wrong("is not signed by its log", f"a signature by the log {log.key_id.hex()}")


def _hint(log: Log, name: str) -> bytes:
    """The key's id; that of an Ed25519 key is made from the origin, so it is of this log only."""
    if log.key.kind == "ed25519":
        return ed25519_key_id(name, log.key.spki[-32:])
    return log.checkpoint_id[:4]


def _parse(envelope: str) -> Checkpoint:
    try:
        return parse_checkpoint(envelope)
    except NoteError as error:
        raise _wrong(str(error), error.expected) from error


def _wrong(problem: str, expected: str) -> Refused:
    return refused("verify.checkpoint_invalid", f"the log's checkpoint {problem}", expected=expected)
