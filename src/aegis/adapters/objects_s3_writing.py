"""Writing to S3: each object once and whole, in parts that are sent side by side.

obstore cannot: with a condition it holds the whole object in memory, without one it writes over what is there, and it
never aborts an upload. The condition is `If-None-Match: *`
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). Each request carries its content's
SHA-256, which S3 checks.

A lost answer leaves open whether the last request was carried out, and its repetition is then refused because of the
object that it made itself. So each upload puts a random word into its object's metadata, by which it knows its own.
"""

from __future__ import annotations

import mmap
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aegis.adapters.objects_s3 import _DENIED, S3Store
from aegis.adapters.s3_documents import MAX_DOCUMENT, error_code
from aegis.adapters.s3_uploads import parse_completed, parse_started, parse_uploads, parts_document
from aegis.adapters.store_http import Reply, whole
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults, write_faults
from aegis.storage.patience import TRANSIENT, retried

PART = 16 * 1024 * 1024
"""Bytes of the first parts. S3 takes from 5 MiB to 5 GiB, all but the last."""
MAX_PARTS = 10_000
"""Of one upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""
_GROWTH = 1000
"""Parts of one size; then it doubles. So 5 TiB, the largest object, end at part 8,284, with 4 GiB in it."""
MEMORY = 96 * 1024 * 1024
"""Bytes that all uploads of a store hold at once; one part at least, however large."""
_GRACE = 1.0
"""Seconds that parts on their way have to end before their upload is aborted: a cancelled run has five in all."""
_OWN = "x-amz-meta-aegis-upload"


def part_size(number: int) -> int:
    """Bytes of the part `number`, from 1 on, of an upload whose length nobody knows."""
    return PART << ((number - 1) // _GROWTH)


class WritableS3(S3Store):
    """One bucket. Fulfils `aegis.core.ports.writing.WritableStore`."""

    def __init__(self, bucket: str, region: str, credentials: AwsCredentialSource, **more: Any) -> None:
        """As `S3Store`."""
        super().__init__(bucket, region, credentials, **more)
        self._memory = _Memory(MEMORY)

    @contextmanager
    def create(self, key: str) -> Iterator[_Upload]:
        """A new object, which is there only after the block has ended without an exception."""
        upload = _Upload(self, key)
        try:
            yield upload
            upload.finish()
        except BaseException as error:
            upload.abort(error)
            raise

    def delete(self, info: ObjectInfo) -> None:
        """Remove this version of an object; without a version, a bucket that keeps them only marks it as deleted."""
        query = (("versionId", info.version),) if info.version else ()

        def ask() -> None:
            with self._ask("DELETE", info.key, query, {}, self._where(info.key)) as reply:
                self._written(reply, self._where(info.key), {200, 204, 404})

        retried(ask, self._patience, self._clock)

    def _written(self, reply: Reply, where: str, good: set[int] | None = None) -> bytes:
        """The answer's document. Raises what any other answer means."""
        document = whole(reply, MAX_DOCUMENT, where)
        code = error_code(document)
        # A role that may not list hears NoSuchBucket all the same.
        if reply.status in (good or {200}) and code != "NoSuchBucket":
            return document
        said = f"{reply.status} {code}".strip()
        if reply.status in {401, 403, 405} or code in _DENIED:
            raise write_faults.write_denied(where, said)
        if reply.status == 412:
            raise write_faults.object_exists(where)
        if code == "NoSuchBucket":
            raise write_faults.bucket_missing(where, said)
        raise self._refusal(reply, code, where)

    # --- one upload's requests ----------------------------------------------------------------------------------------

    def _put(self, key: str, own: str, content: memoryview) -> None:
        headers = {"If-None-Match": "*", _OWN: own}
        with self._ask("PUT", key, (), headers, self._where(key), content=content) as reply:
            self._written(reply, self._where(key))

    def _start(self, key: str, own: str) -> str:
        """Begin an upload in parts; its id. Where the answer is lost, so is the id: then all uploads of the key end."""
        where = self._where(key)
        try:
            with self._ask("POST", key, (("uploads", ""),), {_OWN: own}, where, content=b"", fresh=True) as reply:
                return parse_started(self._written(reply, where), where)
        except BaseException as error:
            if not isinstance(error, AegisError) or error.code in TRANSIENT:
                with suppress(AegisError):
                    self._sweep(key)
            raise

    def _sweep(self, key: str) -> None:
        """Abort every upload of this key, which is this backup's alone."""
        where = self._where(key)
        with self._ask("GET", "", (("uploads", ""), ("prefix", key)), {}, where) as reply:
            document = self._written(reply, where)
        for found, upload in parse_uploads(document, where):
            if found == key:
                self._abort(key, upload)

    def _send(self, key: str, upload: str, number: int, content: memoryview) -> str:
        """Send a part; its ETag."""
        query = (("partNumber", str(number)), ("uploadId", upload))
        with self._ask("PUT", key, query, {}, self._where(key), content=content) as reply:
            self._written(reply, self._where(key))
            etag = reply.headers.get("etag", "")
        if not etag:
            raise faults.failed(self._where(key), "the store took a part, and gave no ETag for it")
        return etag

    def _complete(self, key: str, upload: str, etags: dict[int, str]) -> None:
        where, query, headers = self._where(key), (("uploadId", upload),), {"If-None-Match": "*"}
        with self._ask("POST", key, query, headers, where, content=parts_document(etags)) as reply:
            parse_completed(self._written(reply, where), where)

    def _abort(self, key: str, upload: str) -> None:
        with self._ask("DELETE", key, (("uploadId", upload),), {}, self._where(key)) as reply:
            self._written(reply, self._where(key), {200, 204, 404})

    def _is_own(self, key: str, own: str) -> bool:
        """Whether the object of this key is the one that this upload made."""
        try:
            with self._ask("HEAD", key, (), {}, self._where(key)) as reply:
                return reply.status == 200 and reply.headers.get(_OWN) == own
        except AegisError:
            return False


