"""A proof that an entry is in a log, for those who have neither the log nor a network.

C2SP tlog-proof (https://github.com/C2SP/C2SP/blob/main/tlog-proof.md), a text with the extension `.tlog-proof`: the
entry's index, its inclusion proof, and the signed checkpoint that it leads to.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.faults import proof_invalid
from aegis.audit.keys import Verifier
from aegis.core.encoding import base64_bytes
from aegis.core.merkle import HASH_BYTES, root_of_proof
from aegis.core.note import Checkpoint

_FIRST = "c2sp.org/tlog-proof@v1"
_MAX = 65_536
"""Bytes: 64 hashes and a checkpoint with many witnesses have 20,000."""
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_EXTRA = "extra "


@dataclass(frozen=True, slots=True)
class Proof:
    """What the text says, of which nothing is believed yet."""

    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up."""
    checkpoint: bytes


def write_proof(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The text."""
    lines = [_FIRST, f"index {index}", *(base64.b64encode(each).decode() for each in hashes)]
    return "\n".join(lines).encode() + b"\n\n" + checkpoint


def parse_proof(data: bytes) -> Proof:
    """Read the text. Refuses with `audit.proof_invalid`."""
    expected = f"the lines {_FIRST!r}, `index N`, hashes, an empty line, and a checkpoint"
    if len(data) > _MAX:
        raise proof_invalid(f"the proof has {len(data)} bytes", expected=f"at most {_MAX}")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise proof_invalid(f"the proof is not ASCII at byte {error.start}", expected=expected) from error
    if not blank or lines.pop(0) != _FIRST:
        raise proof_invalid("the proof does not begin as one", expected=expected)
    if lines and lines[0].startswith(_EXTRA):
        _hash_or_data(lines.pop(0).removeprefix(_EXTRA))
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise proof_invalid("the proof has no index", expected=expected)
    hashes = tuple(_hash_or_data(line) for line in lines)
    if len(hashes) > 64 or any(len(each) != HASH_BYTES for each in hashes):
        raise proof_invalid("the proof has lines that are no hashes", expected="at most 64 of 32 bytes")
    return Proof(int(index[1]), hashes, checkpoint)


def verify_proof(data: bytes, entry: bytes, verifier: Verifier) -> Checkpoint:
    """The checkpoint under which the entry is proven to be at the proof's index.

    Refuses with `audit.proof_invalid` or `audit.checkpoint_invalid`.
    """
    proof = parse_proof(data)
    head = open_checkpoint(proof.checkpoint, verifier)
    root = root_of_proof(entry, index=proof.index, size=head.size, hashes=proof.hashes)
    if root != head.root:
        raise proof_invalid(
            f"the proof does not lead from the entry at {proof.index} to the log's root hash",
            expected=f"the root {head.root.hex()} of {head.size} entries",
        )
    return head


def _hash_or_data(line: str) -> bytes:
    try:
        return base64_bytes(line)
    except ValueError as error:
        raise proof_invalid("the proof has a line that is not canonical base64", expected="standard base64") from error
