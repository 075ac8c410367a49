"""New entries on top of a log: its tree, and the tiles and bundles that they make."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from aegis.audit.bundle import entries_of, framed
from aegis.audit.faults import unavailable
from aegis.audit.log import Source
from aegis.audit.paths import WIDTH, bundle_path, tile_path
from aegis.audit.tree import Tree, load_tree, read_bundle
from aegis.core.errors import Refused
from aegis.core.merkle import HASH_BYTES, hash_leaf


class Growth:
    """The end of a log, kept in memory until its resources are written."""

    def __init__(self, tree: Tree | None = None, tail: bytes = b"") -> None:
        """`tail` is the bundle that is not full yet."""
        self.tree = tree or Tree()
        self._tail = bytearray(tail)
        self._full: list[tuple[int, bytes]] = []

    def add(self, entry: bytes) -> bytes:
        """Take one more entry; its leaf hash."""
        leaf = hash_leaf(entry)
        self._tail += framed(entry)
        self.tree.add(leaf)
        if not self.tree.size % WIDTH:
            self._full.append((self.tree.size // WIDTH - 1, bytes(self._tail)))
            self._tail.clear()
        return leaf

    def resources(self) -> Iterator[tuple[str, bytes]]:
        """All that a checkpoint of this size needs and that was not there when this was loaded; paths and contents."""
        for number, bundle in self._full:
            yield bundle_path(number), bundle
        for level, number, tile in self.tree.full:
            yield tile_path(level, number), tile
        if self._tail:
            yield bundle_path(self.tree.size // WIDTH, self.tree.size % WIDTH), bytes(self._tail)
        for level, number, tile in self.tree.partial():
            yield tile_path(level, number, len(tile) // HASH_BYTES), tile

    def written(self) -> None:
        """Forget what is full: it was stored."""
        self._full.clear()
        self.tree.full.clear()


def load_growth(source: Source, size: int, root: bytes) -> Growth:
    """The end of the log of this size. Raises `audit.unavailable` where it is not the one with this root hash."""
    tree = load_tree(source, size)
    if tree.root() != root:
        raise unavailable(f"the tiles do not lead to the root hash of the {size} entries that the checkpoint names")
    width = size % WIDTH
    try:
        tail = _tail(source, size // WIDTH, width) if width else b""
        leaves = b"".join(map(hash_leaf, entries_of(tail)))
    except Refused as error:
        raise unavailable(f"the last bundle: {error.problem}") from error
    if leaves != bytes(tree.tails[0]):
        raise unavailable("the last bundle holds other entries than the tree")
    return Growth(tree, tail)


def _tail(source: Source, number: int, width: int) -> bytes:
    """A partial bundle with all that stands in it; the beginning of the full one where that has replaced it."""
    found = source.read(bundle_path(number, width))
    if found is not None:
        return found
    return b"".join(map(framed, islice(entries_of(read_bundle(source, number)), width)))
