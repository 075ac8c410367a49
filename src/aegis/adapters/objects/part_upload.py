"""An object on its way to a store, in parts that are sent side by side.

Each object once and whole: a small one in one request, a larger one as an upload in parts, which is an object only when
it is completed and is aborted where it is not. What the requests look like is the store's matter (`PartStore`).

A lost answer leaves open whether the last request was carried out, and its repetition is then refused because of the
object that it made itself. So each upload puts a random word into its object's metadata, by which it knows its own.
"""

from __future__ import annotations

import mmap
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.storage import faults, write_faults
from aegis.storage.patience import TRANSIENT, Clock, Patience, retried

T = TypeVar("T")

PART = 16 * 1024 * 1024
"""Bytes of the first parts. S3 takes from 5 MiB to 5 GiB, OCI from 10 MiB to 50 GiB, all but the last."""
MAX_PARTS = 10_000
"""Of one upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, and OCI alike)."""
_GROWTH = 1000
"""Parts of one size; then it doubles. So 5 TiB, S3's largest object, end at part 8,284, with 4 GiB in it."""
MEMORY = 96 * 1024 * 1024
"""Bytes that all uploads of a store hold at once; one part at least, however large."""
_GRACE = 1.0
"""Seconds that parts on their way have to end before their upload is aborted: a cancelled run has five in all."""


