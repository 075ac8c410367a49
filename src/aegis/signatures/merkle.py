"""Inclusion proofs of Merkle trees (RFC 6962 2.1.1, checked as RFC 9162 2.1.3.2 says)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def root_of_proof(body: bytes, *, index: int, size: int, hashes: Sequence[bytes]) -> bytes | None:
    """The root hash of a tree of `size` leaves with `body` as leaf `index`; None when the proof fits no such tree."""
    if not 0 <= index < size:
        return None
    # The names of RFC 9162: the number of this node and of the last one, in the level that is climbed.
    fn, sn = index, size - 1
    found = hashlib.sha256(b"\x00" + body).digest()
    for sibling in hashes:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            found = hashlib.sha256(b"\x01" + sibling + found).digest()
            # The last node of a level without a sibling moves up as it is.
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + sibling).digest()
        fn, sn = fn >> 1, sn >> 1
    return found if sn == 0 else None
