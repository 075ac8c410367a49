"""Digests of bytes on their way to somewhere else: each byte is looked at once, whatever has to be known of it.

hashlib lets other threads run while it hashes more than 2 KiB, so files that pass in several threads use several cores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "blake2b"})
"""What signatures and model manifests use. blake2b has 64 bytes, as in OpenSSF Model Signing."""


class Sink(Protocol):
    """Something that takes an object's bytes in order."""

    def write(self, chunk: bytes | memoryview, /) -> object:
        """Take the next bytes; the memory may be used again afterwards."""
        ...


class HashingSink:
    """Several digests of one stream, and if asked one digest for each range of a fixed size."""

    def __init__(
        self, algorithms: Iterable[str] = ("sha256",), *, shard_algorithm: str = "sha256", shard_size: int = 0
    ) -> None:
        """`shard_size`: bytes of each shard but the last; 0 for none (OMS 1.0, serialization method `shards`)."""
        self.size = 0
        """Bytes so far."""
        self._whole = {name: hashlib.new(name, usedforsecurity=True) for name in sorted(set(algorithms))}
        self._shard_algorithm = shard_algorithm
        self._shard_size = shard_size
        self._shards: list[bytes] = []
        self._shard = hashlib.new(shard_algorithm)

    def write(self, chunk: bytes | memoryview, /) -> None:
        """Take the next bytes."""
        for whole in self._whole.values():
            whole.update(chunk)
        if self._shard_size:
            self._write_shards(chunk)
        self.size += len(chunk)

    def _write_shards(self, chunk: bytes | memoryview) -> None:
        rest = memoryview(chunk)
        place = self.size % self._shard_size
        while rest:
            part = rest[: self._shard_size - place]
            self._shard.update(part)
            rest = rest[len(part) :]
            place += len(part)
            if place == self._shard_size:
                self._shards.append(self._shard.digest())
                self._shard = hashlib.new(self._shard_algorithm)
                place = 0

    @property
    def digests(self) -> dict[str, bytes]:
        """Of everything so far, by algorithm."""
        return {name: whole.digest() for name, whole in self._whole.items()}

    @property
    def shards(self) -> tuple[bytes, ...]:
        """Of each range in order, the last one as far as it came; none of an empty stream."""
        begun = self._shard_size and self.size % self._shard_size
        return (*self._shards, self._shard.digest()) if begun else tuple(self._shards)


class KeepingSink:
    """The content itself, where it is small: signatures, and what a key signs directly."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, chunk: bytes | memoryview, /) -> None:
        """Take the next bytes."""
        self._parts.append(bytes(chunk))

    @property
    def content(self) -> bytes:
        """Everything so far."""
        return b"".join(self._parts)