def part_size(number: int) -> int:
    """Bytes of the part `number`, from 1 on, of an upload whose length nobody knows."""
    return PART << ((number - 1) // _GROWTH)


class PartStore(Protocol):
    """What one upload asks of its store, each time in one request. Faults are those of `aegis.core.ports.writing`."""

    def where(self, key: str) -> str:
        """For messages."""
        ...

    def put(self, key: str, own: str, content: memoryview) -> None:
        """Make the whole object, unless there is one. `own`: its word in the metadata."""
        ...

    def start(self, key: str, own: str) -> str:
        """Begin an upload in parts; its id."""
        ...

    def send(self, key: str, upload: str, number: int, content: memoryview) -> str:
        """Send a part; its ETag."""
        ...

    def complete(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        """Make an object of the parts, unless there is one."""
        ...

    def abort(self, key: str, upload: str) -> None:
        """Drop the upload and its parts; it may be gone already."""
        ...

    def sweep(self, key: str, but: str) -> None:
        """Abort every upload of this key, which is this object's alone, but the one of this id ("": all)."""
        ...

    def is_own(self, key: str, own: str) -> bool:
        """Whether the object of this key has this word; False where nobody can tell."""
        ...


@contextmanager
def uploading(store: PartStore, key: str, memory: Memory, patience: Patience, clock: Clock) -> Iterator[PartUpload]:
    """A new object, which is there only after the block has ended without an exception. `memory`: of all uploads."""
    upload = PartUpload(store, key, memory, patience, clock)
    try:
        yield upload
        upload.finish()
    except BaseException as error:
        upload.abort(error)
        raise


class PartUpload:
    """One object on its way. Used by one thread; its parts are sent by threads of their own."""

    def __init__(self, store: PartStore, key: str, memory: Memory, patience: Patience, clock: Clock) -> None:
        self._store, self._key, self._memory = store, key, memory
        self._patience, self._clock = patience, clock
        self._own = secrets.token_hex(16)
        self._id: str | None = None
        self._lost = False
        """Whether an upload that nobody knows the id of may be there still."""
        self._number = 0
        self._buffer: mmap.mmap | None = None
        self._room = self._filled = 0
        self._threads: list[threading.Thread] = []
        self._etags: dict[int, str] = {}
        self._error: BaseException | None = None
        self._ended = False

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes; what fills a part is sent. Waits while too much is on its way."""
        with memoryview(data).cast("B") as view:
            place = 0
            while place < len(view):
                buffer = self._open_part()
                step = min(self._room - self._filled, len(view) - place)
                buffer[self._filled : self._filled + step] = view[place : place + step]
                self._filled += step
                place += step
                if self._filled == self._room:
                    self._send_part()

    def finish(self) -> None:
        """Make it an object."""
        if self._id is None:
            content = self._content()
            self._at_last(lambda: self._store.put(self._key, self._own, content))
            self._drop()
            return
        if self._buffer is not None:
            self._send_part()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        upload = self._id
        self._at_last(lambda: self._store.complete(self._key, upload, self._etags))

    def abort(self, error: BaseException) -> None:
        """Leave nothing behind. Raises `backup_check.upload_left` where the store does not let that be done."""
        self._ended = True
        self._drop()
        upload = self._id
        if upload is None:
            return
        store = self._store
        try:
            if self._join():
                self._asked(lambda: store.abort(self._key, upload))
            else:
                # Parts that arrive after the abort may stay
                # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html): once more, then.
                self._asked(lambda: store.abort(self._key, upload))
                self._join()
                self._asked(lambda: store.abort(self._key, upload))
        except AegisError as left:
            if isinstance(error, AegisError):
                raise write_faults.upload_left(store.where(self._key), error.problem, left.problem) from error

    def _open_part(self) -> mmap.mmap:
        if self._error is not None:
            raise self._error
        if self._buffer is None:
            self._room = part_size(self._number + 1)
            self._memory.take(self._room)
            # memory that goes back to the system at once: the heap of many threads keeps what is freed
            self._buffer, self._filled = mmap.mmap(-1, self._room), 0
            self._number += 1
        return self._buffer

    def _content(self) -> memoryview:
        return memoryview(self._buffer or b"")[: self._filled]

    def _send_part(self) -> None:
        if self._id is None:
            self._id = self._asked(self._start)
        number, content, room = self._number, self._content(), self._room
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._part, args=(number, content, room), name="aegis-part", daemon=True)
        self._threads.append(thread)
        self._buffer = None
        thread.start()

    def _start(self) -> str:
        """Begin the upload; its id. Where the answer is lost, so is the id: then all uploads of the key end."""
        try:
            upload = self._store.start(self._key, self._own)
            if self._lost:
                self._store.sweep(self._key, upload)
        except BaseException as error:
            if not isinstance(error, AegisError) or error.code in TRANSIENT:
                self._lost = self._sweeping_fails()
            raise
        return upload

    def _sweeping_fails(self) -> bool:
        """Whether they could not be ended, and may be later."""
        try:
            self._store.sweep(self._key, "")
        except AegisError as error:
            return error.code in TRANSIENT
        return False

    def _part(self, number: int, content: memoryview, room: int) -> None:
        upload = self._id or ""

        def ask() -> str:
            if self._ended:
                raise faults.cut(self._store.where(self._key), 0, len(content))
            return self._store.send(self._key, upload, number, content)

        try:
            self._etags[number] = self._asked(ask)
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._memory.give(room)

    def _at_last(self, ask: Callable[[], None]) -> None:
        """The request that makes the object; it may have been carried out though we do not hear so."""
        try:
            self._asked(ask)
        except CouldNotDecide:
            if not self._store.is_own(self._key, self._own):
                raise

    def _asked(self, ask: Callable[[], T]) -> T:
        return retried(ask, self._patience, self._clock)

    def _drop(self) -> None:
        if self._buffer is not None:
            self._buffer = None
            self._memory.give(self._room)

    def _join(self) -> bool:
        """Wait for the parts on their way, but not for long; whether all have ended."""
        # one whose start a signal came before is none to wait for; it looks whether it may go on, if it begins at all
        for thread in [each for each in self._threads if each.is_alive()]:
            thread.join(_GRACE / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)


class Memory:
    """Bytes that may be held; who wants more waits."""

    def __init__(self) -> None:
        self._limit, self._held = MEMORY, 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until there is room for so many."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= self._limit)
            self._held += size

    def give(self, size: int) -> None:
        """They are no longer held."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()
