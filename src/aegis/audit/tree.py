"""A log's Merkle tree as far as it is needed to grow: constant space for any number of entries."""

from __future__ import annotations

from dataclasses import dataclass, field

from aegis.audit.faults import unavailable
from aegis.audit.log import Source
from aegis.audit.paths import WIDTH, bundle_path, tile_path
from aegis.core.merkle import EMPTY_ROOT, HASH_BYTES, hash_children, hash_pair

_TILE_HEIGHT = 8
_TILE_BYTES = WIDTH * HASH_BYTES


@dataclass(slots=True)
class Tree:
    """The rightmost nodes (RFC 6962 2.1) and the rightmost tiles."""

    size: int = 0
    """Leaves."""
    tails: list[bytearray] = field(default_factory=lambda: [bytearray()])
    """The partial tile of each level, empty where the last one is full."""
    full: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Tiles that have become full, as level, number and hashes; whoever stores them takes them out."""
    _nodes: list[bytes] = field(default_factory=list)
    """By height: the root of the complete subtree, of use where that bit of `size` is set."""
    _root: bytes = b""
    """Of `size` leaves, once somebody has asked."""

    def add(self, leaf: bytes) -> None:
        """Take one more leaf hash."""
        self._tile(0, leaf)
        node, height, size = leaf, 0, self.size
        while size >> height & 1:
            node = hash_children(self._nodes[height], node)
            height += 1
            if not height % _TILE_HEIGHT:
                self._tile(height // _TILE_HEIGHT, node)
        if height == len(self._nodes):
            self._nodes.append(node)
        else:
            self._nodes[height] = node
        self.size = size + 1
        self._root = b""

    def root(self) -> bytes:
        """Of all leaves so far."""
        if not self._root:
            found = b""
            for height, node in enumerate(self._nodes):
                if self.size >> height & 1:
                    found = hash_children(node, found) if found else node
            self._root = found or EMPTY_ROOT
        return self._root

    def partial(self) -> list[tuple[int, int, bytes]]:
        """The partial tiles that a checkpoint of this size needs, as level, number and hashes."""
        return [
            (level, (self.size >> _TILE_HEIGHT * level) // WIDTH, bytes(tail))
            for level, tail in enumerate(self.tails)
            if tail
        ]

    def _tile(self, level: int, node: bytes) -> None:
        if level == len(self.tails):
            self.tails.append(bytearray())
        tail = self.tails[level]
        tail += node
        if len(tail) == _TILE_BYTES:
            # `size` does not count the leaf that is being added.
            self.full.append((level, self.size >> _TILE_HEIGHT * (level + 1), bytes(tail)))
            tail.clear()


def tile_root(hashes: bytes) -> bytes:
    """The root of a tile's hashes, a power of two in number."""
    row = hashes
    while len(row) > HASH_BYTES:
        row = b"".join([hash_pair(row[at : at + 2 * HASH_BYTES]) for at in range(0, len(row), 2 * HASH_BYTES)])
    return row


def load_tree(source: Source, size: int) -> Tree:
    """The tree of this size from its rightmost tiles. Nothing of it is checked: compare `root()` with a signed one.

    Raises CouldNotDecide `audit.unavailable` where a tile is missing or short.
    """
    tree = Tree(size, [])
    for level in range((size.bit_length() + _TILE_HEIGHT - 1) // _TILE_HEIGHT):
        count = size >> _TILE_HEIGHT * level
        tail = read_tile(source, level, count // WIDTH, count % WIDTH)
        tree.tails.append(bytearray(tail))
        at = 0
        nodes = [b""] * _TILE_HEIGHT
        for height in reversed(range(_TILE_HEIGHT)):
            if count >> height & 1:
                end = at + (HASH_BYTES << height)
                nodes[height] = tile_root(tail[at:end])
                at = end
        tree._nodes.extend(nodes)
    while tree._nodes and not tree._nodes[-1]:
        tree._nodes.pop()
    if not tree.tails:
        tree.tails.append(bytearray())
    return tree


def read_tile(source: Source, level: int, number: int, width: int = WIDTH) -> bytes:
    """The first `width` hashes of a tile. The full tile serves where a partial one is gone, as tlog-tiles allows."""
    if width == 0:
        return b""
    path, there = tile_path(level, number, width), width
    found = source.read(path)
    if found is None and width < WIDTH:
        path, there = tile_path(level, number), WIDTH
        found = source.read(path)
    if found is None or len(found) != there * HASH_BYTES:
        raise unavailable(
            f"{path} {'is missing' if found is None else f'has {len(found)} bytes'}",
            expected=f"{there * HASH_BYTES} bytes",
        )
    return found[: width * HASH_BYTES]


def read_bundle(source: Source, number: int, width: int = WIDTH) -> bytes:
    """A bundle of at least `width` entries, as it lies there. Raises CouldNotDecide `audit.unavailable`."""
    path = bundle_path(number, width)
    found = source.read(path)
    if found is None and width < WIDTH:
        found = source.read(bundle_path(number))
    if found is None:
        raise unavailable(f"{path} is missing", expected=f"a bundle of {width} entries")
    return found
