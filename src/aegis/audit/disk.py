"""The log on disk: an entry is durable when `append` returns, and what others read is C2SP tlog-tiles.

    checkpoint, tile/…   what is published: the log as of the last full journal, `checkpoint()` or `close()`
    journal              the newest entries, see `journal.py`
    torn-<n>             what a torn write left, kept for those who ask

One writer at a time: among threads by a queue whose first member writes for all, among processes by `flock` of the
folder; the wait for the disk is outside of that lock. A process that finds that others wrote reads what they wrote, and
where they have published meanwhile, a consistency proof must show that it continues what this process knows.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aegis.audit.disk_writer import DiskWriter
from aegis.audit.entry import MAX_BYTES, Producer, prepare, this_producer
from aegis.audit.event import Event
from aegis.audit.faults import unavailable
from aegis.audit.folder import FolderSource, make_private
from aegis.audit.group_commit import GroupCommit, Ticket
from aegis.audit.journal import BYTES, HEADER_BYTES, record_bytes
from aegis.audit.keys import SigningKey, verifier_of
from aegis.audit.locking import lock, unlock
from aegis.audit.log import Receipt
from aegis.audit.paths import CHECKPOINT

LEAST_JOURNAL = HEADER_BYTES + record_bytes(2 + MAX_BYTES)


class DiskLog:
    """Implements `AuditLog`. Every fault is CouldNotDecide `audit.unavailable`; after one the files are read anew."""

    def __init__(self, folder: Path, origin: str, key: SigningKey, *, journal_bytes: int = BYTES) -> None:
        """Open the log in this folder, or begin one where there is none. `journal_bytes`: see `journal.py`."""
        self._folder = folder
        self._verifier = verifier_of(key, origin)
        self._source = FolderSource(folder)
        self._writer = DiskWriter(folder, key, self._verifier, max(journal_bytes, LEAST_JOURNAL), self._exclusive)
        self._descriptor = -1
        self._begin_process()
        try:
            make_private(folder)
        except OSError as error:
            raise unavailable(f"{folder}: {error.strerror}") from error
        with self._turn, self._exclusive():
            self._writer.refresh()
        _OPEN.add(self)

    @property
    def origin(self) -> str:
        """See `AuditLog`."""
        return self._verifier.origin

    @property
    def vkey(self) -> str:
        """The key that others verify with."""
        return str(self._verifier)

    def read(self, path: str) -> bytes | None:
        """See `Source`: the resources of the last checkpoint."""
        return self._source.read(path)

    def append(self, event: Event) -> Receipt:
        """See `AuditLog`. Refuses with `audit.event_invalid`."""
        return self._group.append(prepare(event, self._producer))

    def checkpoint(self) -> bytes:
        """See `AuditLog`."""
        with self._turn, self._exclusive():
            self._writer.publish()
            note = self._source.read(CHECKPOINT)
        if note is None:
            raise unavailable(f"{self._folder}/{CHECKPOINT} was removed")
        return note

    def check(self) -> None:
        """See `AuditLog`."""
        with self._turn, self._exclusive():
            self._writer.probe()

    def close(self) -> None:
        """Publish all, and let go of the files. Opens again when it is used again."""
        try:
            self.checkpoint()
        finally:
            with self._turn:
                self._let_go()

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _begin_process(self) -> None:
        """A child shares nothing with its parent: a lock on a shared descriptor would be held by both."""
        self._let_go()
        self._turn = threading.Lock()
        self._group = GroupCommit(self._commit)
        self._producer: Producer = this_producer()

    def _let_go(self) -> None:
        self._writer.forget()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _commit(self, batch: Sequence[Ticket]) -> None:
        with self._turn:
            with self._exclusive():
                receipts = self._writer.write([ticket.prepared for ticket in batch])
            self._writer.sync()
        for ticket, receipt in zip(batch, receipts, strict=True):
            ticket.receipt = receipt

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Only this process, until the end; the descriptor's lock ends with the process, however that ends."""
        try:
            self._lock()
        except OSError as error:
            raise unavailable(f"{self._folder}: {error.strerror or type(error).__name__}") from error
        try:
            yield
        finally:
            unlock(self._descriptor)

    def _lock(self) -> None:
        if self._descriptor >= 0:
            mine, there = os.fstat(self._descriptor), os.stat(self._folder)  # noqa: PTH116 - on every append
            if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
                # Another folder has its name now, and another lock.
                os.close(self._descriptor)
                self._descriptor = -1
        if self._descriptor < 0:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        lock(self._descriptor, str(self._folder))


_OPEN: weakref.WeakSet[DiskLog] = weakref.WeakSet()


def _after_fork() -> None:
    for log in list(_OPEN):
        log._begin_process()


os.register_at_fork(after_in_child=_after_fork)
