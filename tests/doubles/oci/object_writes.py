"""How OCI Object Storage takes objects, whole and in parts, and removes them.

https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/: PutObject, CreateMultipartUpload, UploadPart,
CommitMultipartUpload, AbortMultipartUpload, ListMultipartUploads, DeleteObject. Permissions:
https://docs.oracle.com/en-us/iaas/Content/Identity/Reference/objectstoragepolicyreference.htm.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from tests.doubles.oci.serving import Answer, Request, json_answer

if TYPE_CHECKING:
    from tests.doubles.oci.object_storage import Bucket, ObjectStorage

MIN_PART = 10 * 1024 * 1024
MAX_PARTS = 10_000
_ids = itertools.count(1)
_WHOLE = ("OBJECT_CREATE",)
_PARTS = ("OBJECT_CREATE", "OBJECT_OVERWRITE")


@dataclass
class Pending:
    """An upload in parts that waits for its end."""

    key: str
    meta: Mapping[str, str]
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the double
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.answer = json_answer(status, {"code": code, "message": code})


def answer(storage: ObjectStorage, user: str, request: Request) -> Answer:
    """What to say to a request that writes, or lists uploads."""
    path, _, query = request.target.partition("?")
    found = re.fullmatch(r"/n/([^/]+)/b/([^/]+)/(o|u)(?:/(.+))?", path)
    if found is None:
        return Refusal(404, "NotAuthorizedOrNotFound").answer
    namespace, name, kind = unquote(found[1]), unquote(found[2]), found[3]
    key = unquote(found[4], errors="strict") if found[4] else ""
    asked = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    bucket = storage.buckets.get((namespace, name))
    allowed = storage.permissions(user, name)
    if bucket is None:
        return Refusal(404, "BucketNotFound").answer
    do = {
        ("PUT", "o", True): _put,
        ("DELETE", "o", True): _delete,
        ("POST", "u", False): _create,
        ("PUT", "u", True): _part,
        ("POST", "u", True): _commit,
        ("DELETE", "u", True): _abort,
        ("GET", "u", False): _list,
    }.get((request.method, kind, bool(key)))
    try:
        if do is None:
            raise Refusal(405, "MethodNotAllowed")
        return do(bucket, allowed, key, asked, request)
    except Refusal as error:
        return error.answer


def _put(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, "OBJECT_OVERWRITE" if bucket.current(key) and "if-none-match" not in request.headers else _WHOLE[0])
    _check_content(request)
    _check_absent(bucket, key, request)
    version = bucket.put(key, request.body, meta=_meta(request.headers))
    return Answer(200, b"", {"etag": version.etag, "version-id": version.version or ""})


def _delete(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    wanted = asked.get("versionId")
    _check(allowed, "OBJECT_DELETE" if wanted is None else "OBJECT_VERSION_DELETE")
    versions = bucket.objects.get(key, [])
    current = bucket.current(key)
    if wanted is not None:
        if not any(one.version == wanted for one in versions):
            raise Refusal(404, "ObjectNotFound")
        versions[:] = [one for one in versions if one.version != wanted]
    elif current is None:
        raise Refusal(404, "ObjectNotFound")
    elif request.headers.get("if-match", current.etag) != current.etag:
        raise Refusal(412, "IfMatchFailed")
    elif bucket.versioned:
        bucket.delete(key)
    else:
        versions.clear()
    if not bucket.objects[key]:
        del bucket.objects[key]
    return Answer(204)


def _create(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, *_PARTS)
    document = _document(request)
    name, meta = document.get("object"), document.get("metadata", {})
    if not isinstance(name, str) or not name or not all(each.startswith("opc-meta-") for each in meta):
        raise Refusal(400, "InvalidParameter")
    _check_absent(bucket, name, request)
    upload = f"upload-{next(_ids)}"
    bucket.uploads[upload] = Pending(name, meta)
    return json_answer(200, {"namespace": "x", "bucket": "x", "object": name, "uploadId": upload})


def _part(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, *_PARTS)
    pending = _pending(bucket, key, asked)
    number = asked.get("uploadPartNum", "")
    if set(asked) != {"uploadId", "uploadPartNum"} or not number.isdecimal() or not 1 <= int(number) <= MAX_PARTS:
        raise Refusal(400, "InvalidUploadPart")
    _check_content(request)
    etag = str(uuid.uuid4())
    pending.parts[int(number)] = (etag, request.body)
    return Answer(200, b"", {"etag": etag})


def _commit(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, *_PARTS)
    pending = _pending(bucket, key, asked)
    named = [(each["partNum"], each["etag"]) for each in _document(request).get("partsToCommit", [])]
    if not named or [number for number, _ in named] != sorted({number for number, _ in named}):
        raise Refusal(400, "InvalidParameter")
    # each part that was sent must be in the list: none is left out on purpose here
    if dict(named) != {number: etag for number, (etag, _) in pending.parts.items()}:
        raise Refusal(400, "InvalidUploadPart")
    contents = [pending.parts[number][1] for number, _ in named]
    if any(len(content) < MIN_PART for content in contents[:-1]):
        raise Refusal(400, "InvalidUploadPart")
    _check_absent(bucket, key, request)
    version = bucket.put(key, b"".join(contents), meta=pending.meta)
    del bucket.uploads[asked["uploadId"]]
    return Answer(200, b"", {"etag": version.etag, "version-id": version.version or ""})


def _abort(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, "OBJECT_DELETE")
    _pending(bucket, key, asked)
    del bucket.uploads[asked["uploadId"]]
    return Answer(204)


def _list(bucket: Bucket, allowed: frozenset[str], key: str, asked: Mapping[str, str], request: Request) -> Answer:
    _check(allowed, "BUCKET_READ")
    if not set(asked) <= {"limit", "page"}:
        raise Refusal(400, "InvalidParameter")
    found = sorted(bucket.uploads.items())
    start = int(asked.get("page") or 0)
    end = start + int(asked.get("limit", "100"))
    told = [
        {"namespace": "x", "bucket": "x", "object": one.key, "uploadId": upload} for upload, one in found[start:end]
    ]
    return json_answer(200, told, **({"opc-next-page": str(end)} if len(found) > end else {}))


def _check(allowed: frozenset[str], *needed: str) -> None:
    """OCI says the same to who may not as to who asks for what is not there."""
    if not set(needed) <= allowed:
        raise Refusal(404, "BucketNotFound")


def _check_content(request: Request) -> None:
    """The checksum that comes with a content is held against it; one that is not asked for is an error of ours."""
    if request.headers.get("opc-checksum-algorithm") != "SHA256":
        raise Refusal(400, "InvalidParameter")
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if request.headers.get("opc-content-sha256") != digest:
        raise Refusal(400, "UnmatchedContentSHA256")


def _check_absent(bucket: Bucket, key: str, request: Request) -> None:
    wanted = request.headers.get("if-none-match")
    if wanted not in {None, "*"}:
        raise Refusal(400, "InvalidParameter")
    if wanted == "*" and bucket.current(key) is not None:
        raise Refusal(412, "IfNoneMatchFailed")


def _pending(bucket: Bucket, key: str, asked: Mapping[str, str]) -> Pending:
    pending = bucket.uploads.get(asked.get("uploadId", ""))
    if pending is None or pending.key != key:
        raise Refusal(404, "NoSuchUpload")
    return pending


def _document(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError:
        raise Refusal(400, "InvalidJSON") from None
    if request.headers.get("content-type") != "application/json" or not isinstance(value, dict):
        raise Refusal(400, "InvalidJSON")
    return value


def _meta(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("opc-meta-")}
