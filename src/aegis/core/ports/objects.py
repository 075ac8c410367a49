"""Where artifacts lie: an object store, read only.

Fulfilled by `aegis.adapters` for S3, OCI Object Storage, HTTPS and local folders. Whatever a store says about an object
(its size, its ETag) is a hint for planning; only signatures say what an artifact is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One version of one object, as the store's listing tells it."""

    key: str
    """The whole key inside the store, with forward slashes."""
    size: int
    """Bytes."""
    version: str | None = None
    """The store's version id; None where it keeps no versions."""
    etag: str | None = None
    """Opaque: it names a state of the object, and is never taken for a digest."""


class ObjectStore(Protocol):
    """One bucket, container, host or folder. Every fault is `CouldNotDecide` with a `verify.store_…` code."""

    @property
    def location(self) -> str:
        """For messages and evidence, e.g. `s3://bucket`. Holds no credentials."""
        ...

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key starts with the prefix, by key. All of them or an error, never a part."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """The current version of one object; None where there is none."""
        ...

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes | memoryview]:
        """The bytes of exactly this version from offset `start` to its end, in chunks; bounded in memory.

        Ends early, or raises `CouldNotDecide`, where the transfer breaks: the caller counts. Anything else than the
        range that was asked for (another offset, another version, transparent decompression, another host) is an error.
        """
        ...


class FolderStore(ObjectStore, Protocol):
    """A store that can say which folders there are without listing what is in them."""

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders right below a prefix (empty, or with `/` at its end), by name: each key up to the next `/`, `/`
        included. All of them or an error; none where nothing is there. A thousand of them are one request.
        """
        ...


@runtime_checkable
class VersionedStore(Protocol):
    """A store that keeps what was deleted, and can tell."""

    def removed(self, prefix: str) -> Sequence[str]:
        """Keys below a prefix whose object was deleted, and of which there are old versions, by name."""
        ...
