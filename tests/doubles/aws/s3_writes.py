"""How S3 takes objects, whole and in parts, and removes them.

https://docs.aws.amazon.com/AmazonS3/latest/API/: PutObject, DeleteObject, CreateMultipartUpload, UploadPart,
CompleteMultipartUpload, AbortMultipartUpload, ListMultipartUploads; limits:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from tests.doubles.aws.s3 import S3, Answer, Version

MIN_PART = 5 * 1024 * 1024
MAX_PARTS = 10_000
_ids = itertools.count(1)


@dataclass
class Pending:
    """An upload in parts that waits for its end."""

    bucket: str
    key: str
    meta: Mapping[str, str]
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)


_Do = Callable[["S3", str, str, str, Mapping[str, str], Mapping[str, str], bytes], "Answer"]


def operation(method: str, key: str, query: Mapping[str, str]) -> tuple[str, _Do] | None:
    """The name of what is asked for, and what does it."""
    names = set(query)
    if not key:
        return (
            ("ListMultipartUploads", _list)
            if method == "GET" and {"uploads"} <= names <= {"uploads", "prefix"}
            else None
        )
    known: dict[tuple[str, frozenset[str]], tuple[str, _Do]] = {
        ("PUT", frozenset()): ("PutObject", _put),
        ("DELETE", frozenset()): ("DeleteObject", _delete),
        ("DELETE", frozenset({"versionId"})): ("DeleteObject", _delete),
        ("POST", frozenset({"uploads"})): ("CreateMultipartUpload", _create),
        ("PUT", frozenset({"partNumber", "uploadId"})): ("UploadPart", _part),
        ("POST", frozenset({"uploadId"})): ("CompleteMultipartUpload", _complete),
        ("DELETE", frozenset({"uploadId"})): ("AbortMultipartUpload", _abort),
    }
    return known.get((method, frozenset(names)))


def _put(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    _check(s3, access, "s3:PutObject", f"{bucket}/{key}")
    _check_sum(s3, headers, body)
    retention = _retention(s3, access, bucket, key, headers)
    with s3.lock:
        _check_absent(s3, bucket, key, headers)
        version = s3.add(bucket, key, body, f'"{_md5(body).hex()}"', {**_meta(headers), **retention})
    return _stored(s3, version.id, version.etag)


def _delete(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import Answer, Version

    wanted = query.get("versionId")
    _check(s3, access, "s3:DeleteObject" if wanted is None else "s3:DeleteObjectVersion", f"{bucket}/{key}")
    with s3.lock:
        versions = s3.buckets[bucket].get(key, [])
        if wanted is not None:
            _check_not_held(s3, [version for version in versions if version.id == wanted])
            versions[:] = [version for version in versions if version.id != wanted]
        elif s3.versioned:
            s3.buckets[bucket].setdefault(key, [])[:0] = [Version(f"d{len(versions)}", None)]
        else:
            versions.clear()
        if not s3.buckets[bucket].get(key):
            s3.buckets[bucket].pop(key, None)
    return Answer(204, {}, b"")


def _create(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import xml

    _check(s3, access, "s3:PutObject", f"{bucket}/{key}")
    upload = f"u{next(_ids)}"
    s3.uploads[upload] = Pending(bucket, key, _meta(headers))
    told = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
    return xml(200, f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>")


def _part(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import Answer, Refusal

    _check(s3, access, "s3:PutObject", f"{bucket}/{key}")
    number = query["partNumber"]
    if not number.isdecimal() or not 1 <= int(number) <= MAX_PARTS:
        raise Refusal(400, "InvalidArgument")
    etag = f'"{_md5(body).hex()}"'
    _pending(s3, bucket, key, query).parts[int(number)] = (etag, body)
    return Answer(200, {"ETag": etag}, b"")


def _complete(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import Refusal, xml

    _check(s3, access, "s3:PutObject", f"{bucket}/{key}")
    with s3.lock:
        pending = _pending(s3, bucket, key, query)
        named = _named(body)
        if [number for number, _ in named] != sorted({number for number, _ in named}):
            raise Refusal(400, "InvalidPartOrder")
        for number, etag in named:
            if pending.parts.get(number, ("", b""))[0].strip('"') != etag.strip('"'):
                raise Refusal(400, "InvalidPart")
        contents = [pending.parts[number][1] for number, _ in named]
        if any(len(content) < MIN_PART for content in contents[:-1]):
            raise Refusal(400, "EntityTooSmall")
        _check_absent(s3, bucket, key, headers)
        etag = f'"{_md5(b"".join(map(_md5, contents))).hex()}-{len(contents)}"'
        version = s3.add(bucket, key, b"".join(contents), etag, pending.meta)
        del s3.uploads[query["uploadId"]]
    answer = xml(200, f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>")
    answer.headers.update(_stored(s3, version.id, etag).headers)
    return answer


def _abort(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import Answer

    _check(s3, access, "s3:AbortMultipartUpload", f"{bucket}/{key}")
    _pending(s3, bucket, key, query)
    del s3.uploads[query["uploadId"]]
    return Answer(204, {}, b"")


def _list(
    s3: S3, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Answer:
    from tests.doubles.aws.s3 import xml

    _check(s3, access, "s3:ListBucketMultipartUploads", bucket)
    lines = [
        f"<Upload><Key>{escape(pending.key)}</Key><UploadId>{upload}</UploadId></Upload>"
        for upload, pending in sorted(s3.uploads.items())
        if pending.bucket == bucket and pending.key.startswith(query.get("prefix", ""))
    ]
    told = f"<Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{''.join(lines)}"
    return xml(200, f"<ListMultipartUploadsResult>{told}</ListMultipartUploadsResult>")


def _named(body: bytes) -> list[tuple[int, str]]:
    """Numbers and ETags of the list that ends an upload."""
    from tests.doubles.aws.s3 import Refusal

    try:
        root = ElementTree.fromstring(body)
        for element in root.iter():  # clients name S3's namespace, or none
            element.tag = element.tag.rpartition("}")[2]
        parts = [(int(part.findtext("PartNumber", "")), part.findtext("ETag", "")) for part in root.iterfind("Part")]
    except (ElementTree.ParseError, ValueError):
        parts, root = [], ElementTree.Element("none")
    if root.tag != "CompleteMultipartUpload" or not parts:
        raise Refusal(400, "MalformedXML")
    return parts


def _pending(s3: S3, bucket: str, key: str, query: Mapping[str, str]) -> Pending:
    from tests.doubles.aws.s3 import Refusal

    pending = s3.uploads.get(query["uploadId"])
    if pending is None or (pending.bucket, pending.key) != (bucket, key):
        raise Refusal(404, "NoSuchUpload")
    return pending


def _check(s3: S3, access: str, action: str, resource: str) -> None:
    from tests.doubles.aws.s3 import Refusal

    if not s3.may(access, action, resource):
        raise Refusal(403, "AccessDenied")


def _check_absent(s3: S3, bucket: str, key: str, headers: Mapping[str, str]) -> None:
    """The condition of a write: `*` is the only one that S3 knows here."""
    from tests.doubles.aws.s3 import Refusal

    wanted = headers.get("if-none-match")
    if wanted not in {None, "*"}:
        raise Refusal(501, "NotImplemented")
    if wanted == "*" and s3.current(bucket, key) is not None:
        raise Refusal(412, "PreconditionFailed")


_MODE, _UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"


def _retention(s3: S3, access: str, bucket: str, key: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Object Lock, as userguide/object-lock.html has it: both headers or none, and a day in the future."""
    from tests.doubles.aws.s3 import Refusal

    asked = {name: headers[name] for name in (_MODE, _UNTIL) if name in headers}
    if not asked or s3.object_lock == "forgotten":
        return {}
    if s3.object_lock == "none":
        raise Refusal(400, "InvalidRequest")
    _check(s3, access, "s3:PutObjectRetention", f"{bucket}/{key}")
    if len(asked) != 2 or asked[_MODE] not in {"GOVERNANCE", "COMPLIANCE"} or _moment(asked[_UNTIL]) <= s3.now():
        raise Refusal(400, "InvalidArgument")
    return asked


def _check_not_held(s3: S3, versions: list[Version]) -> None:
    from tests.doubles.aws.s3 import Refusal

    if any(_UNTIL in version.meta and _moment(version.meta[_UNTIL]) > s3.now() for version in versions):
        raise Refusal(403, "AccessDenied")


def _moment(text: str) -> datetime.datetime:
    from tests.doubles.aws.s3 import Refusal

    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise Refusal(400, "InvalidArgument") from error


def _check_sum(s3: S3, headers: Mapping[str, str], body: bytes) -> None:
    """A bucket with Object Lock takes nothing without one (API_PutObject.html, `Content-MD5`)."""
    from tests.doubles.aws.s3 import Refusal

    given = headers.get("x-amz-checksum-sha256")
    if given is None and s3.object_lock == "held":
        raise Refusal(400, "InvalidRequest")
    if given is not None and given != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise Refusal(400, "BadDigest")


def _stored(s3: S3, version: str, etag: str) -> Answer:
    from tests.doubles.aws.s3 import Answer

    return Answer(200, {"ETag": etag, **({"x-amz-version-id": version} if s3.versioned else {})}, b"")


def _meta(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
