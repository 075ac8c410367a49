"""A Merkle tree as RFC 6962 2.1 defines it, by its definition: slow and short."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of leaf hashes, of which there is at least one."""
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return hashlib.sha256(b"\1" + root_hash(leaves[:split]) + root_hash(leaves[split:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), from the leaf's neighbour up."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*path(index, leaves[:split]), root_hash(leaves[split:])]
    return [*path(index - split, leaves[split:]), root_hash(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`."""
    return int(1 << (size - 1).bit_length() - 1)
