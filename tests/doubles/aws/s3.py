"""An S3 on loopback that checks who asks, and refuses what S3 refuses.

https://docs.aws.amazon.com/AmazonS3/latest/API/: GetObject, HeadObject, ListObjectVersions, ListObjectsV2,
GetBucketLocation, and those of `s3_writes`; path-style. Anything else is 501.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import sys
import threading
import time
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, quote_plus, unquote
from xml.sax.saxutils import escape

from tests.doubles.aws import s3_writes
from tests.doubles.aws.s3_faults import Fault
from tests.doubles.aws.sigv4 import Authorizer, Denied, authenticate

ACCESS_KEY = "ASIA" + "EXAMPLE0KEY00000"
SECRET_KEY = "s3cr3t/" + "kEy" * 11
TOKEN = "t0ken//" + "aBc" * 20


@dataclass(frozen=True)
class Key:
    """One principal, who may do everything but what is denied: for tests that are not about permissions."""

    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    token: str | None = TOKEN
    denied: frozenset[str] = frozenset()
    """Actions."""

    def secret(self, access_key: str) -> tuple[str, str | None] | None:
        return (self.secret_key, self.token) if access_key == self.access_key else None

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        return action not in self.denied


@dataclass(frozen=True)
class Version:
    """One state of an object; deleted where it has no data."""

    id: str
    data: bytes | None
    etag: str = ""
    encoding: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    """Headers `x-amz-meta-…` that it was stored with."""


@dataclass(frozen=True)
class Asked:
    """One request that was let in."""

    operation: str
    key: str
    query: Mapping[str, str]
    range: str | None
    match: str | None
    """The ETag in `If-Match`."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the double
    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.answer = _error(status, code, headers)


