"""Checkpoints: a log's signed word on how large its tree is and what its root hash is.

https://github.com/C2SP/C2SP/blob/main/signed-note.md and tlog-checkpoint.md.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aegis.core.errors import Refused
from aegis.signatures.encoding import base64_bytes
from aegis.signatures.refusal import refused
from aegis.signatures.sct import log_signature_holds
from aegis.signatures.trusted_root import Log

_MAX = 16_384
"""Characters: a checkpoint with a dozen witnesses has 2000."""
_MAX_SIGNATURES = 100
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile("— ([^ +\n]+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    text: str
    """What is signed, with its last line feed."""
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes], ...]
    """Names, and key hints with signatures."""


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
        return hashlib.sha256(name.encode() + b"\n\x01" + log.key.spki[-32:]).digest()[:4]
    return log.checkpoint_id[:4]


def _parse(envelope: str) -> _Checkpoint:
    if len(envelope) > _MAX:
        raise _wrong(f"has {len(envelope)} characters", f"at most {_MAX}")
    text, blank, signatures = envelope.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]) or not signatures.endswith("\n"):
        raise _wrong("is no signed note", "origin, size, root hash, and signatures")
    found = []
    for line in signatures[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise _wrong("has a line that is no signature", "an em dash, a name and base64")
        found.append((match[1], _data(match[2])))
    if len(found) > _MAX_SIGNATURES:
        raise _wrong(f"has {len(found)} signatures", f"at most {_MAX_SIGNATURES}")
    return _Checkpoint(text + "\n", lines[0], int(lines[1]), _data(lines[2]), tuple(found))


def _data(text: str) -> bytes:
    try:
        return base64_bytes(text)
    except ValueError as error:
        raise _wrong("has a value that is not canonical base64", "standard base64 with padding") from error


def _wrong(problem: str, expected: str) -> Refused:
    return refused("verify.checkpoint_invalid", f"the log's checkpoint {problem}", expected=expected)
