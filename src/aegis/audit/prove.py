"""Proofs out of a log: that an entry is in it, and that it is the continuation of an older one (RFC 6962 2.1).

Reads a few tiles, whatever the size of the log.
"""

from __future__ import annotations

from itertools import islice

from aegis.audit.bundle import entries_of
from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.faults import proof_invalid, unavailable
from aegis.audit.keys import Verifier
from aegis.audit.log import Source
from aegis.audit.paths import CHECKPOINT, WIDTH
from aegis.audit.proof import verify_proof, write_proof
from aegis.audit.tree import read_bundle, read_tile, tile_root
from aegis.core.errors import Refused
from aegis.core.merkle import HASH_BYTES, hash_children
from aegis.core.note import Checkpoint


def head_of(source: Source, verifier: Verifier) -> tuple[bytes, Checkpoint]:
    """The log's own checkpoint, as it lies there and as the key signed it.

    Raises `audit.unavailable` where there is none, refuses with `audit.checkpoint_invalid`.
    """
    note = source.read(CHECKPOINT)
    if note is None:
        raise unavailable("the log has no checkpoint")
    return note, open_checkpoint(note, verifier)


def inclusion(source: Source, *, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]): the hashes from the leaf's sibling up. Refuses with `audit.proof_invalid`."""
    if not 0 <= index < size:
        raise proof_invalid(f"the index {index}", expected=f"one of a log of {size} entries")
    return _path(_Nodes(source, size), index, 0, size)


def consistency(source: Source, *, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]): that the first `old` entries are the same. Refuses with `audit.proof_invalid`."""
    if not 0 <= old <= new:
        raise proof_invalid(f"the size {old}", expected=f"at most {new}")
    if old in (0, new):
        return []
    return _subproof(_Nodes(source, new), old, 0, new, whole=True)


def read_entry(source: Source, *, index: int, size: int) -> bytes:
    """The entry's bytes. `size` is the checkpoint's. Raises `audit.unavailable`."""
    number, place = divmod(index, WIDTH)
    data = read_bundle(source, number, min(size - number * WIDTH, WIDTH))
    short = unavailable(f"the bundle {number} ends before the entry {index}")
    try:
        entry = next(islice(entries_of(data), place, None), None)
    except Refused as error:
        raise short from error
    if entry is None:
        raise short
    return entry


def prove(source: Source, verifier: Verifier, index: int) -> bytes:
    """A `.tlog-proof` of the entry at this index under the log's own checkpoint, checked before it is given.

    Refuses with `audit.proof_invalid` (also where the entry that lies there is not the one of the tree) or
    `audit.checkpoint_invalid`; raises `audit.unavailable`.
    """
    note, head = head_of(source, verifier)
    proof = write_proof(index, inclusion(source, index=index, size=head.size), note)
    verify_proof(proof, read_entry(source, index=index, size=head.size), verifier)
    return proof


class _Nodes:
    """Subtrees of a log by their leaves, each tile read once."""

    def __init__(self, source: Source, size: int) -> None:
        self._source, self._size = source, size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        count = end - start
        if count & (count - 1) == 0 and not start % count:
            return self._complete(start, count)
        split = start + _split(count)
        return hash_children(self.root(start, split), self.root(split, end))

    def _complete(self, start: int, count: int) -> bytes:
        level = (count.bit_length() - 1) // 8
        unit = 1 << 8 * level
        number, place = divmod(start // unit, WIDTH)
        tile = self._tile(level, number)
        return tile_root(tile[place * HASH_BYTES : (place + count // unit) * HASH_BYTES])

    def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._tiles:
            width = min((self._size >> 8 * level) - number * WIDTH, WIDTH)
            self._tiles[level, number] = read_tile(self._source, level, number, width)
        return self._tiles[level, number]


def _path(nodes: _Nodes, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    split = start + _split(end - start)
    if index < split:
        return [*_path(nodes, index, start, split), nodes.root(split, end)]
    return [*_path(nodes, index, split, end), nodes.root(start, split)]


def _subproof(nodes: _Nodes, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [nodes.root(start, end)]
    split = start + _split(end - start)
    if old <= split:
        return [*_subproof(nodes, old, start, split, whole=whole), nodes.root(split, end)]
    return [*_subproof(nodes, old, split, end, whole=False), nodes.root(start, split)]


def _split(count: int) -> int:
    """The largest power of two that is smaller than `count`."""
    return int(1 << (count - 1).bit_length() - 1)
