"""Writing to OCI Object Storage: each object once and whole, in parts that are sent side by side.

https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/: PutObject, CreateMultipartUpload, UploadPart,
CommitMultipartUpload, AbortMultipartUpload, ListMultipartUploads, DeleteObject. Nothing is written over
(`If-None-Match: *`), and each content comes with its SHA-256, which the store checks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from aegis.adapters.objects.oci import _HIDDEN, OciStore, Sign, _path, _refused
from aegis.adapters.objects.oci_documents import MAX_DOCUMENT, error_code, parse_started, parse_uploads
from aegis.adapters.objects.part_upload import Memory, PartUpload, uploading
from aegis.adapters.objects.store_http import Reply, whole
from aegis.core.errors import AegisError
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults, write_faults
from aegis.storage.patience import retried

_OWN: Final = "opc-meta-aegis-upload"
_ONCE: Final = {"If-None-Match": "*"}
_SHA256: Final = {"opc-checksum-algorithm": "SHA256"}
_MOST_PAGES: Final = 100
"""Of uploads that wait for their end: 100,000 of them."""


class WritableOci(OciStore):
    """One bucket. Fulfils `aegis.core.ports.writing.WritableStore`."""

    def __init__(self, namespace: str, bucket: str, region: str, sign: Sign, **more: Any) -> None:
        """As `OciStore`."""
        super().__init__(namespace, bucket, region, sign, **more)
        self._memory = Memory()

    def create(self, key: str) -> AbstractContextManager[PartUpload]:
        """A new object, which is there only after the block has ended without an exception."""
        return uploading(_Requests(self), key, self._memory, self._patience, self._clock)

    def delete(self, info: ObjectInfo) -> None:
        """Remove this version of an object; without a version, the object if it is still the one that was listed."""
        where = self._where(info.key)
        query = (("versionId", info.version),) if info.version else ()
        headers = {"If-Match": info.etag} if info.etag and not info.version else {}

        def ask() -> None:
            with self._ask("DELETE", f"/o/{_path(info.key)}", query, headers, where) as reply:
                self._written(reply, where, {200, 204}, gone={"ObjectNotFound"})

        retried(ask, self._patience, self._clock)

    def _written(
        self, reply: Reply, where: str, good: set[int], gone: set[str] | frozenset[str] = frozenset()
    ) -> bytes:
        """The answer's document. Raises what any other answer means, but for a 404 with one of the words `gone`."""
        document = whole(reply, MAX_DOCUMENT, where)
        code = error_code(document)
        if reply.status in good or (reply.status == 404 and code in gone):
            return document
        said = f"{reply.status} {code}".strip()
        if reply.status == 412 and "NoneMatch" in code:
            raise write_faults.object_exists(where)
        if reply.status in {401, 403} or code in _HIDDEN:
            raise write_faults.write_denied(where, f"{said}: it is not there, or may not be seen")
        raise _refused(reply.status, code, where)


class _Requests:
    """One upload's requests. Fulfils `aegis.adapters.objects.part_upload.PartStore`."""

    def __init__(self, store: WritableOci) -> None:
        self._store = store

    def where(self, key: str) -> str:
        """See the port."""
        return self._store._where(key)

    def put(self, key: str, own: str, content: memoryview) -> None:
        """See the port."""
        headers = {**_ONCE, **_checked(content), _OWN: own}
        with self._store._ask("PUT", f"/o/{_path(key)}", (), headers, self.where(key), content=content) as reply:
            self._store._written(reply, self.where(key), {200})

    def start(self, key: str, own: str) -> str:
        """See the port."""
        where = self.where(key)
        document = json.dumps({"object": key, "metadata": {_OWN: own}}).encode()
        with self._store._ask("POST", "/u", (), {**_ONCE, **_SHA256}, where, document=document) as reply:
            return parse_started(self._store._written(reply, where, {200}), where, key)

    def sweep(self, key: str, but: str) -> None:
        """See the port."""
        where, page = self.where(key), ""
        for _ in range(_MOST_PAGES):
            query = (("limit", "1000"), *([("page", page)] if page else []))
            with self._store._ask("GET", "/u", query, {}, where) as reply:
                document = self._store._written(reply, where, {200})
                page = reply.headers.get("opc-next-page", "")
            for found, upload in parse_uploads(document, where):
                if found == key and upload != but:
                    self.abort(key, upload)
            if not page:
                return

    def send(self, key: str, upload: str, number: int, content: memoryview) -> str:
        """See the port."""
        where, query = self.where(key), (("uploadId", upload), ("uploadPartNum", str(number)))
        with self._store._ask("PUT", f"/u/{_path(key)}", query, _checked(content), where, content=content) as reply:
            self._store._written(reply, where, {200})
            etag = reply.headers.get("etag", "")
        if not etag:
            raise faults.failed(where, "the store took a part, and gave no ETag for it")
        return etag

    def complete(self, key: str, upload: str, etags: Mapping[int, str]) -> None:
        """See the port."""
        where, query = self.where(key), (("uploadId", upload),)
        parts = [{"partNum": number, "etag": etag} for number, etag in sorted(etags.items())]
        document = json.dumps({"partsToCommit": parts}).encode()
        with self._store._ask("POST", f"/u/{_path(key)}", query, _ONCE, where, document=document) as reply:
            self._store._written(reply, where, {200})

    def abort(self, key: str, upload: str) -> None:
        """See the port."""
        query = (("uploadId", upload),)
        with self._store._ask("DELETE", f"/u/{_path(key)}", query, {}, self.where(key)) as reply:
            self._store._written(reply, self.where(key), {200, 204}, gone={"NoSuchUpload", "ObjectNotFound"})

    def is_own(self, key: str, own: str) -> bool:
        """See the port."""
        try:
            with self._store._ask("HEAD", f"/o/{_path(key)}", (), {}, self.where(key)) as reply:
                return reply.status == 200 and reply.headers.get(_OWN) == own
        except AegisError:
            return False


def _checked(content: memoryview) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {**_SHA256, "opc-content-sha256": digest, "Content-Type": "application/octet-stream"}