@dataclass
class S3:
    """The service: its buckets and script before, what it saw afterwards."""

    buckets: dict[str, dict[str, list[Version]]] = field(default_factory=lambda: {"models": {}})
    authorizer: Authorizer = field(default_factory=Key)
    region: str = "eu-central-1"
    versioned: bool = True
    object_lock: Literal["none", "held", "forgotten"] = "none"
    """Whether buckets were made with Object Lock; `forgotten`: by a store that takes the wish and does nothing."""
    page_size: int = 1000
    faults: list[Fault] = field(default_factory=list)
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    """Bytes of objects that were sent."""
    uploads: dict[str, s3_writes.Pending] = field(default_factory=dict)
    """Those in parts that wait for their end, by id."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    def put(self, key: str, data: bytes, *, bucket: str = "models", encoding: str | None = None) -> str:
        """Store an object; its version id. ETags are as arbitrary as they may be."""
        versions = self.buckets[bucket].setdefault(key, [])
        number = len(versions)
        identity = f"v{number}.{hashlib.sha256(key.encode()).hexdigest()[:12]}" if self.versioned else "null"
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}-{number + 1}"'
        versions[:0] = [Version(identity, data, etag, encoding)]
        if not self.versioned:
            del versions[1:]
        return identity

    def delete(self, key: str, *, bucket: str = "models") -> None:
        """Delete an object, as a versioned bucket does: by a marker."""
        versions = self.buckets[bucket][key]
        versions[:0] = [Version(f"d{len(versions)}", None)]

    def answer(self, method: str, raw: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault | None]:
        """What to say to a request, and the fault that meets it."""
        path, _, text = raw.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        try:
            access = authenticate(
                method,
                raw,
                headers,
                body,
                authorizer=self.authorizer,
                region=self.region,
                service="s3",
                now=self.now(),
            )
            operation, handle = self._operation(method, key, query, body)
        except Denied as error:
            return _error(error.status, error.code), None
        except Refusal as error:
            return error.answer, None
        self.asked.append(Asked(operation, key, query, headers.get("range"), headers.get("if-match")))
        fault = next((fault for fault in self.faults if fault.meets(operation, key)), None)
        if fault is not None and fault.meanwhile is not None:
            fault.meanwhile(self)
        try:
            if bucket not in self.buckets:
                raise Refusal(404, "NoSuchBucket")
            if fault is not None and (fault.status or fault.drop) and not fault.done:
                return _error(fault.status, fault.code), fault
            answer = handle(access, bucket, key, query, headers)
        except Refusal as error:
            answer = error.answer
        if fault is not None and fault.status:
            answer = _error(fault.status, fault.code)
        return answer, fault

    def current(self, bucket: str, key: str) -> Version | None:
        """The object of this key, if there is one."""
        versions = self.buckets[bucket].get(key, [])
        return versions[0] if versions and versions[0].data is not None else None

    def add(self, bucket: str, key: str, data: bytes, etag: str, meta: Mapping[str, str]) -> Version:
        """Store an object over what was there."""
        versions = self.buckets[bucket].setdefault(key, [])
        identity = f"w{len(versions)}.{hashlib.sha256(key.encode()).hexdigest()[:12]}" if self.versioned else "null"
        versions[:0] = [Version(identity, data, etag, None, meta)]
        if not self.versioned:
            del versions[1:]
        return versions[0]

    def _operation(self, method: str, key: str, query: Mapping[str, str], body: bytes) -> tuple[str, _Handler_]:
        if method in {"GET", "HEAD"} and key and set(query) <= {"versionId"}:
            return ("GetObject" if method == "GET" else "HeadObject"), self._object
        if method == "GET" and not key and "versions" in query:
            return "ListObjectVersions", self._list_versions
        if method == "GET" and not key and query.get("list-type") == "2":
            return "ListObjectsV2", self._list_objects
        if method == "GET" and not key and "location" in query:
            return "GetBucketLocation", self._location
        writing = s3_writes.operation(method, key, query)
        if writing is not None:
            name, do = writing
            return name, lambda access, bucket, key, query, headers: do(self, access, bucket, key, query, headers, body)
        raise Refusal(501, "NotImplemented")

    def may(self, access: str, action: str, resource: str, **context: str) -> bool:
        arn = f"arn:aws:s3:::{resource}"
        conditions = {f"s3:{name}": value for name, value in context.items()}
        return self.authorizer.allowed(access, action, arn, {**conditions, "aws:SecureTransport": "false"})

    def _object(
        self, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        wanted = query.get("versionId")
        if not self.may(access, "s3:GetObject" if wanted is None else "s3:GetObjectVersion", f"{bucket}/{key}"):
            raise Refusal(403, "AccessDenied")
        versions = self.buckets[bucket].get(key, [])
        if wanted is not None:
            versions = [version for version in versions if version.id == wanted]
        if not versions or versions[0].data is None:
            # Whether an object exists is told only to those who may list the bucket.
            if not self.may(access, "s3:ListBucket", bucket):
                raise Refusal(403, "AccessDenied")
            raise Refusal(404, "NoSuchKey" if wanted is None else "NoSuchVersion")
        version, data = versions[0], versions[0].data
        if headers.get("if-match", version.etag) not in {version.etag, "*"}:
            raise Refusal(412, "PreconditionFailed")
        told = {"ETag": version.etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if self.versioned:
            told["x-amz-version-id"] = version.id
        # userguide/object-lock-managing.html: what holds an object is told to those who may ask for it
        hidden = not self.may(access, "s3:GetObjectRetention", f"{bucket}/{key}")
        told.update({name: value for name, value in version.meta.items() if not (hidden and "object-lock" in name)})
        if version.encoding is not None:
            told["Content-Encoding"] = version.encoding
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if span is None:
            return Answer(200, told, data)
        start, end = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
        if start > end:
            raise Refusal(416, "InvalidRange", {"Content-Range": f"bytes */{len(data)}"})
        return Answer(206, {**told, "Content-Range": f"bytes {start}-{end}/{len(data)}"}, data[start : end + 1])

    def _list_versions(
        self, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        prefix = query.get("prefix", "")
        if not self.may(access, "s3:ListBucketVersions", bucket, **_prefix(query)):
            raise Refusal(403, "AccessDenied")
        entries = [
            (name, version, version is versions[0])
            for name, versions in sorted(self.buckets[bucket].items(), key=lambda item: item[0].encode())
            for version in versions
            if name.startswith(prefix)
        ]
        after = (query.get("key-marker", ""), query.get("version-id-marker"))
        start = 0
        if after[0]:
            passed = [n for n, (name, version, _) in enumerate(entries) if after in {(name, version.id), (name, None)}]
            start = passed[-1] + 1 if passed else len(entries)
        page = entries[start : start + self._limit(query)]
        truncated = start + len(page) < len(entries)
        lines = [_version_line(name, version, latest, query) for name, version, latest in page]
        if truncated:
            lines.append(_tag("NextKeyMarker", _name(page[-1][0], query)) + _tag("NextVersionIdMarker", page[-1][1].id))
        return _listing("ListVersionsResult", bucket, query, truncated, lines)

    def _list_objects(
        self, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        prefix = query.get("prefix", "")
        if not self.may(access, "s3:ListBucket", bucket, **_prefix(query)):
            raise Refusal(403, "AccessDenied")
        if "delimiter" in query:
            return self._list_folders(bucket, query)
        # `start-after` names a key, which need not be there, and counts for the first page only.
        after = b64decode(query.get("continuation-token", "")).decode() or query.get("start-after", "")
        entries = [
            (name, versions[0])
            for name, versions in sorted(self.buckets[bucket].items(), key=lambda item: item[0].encode())
            if name.startswith(prefix) and versions[0].data is not None and name.encode() > after.encode()
        ]
        page = entries[: self._limit(query)]
        lines = [f"<Contents>{_about(name, version, query)}</Contents>" for name, version in page]
        truncated = len(page) < len(entries)
        if truncated:
            lines.append(_tag("NextContinuationToken", b64encode(page[-1][0].encode()).decode()))
        return _listing("ListBucketResult", bucket, query, truncated, lines)

    def _list_folders(self, bucket: str, query: Mapping[str, str]) -> Answer:
        """Keys that have the delimiter after the prefix are rolled up into one entry, which counts as one.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        prefix, delimiter = query.get("prefix", ""), query["delimiter"]
        after = b64decode(query.get("continuation-token", "")).decode()
        entries: dict[str, str] = {}
        for name, versions in sorted(self.buckets[bucket].items(), key=lambda item: item[0].encode()):
            if not name.startswith(prefix) or versions[0].data is None:
                continue
            inside, found, _ = name.removeprefix(prefix).partition(delimiter)
            if found:
                folder = f"{prefix}{inside}{delimiter}"
                entries.setdefault(folder, f"<CommonPrefixes>{_tag('Prefix', _name(folder, query))}</CommonPrefixes>")
            else:
                entries[name] = f"<Contents>{_about(name, versions[0], query)}</Contents>"
        left = [name for name in entries if name.encode() > after.encode()]
        page = left[: self._limit({name: text for name, text in query.items() if name != "delimiter"})]
        lines = [_tag("Delimiter", _name(delimiter, query)), *(entries[name] for name in page)]
        if len(page) < len(left):
            lines.append(_tag("NextContinuationToken", b64encode(page[-1].encode()).decode()))
        return _listing("ListBucketResult", bucket, query, len(page) < len(left), lines)

    def _location(
        self, access: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        if not self.may(access, "s3:GetBucketLocation", bucket):
            raise Refusal(403, "AccessDenied")
        return xml(200, f'<LocationConstraint xmlns="{_NAMESPACE}">{self.region}</LocationConstraint>')

    def _limit(self, query: Mapping[str, str]) -> int:
        if "delimiter" in query or ("start-after" in query and "versions" in query):
            raise Refusal(501, "NotImplemented")
        return min(int(query.get("max-keys", "1000")), self.page_size)


_Handler_ = Callable[[str, str, str, Mapping[str, str], Mapping[str, str]], Answer]
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def _prefix(query: Mapping[str, str]) -> dict[str, str]:
    return {"prefix": query["prefix"]} if "prefix" in query else {}


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _name(key: str, query: Mapping[str, str]) -> str:
    return quote_plus(key, safe="/") if query.get("encoding-type") == "url" else key


def _about(key: str, version: Version, query: Mapping[str, str]) -> str:
    stamp = _tag("LastModified", "2026-01-02T03:04:05.000Z")
    name = _tag("Key", _name(key, query))
    if version.data is None:
        return name + stamp
    return name + stamp + _tag("ETag", version.etag) + _tag("Size", str(len(version.data)))


def _version_line(key: str, version: Version, latest: bool, query: Mapping[str, str]) -> str:
    tag = "DeleteMarker" if version.data is None else "Version"
    told = _tag("VersionId", version.id) + _tag("IsLatest", str(latest).lower())
    return f"<{tag}>{_about(key, version, query)}{told}</{tag}>"


def _listing(tag: str, bucket: str, query: Mapping[str, str], truncated: bool, lines: list[str]) -> Answer:
    about = _tag("Name", bucket) + _tag("Prefix", _name(query.get("prefix", ""), query))
    encoding = _tag("EncodingType", "url") if query.get("encoding-type") == "url" else ""
    more = _tag("IsTruncated", str(truncated).lower())
    return xml(200, f'<{tag} xmlns="{_NAMESPACE}">{about}{encoding}{more}{"".join(lines)}</{tag}>')


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Answer:
    answer = xml(status, f"<Error>{_tag('Code', code)}{_tag('Message', 'no')}{_tag('RequestId', '0A1B')}</Error>")
    answer.headers.update(headers or {})
    return answer


def xml(status: int, text: str) -> Answer:
    return Answer(
        status, {"Content-Type": "application/xml"}, b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()
    )


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, fault = self.server.s3.answer(self.command, self.path, headers, body)
        if fault is not None:
            time.sleep(fault.silence)
            answer.body = fault.edit(answer.body) if fault.edit else answer.body
            if fault.drop:
                self.close_connection = True
                return
        told: dict[str, str | None] = {**answer.headers, "Content-Length": str(len(answer.body))}
        told.update(fault.headers if fault is not None else {})
        self.send_response(answer.status)
        for name, value in told.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send(answer.body, fault)

    def _send(self, body: bytes, fault: Fault | None) -> None:
        if fault is not None and fault.cut is not None:
            body = body[: fault.cut]
            self.close_connection = True
        if fault is not None and fault.headers.get("Content-Length", "") is not None and fault.headers:
            self.close_connection = True
        step = 1 if fault is not None and fault.trickle else 64 * 1024
        for start in range(0, len(body), step):
            part = body[start : start + step]
            self.server.s3.sent += len(part)
            self.wfile.write(part)
            if fault is not None and fault.trickle:
                time.sleep(fault.trickle)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `asked`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    s3: S3

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the play; any other error is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


@contextmanager
def serve(s3: S3) -> Iterator[S3]:
    """Serve it on a free port of 127.0.0.1 until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.s3 = s3
    s3.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
