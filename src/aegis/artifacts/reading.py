"""What has to be read of an artifact, and what came of it.

An artifact is judged in two steps with the reading between them: first its signatures say which digests are needed,
then the digests are held against the signatures. So the bytes can be read once, in parallel, or on other machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis.core.ports.objects import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object to be read once, and the digests to be taken of it on the way."""

    store: ObjectStore
    info: ObjectInfo
    algorithms: frozenset[str]
    """Of the whole object: `sha256`, `sha384`, `sha512`, `blake2b`."""
    shard_algorithm: str = ""
    shard_size: int = 0
    """Bytes of each shard but the last; 0 where no shards are wanted."""
    keep: int = 0
    """Keep the content, of at most so many bytes: for keys that sign the content itself."""

    @property
    def place(self) -> str:
        """Where it is, for messages and as a key."""
        return f"{self.store.location}/{self.info.key}"


@dataclass(frozen=True, slots=True)
class Got:
    """What came of reading one object."""

    size: int
    digests: Mapping[str, bytes] = field(default_factory=dict)
    shards: tuple[bytes, ...] = ()
    content: bytes | None = None


Gotten = Mapping[str, Got]
"""By `Wanted.place`."""
