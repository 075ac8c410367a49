"""Where backups go: an object store that objects are added to, each of them once and whole, and removed from."""

from __future__ import annotations

import datetime
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from aegis.core.ports.objects import FolderStore, ObjectInfo


class Upload(Protocol):
    """An object that is being written."""

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes at the end. They are copied, or sent, before this returns. Faults of the store may come late."""
        ...


class WritableStore(FolderStore, Protocol):
    """A store that objects can be added to. Safe to call from threads, each with an upload of its own."""

    def create(self, key: str) -> AbstractContextManager[Upload]:
        """A new object, which is there only after the block has ended without an exception, and only then.

        `CouldNotDecide` `backup_check.object_exists` where there is one of this key already: it stays as it is.
        `backup_check.write_denied` where the store does not let us. After any exception, the block's own too, nothing
        is left behind: no part of an object, and no upload that waits for its end; `backup_check.upload_left` where the
        store did not let that be removed. An interruption of the last request of all may leave the whole object.
        """
        ...

    def delete(self, info: ObjectInfo) -> None:
        """Remove this version of an object; it may be gone already. `backup_check.write_denied`."""
        ...


@runtime_checkable
class RetainingStore(Protocol):
    """A store that says until when an object is held fast, whoever wants to remove it."""

    def retained_until(self, key: str) -> datetime.datetime | None:
        """UTC; None where nothing holds it."""
        ...