class _Upload:
    """One object on its way. Used by one thread; its parts are sent by threads of their own."""

    def __init__(self, store: WritableS3, key: str) -> None:
        self._store, self._key = store, key
        self._own = secrets.token_hex(16)
        self._id: str | None = None
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
            self._at_last(lambda: self._store._put(self._key, self._own, content))
            self._drop()
            return
        if self._buffer is not None:
            self._send_part()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        upload = self._id
        self._at_last(lambda: self._store._complete(self._key, upload, self._etags))

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
                self._asked(lambda: store._abort(self._key, upload))
            else:
                # Parts that arrive after the abort may stay
                # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html): once more, then.
                self._asked(lambda: store._abort(self._key, upload))
                self._join()
                self._asked(lambda: store._abort(self._key, upload))
        except AegisError as left:
            if isinstance(error, AegisError):
                raise write_faults.upload_left(store._where(self._key), error.problem, left.problem) from error

    def _open_part(self) -> mmap.mmap:
        if self._error is not None:
            raise self._error
        if self._buffer is None:
            self._room = part_size(self._number + 1)
            self._store._memory.take(self._room)
            # memory that goes back to the system at once: the heap of many threads keeps what is freed
            self._buffer, self._filled = mmap.mmap(-1, self._room), 0
            self._number += 1
        return self._buffer

    def _content(self) -> memoryview:
        return memoryview(self._buffer or b"")[: self._filled]

    def _send_part(self) -> None:
        if self._id is None:
            self._id = self._asked(lambda: self._store._start(self._key, self._own))
        number, content, room = self._number, self._content(), self._room
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._part, args=(number, content, room), name="aegis-part", daemon=True)
        self._threads.append(thread)
        self._buffer = None
        thread.start()

    def _part(self, number: int, content: memoryview, room: int) -> None:
        upload = self._id or ""

        def ask() -> str:
            if self._ended:
                raise faults.cut(self._store._where(self._key), 0, len(content))
            return self._store._send(self._key, upload, number, content)

        try:
            self._etags[number] = self._asked(ask)
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._store._memory.give(room)

    def _at_last(self, ask: Any) -> None:
        """The request that makes the object; it may have been carried out though we do not hear so."""
        try:
            self._asked(ask)
        except CouldNotDecide:
            if not self._store._is_own(self._key, self._own):
                raise

    def _asked(self, ask: Any) -> Any:
        return retried(ask, self._store._patience, self._store._clock)

    def _drop(self) -> None:
        if self._buffer is not None:
            self._buffer = None
            self._store._memory.give(self._room)

    def _join(self) -> bool:
        """Wait for the parts on their way, but not for long; whether all have ended."""
        for thread in self._threads:
            thread.join(_GRACE / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)


class _Memory:
    """Bytes that may be held; who wants more waits."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= self._limit)
            self._held += size

    def give(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._changed.notify_all()
