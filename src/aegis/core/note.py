"""Checkpoints: a log's signed word on how large its tree is and what its root hash is; how they are written.

https://github.com/C2SP/C2SP/blob/main/signed-note.md and tlog-checkpoint.md. Who signed, and whether that holds, is
checked by the rooms that know the keys.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from aegis.core.encoding import base64_bytes

MAX_CHARACTERS = 16_384
"""Of a note: a checkpoint with a dozen witnesses has 2000."""
MAX_SIGNATURES = 100
ED25519 = b"\x01"
"""The signature type of plain Ed25519 keys."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile("— ([^ +\n]+) ([A-Za-z0-9+/=]+)")


class NoteError(ValueError):
    """Its text goes on after the name of what was read; `expected` says what would have been right."""

    def __init__(self, problem: str, expected: str) -> None:
        """Both for people."""
        super().__init__(problem)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed note with a tree's head, of which nothing is believed yet."""

    text: str
    """What is signed, with its last line feed."""
    origin: str
    size: int
    """Leaves."""
    root: bytes
    signatures: tuple[tuple[str, bytes], ...]
    """Names, and key ids (4 bytes) with signatures."""


def parse_checkpoint(envelope: str) -> Checkpoint:
    """Read a checkpoint in its only spelling. Raises NoteError."""
    if len(envelope) > MAX_CHARACTERS:
        raise NoteError(f"has {len(envelope)} characters", f"at most {MAX_CHARACTERS}")
    text, blank, signatures = envelope.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]) or not signatures.endswith("\n"):
        raise NoteError("is no signed note", "origin, size, root hash, and signatures")
    found = []
    for line in signatures[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise NoteError("has a line that is no signature", "an em dash, a name and base64")
        found.append((match[1], _data(match[2])))
    if len(found) > MAX_SIGNATURES:
        raise NoteError(f"has {len(found)} signatures", f"at most {MAX_SIGNATURES}")
    return Checkpoint(text + "\n", lines[0], int(lines[1]), _data(lines[2]), tuple(found))


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """What a log signs."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed_note(text: str, signatures: Iterable[tuple[str, bytes]]) -> str:
    """A text with its signatures: names, and key ids with signatures."""
    lines = "".join(f"— {name} {base64.b64encode(blob).decode()}\n" for name, blob in signatures)
    return f"{text}\n{lines}"


def ed25519_key_id(name: str, public: bytes) -> bytes:
    """Four bytes made from the name and the raw public key, so that the key is of this log only."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def _data(text: str) -> bytes:
    try:
        return base64_bytes(text)
    except ValueError as error:
        raise NoteError("has a value that is not canonical base64", "standard base64 with padding") from error
