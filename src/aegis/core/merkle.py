"""Merkle trees as RFC 6962 2.1 defines them: hashes, and the checks of both proofs (RFC 9162 2.1.3 and 2.1.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256().digest()
"""The root hash of a tree without leaves."""
HASH_BYTES = 32


def hash_leaf(data: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """The hash of a node with two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def hash_pair(children: bytes) -> bytes:
    """As `hash_children`, of both one after the other."""
    return hashlib.sha256(b"\x01" + children).digest()


def root_of_proof(body: bytes, *, index: int, size: int, hashes: Sequence[bytes]) -> bytes | None:
    """The root hash of a tree of `size` leaves with `body` as leaf `index`; None when the proof fits no such tree."""
    return root_of_leaf(hash_leaf(body), index=index, size=size, hashes=hashes)


def root_of_leaf(leaf: bytes, *, index: int, size: int, hashes: Sequence[bytes]) -> bytes | None:
    """As `root_of_proof`, for a leaf's hash."""
    if not 0 <= index < size:
        return None
    # The names of RFC 9162: the number of this node and of the last one, in the level that is climbed.
    fn, sn = index, size - 1
    found = leaf
    for sibling in hashes:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            found = hash_children(sibling, found)
            # The last node of a level without a sibling moves up as it is.
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = hash_children(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return found if sn == 0 else None


def is_consistent(*, old: int, old_root: bytes, new: int, new_root: bytes, hashes: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `old` leaves is the beginning of the tree of `new` leaves."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        # Any tree begins with nothing, and each with itself: there is nothing to prove.
        return not hashes and old_root == (EMPTY_ROOT if old == 0 else new_root) and (new > 0 or new_root == EMPTY_ROOT)
    # A tree that fills its half is a node of the new one, and is not sent again.
    path = [old_root, *hashes] if old & (old - 1) == 0 else list(hashes)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = hash_children(sibling, first), hash_children(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = hash_children(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root
