"""Writing to S3: each object once and whole, in parts that are sent side by side.

obstore cannot: with a condition it holds the whole object in memory, without one it writes over what is there, and it
never aborts an upload. The condition is `If-None-Match: *`
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). Each request carries its content's
SHA-256, which S3 checks.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from aegis.adapters.objects.part_upload import Memory, PartUpload, uploading
from aegis.adapters.objects.s3 import _DENIED, S3Store
from aegis.adapters.objects.s3_documents import MAX_DOCUMENT, error_code
from aegis.adapters.objects.s3_uploads import parse_completed, parse_started, parse_uploads, parts_document
from aegis.adapters.objects.store_http import Reply, whole
from aegis.core.errors import AegisError
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults, write_faults
from aegis.storage.patience import retried

_OWN = "x-amz-meta-aegis-upload"


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """How long each new object is held fast (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).

    The bucket must have been made with Object Lock: one without refuses to take such an object.
    """

    mode: Literal["governance", "compliance"]
    days: int

    def headers(self, now: datetime.datetime) -> Mapping[str, str]:
        """Of the request that makes the object."""
        until = (now + datetime.timedelta(days=self.days)).astimezone(datetime.UTC)
        return {
            "x-amz-object-lock-mode": self.mode.upper(),
            "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class WritableS3(S3Store):
    """One bucket. Fulfils `aegis.core.ports.writing.WritableStore`."""

    def __init__(
        self,
        bucket: str,
        region: str,
        credentials: AwsCredentialSource,
        *,
        lock: ObjectLock | None = None,
        **more: Any,
    ) -> None:
        """As `S3Store`. `lock`: None leaves it to the bucket whether it holds objects fast."""
        super().__init__(bucket, region, credentials, **more)
        self._memory = Memory()
        self._object_lock = lock

    def create(self, key: str) -> AbstractContextManager[PartUpload]:
        """A new object, which is there only after the block has ended without an exception."""
        return uploading(_Requests(self), key, self._memory, self._patience, self._clock)

    def delete(self, info: ObjectInfo) -> None:
        """Remove this version of an object; without a version, a bucket that keeps them only marks it as deleted."""
        query = (("versionId", info.version),) if info.version else ()

        def ask() -> None:
            with self._ask("DELETE", info.key, query, {}, self._where(info.key)) as reply:
                self._written(reply, self._where(info.key), {200, 204, 404})

        retried(ask, self._patience, self._clock)

    def retained_until(self, key: str) -> datetime.datetime | None:
        """Until when the current version of an object is held fast, UTC; None where nothing holds it."""

        def ask() -> str | None:
            with self._ask("HEAD", key, (), {}, self._where(key)) as reply:
                self._check(reply, self._where(key))
                return reply.headers.get("x-amz-object-lock-retain-until-date")

        text = retried(ask, self._patience, self._clock)
        try:
            moment = datetime.datetime.fromisoformat(text or "")
        except ValueError:
            return None
        return moment.astimezone(datetime.UTC) if moment.tzinfo is not None else None

    def _lock_headers(self) -> Mapping[str, str]:
        return self._object_lock.headers(self._utc()) if self._object_lock is not None else {}

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


class _Requests:
    """One upload's requests. Fulfils `aegis.adapters.objects.part_upload.PartStore`."""

    def __init__(self, store: WritableS3) -> None:
        self._store = store

    def where(self, key: str) -> str:
        """See the port."""
        return self._store._where(key)

    def put(self, key: str, own: str, content: memoryview) -> None:
        """See the port."""
        # a bucket with Object Lock takes nothing without a checksum
        # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        headers = {
            "If-None-Match": "*",
            _OWN: own,
            "x-amz-checksum-sha256": checksum,
            **self._store._lock_headers(),
        }
        with self._store._ask("PUT", key, (), headers, self.where(key), content=content) as reply:
            self._store._written(reply, self.where(key))

    def start(self, key: str, own: str) -> str:
        """See the port."""
        where, headers = self.where(key), {_OWN: own, **self._store._lock_headers()}
        with self._store._ask("POST", key, (("uploads", ""),), headers, where, content=b"", fresh=True) as reply:
            return parse_started(self._store._written(reply, where), where)

    def sweep(self, key: str, but: str) -> None:
        """See the port."""
        where = self.where(key)
        with self._store._ask("GET", "", (("uploads", ""), ("prefix", key)), {}, where) as reply:
            document = self._store._written(reply, where)
        for found, upload in parse_uploads(document, where):
            if found == key and upload != but:
                self.abort(key, upload)

    def send(self, key: str, upload: str, number: int, content: memoryview) -> str:
        """Send a part; its ETag."""
        query = (("partNumber", str(number)), ("uploadId", upload))
        with self._store._ask("PUT", key, query, {}, self.where(key), content=content) as reply:
            self._store._written(reply, self.where(key))
            etag = reply.headers.get("etag", "")
        if not etag:
            raise faults.failed(self.where(key), "the store took a part, and gave no ETag for it")
        return etag

    def complete(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        """See the port."""
        where, query, headers = self.where(key), (("uploadId", upload),), {"If-None-Match": "*"}
        with self._store._ask("POST", key, query, headers, where, content=parts_document(etags)) as reply:
            parse_completed(self._store._written(reply, where), where)

    def abort(self, key: str, upload: str) -> None:
        """See the port."""
        with self._store._ask("DELETE", key, (("uploadId", upload),), {}, self.where(key)) as reply:
            self._store._written(reply, self.where(key), {200, 204, 404})

    def is_own(self, key: str, own: str) -> bool:
        """Whether the object of this key is the one that this upload made."""
        try:
            with self._store._ask("HEAD", key, (), {}, self.where(key)) as reply:
                return reply.status == 200 and reply.headers.get(_OWN) == own
        except AegisError:
            return False
