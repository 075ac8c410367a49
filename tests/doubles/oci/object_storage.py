"""OCI Object Storage, as strict as the real service about signatures, permissions and parameters.

How it takes objects and removes them is in `object_writes`.

https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm and
https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import itertools
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.doubles.oci import object_writes
from tests.doubles.oci.identity_domain import IdentityDomain
from tests.doubles.oci.serving import Answer, Fault, Request, json_answer

SKEW = 300
"""Seconds between the date of a request and now."""
_FIELD = re.compile(r'([A-Za-z]+)="([^"]*)"')
_STATEMENT = re.compile(
    r"Allow group ('[^']+'/'[^']+') to read objects in compartment [^ ]+ where "
    r"(?:target\.bucket\.name = '([^']+)'"
    r"|all \{target\.bucket\.name = '([^']+)', any \{request\.permission = 'OBJECT_INSPECT', "
    r"target\.object\.name = '([^'*]*)\*'\}\})"
)
_PERMISSION = r"request\.permission = '[A-Z_]+'"
_WRITING = re.compile(
    r"Allow group ('[^']+'/'[^']+') to manage objects in compartment [^ ]+ where "
    rf"all \{{target\.bucket\.name = '([^']+)', any \{{({_PERMISSION}(?:, {_PERMISSION})*)\}}\}}"
)
_SERIAL = itertools.count(1)


@dataclass(frozen=True)
class Version:
    """One version of one object."""

    data: bytes
    etag: str
    version: str | None
    deleted: bool = False
    encoding: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    """Headers `opc-meta-…` that it was stored with."""


@dataclass
class Bucket:
    """Its objects, each with its versions, the newest last."""

    versioned: bool = True
    objects: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, object_writes.Pending] = field(default_factory=dict)
    """Those in parts that wait for their end, by id."""

    def put(self, key: str, data: bytes, encoding: str = "", meta: Mapping[str, str] | None = None) -> Version:
        number = f"v-{next(_SERIAL)}" if self.versioned else None
        version = Version(data, str(uuid.uuid4()), number, False, encoding, meta or {})
        self.objects[key] = [*(self.objects.get(key, []) if self.versioned else []), version]
        return version

    def delete(self, key: str) -> None:
        marker = Version(b"", str(uuid.uuid4()), f"v-{next(_SERIAL)}", True)
        self.objects[key] = [*self.objects[key], marker]

    def current(self, key: str) -> Version | None:
        versions = self.objects.get(key)
        return versions[-1] if versions and not versions[-1].deleted else None


@dataclass
class ObjectStorage:
    """The service: its script before, what it saw afterwards."""

    domain: IdentityDomain
    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    """By namespace and name."""
    policy: tuple[str, ...] = ()
    """Statements of IAM."""
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    """The users of each group, by its name as statements spell it."""
    versions_denied: bool = False
    page_size: int = 1000
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    def answer(self, request: Request) -> Answer:
        user = self._user(request)
        if user is None:
            return _error(401, "NotAuthenticated")
        path, _, query = request.target.partition("?")
        found = re.fullmatch(r"/n/([^/]+)/b/([^/]+)/(?:(o|objectversions)|o/(.+))", path)
        if request.method not in {"GET", "HEAD"} or re.search(r"/b/[^/]+/u\Z", path):
            return object_writes.answer(self, user, request)
        if found is None:
            return _error(404, "NotAuthorizedOrNotFound")
        namespace, name, listing, key = (unquote(part, errors="strict") if part else None for part in found.groups())
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        asked = dict(pairs)
        assert len(asked) == len(pairs), request.target
        bucket = self.buckets.get((namespace or "", name or ""))
        if bucket is None or not self._may(user, name or "", key):
            return _error(404, "BucketNotFound")
        if key is not None:
            return _object(bucket, key, asked, request)
        if listing == "objectversions":
            return _error(404, "BucketNotFound") if self.versions_denied else self._versions(bucket, asked)
        return self._objects(bucket, asked)

    def _user(self, request: Request) -> str | None:
        """Who signed the request; None where nobody did."""
        authorization = request.headers.get("authorization", "")
        scheme, _, rest = authorization.partition(" ")
        fields = dict(_FIELD.findall(rest))
        names = fields.get("headers", "").split(" ")
        principal = self.domain.principal(fields.get("keyId", "").removeprefix("ST$"))
        if (
            scheme != "Signature"
            or principal is None
            or not fields.get("keyId", "").startswith("ST$")
            or fields.get("algorithm") != "rsa-sha256"
            or fields.get("version") != "1"
            or not {"date", "host", "(request-target)"} <= set(names)
            or len(set(names)) != len(names)
            or request.headers.get("host") != self.address.removeprefix("http://")
        ):
            return None
        date = parsedate_to_datetime(request.headers["date"])
        now = datetime.datetime.fromtimestamp(self.domain.now(), datetime.UTC)
        if abs((date - now).total_seconds()) > SKEW:
            return None
        # a document is signed with the request; an object's content need not be ("Object Storage PUT")
        if request.method == "POST":
            digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
            if not {"content-length", "content-type", "x-content-sha256"} <= set(names) or (
                request.headers.get("x-content-sha256") != digest
            ):
                return None
        target = f"{request.method.lower()} {request.target}"
        signed = {**request.headers, "(request-target)": target}
        text = "\n".join(f"{name}: {signed[name]}" for name in names)
        try:
            principal[1].verify(
                base64.b64decode(fields.get("signature", ""), validate=True), text.encode("ascii"), PKCS1v15(), SHA256()
            )
        except (InvalidSignature, binascii.Error):
            return None
        return principal[0]

    def _may(self, user: str, bucket: str, key: str | None) -> bool:
        """Whether a statement allows it: OBJECT_INSPECT for listings, OBJECT_READ for an object."""
        for statement in self.policy:
            if _WRITING.fullmatch(statement):
                continue
            found = _STATEMENT.fullmatch(statement)
            assert found is not None, f"a statement that OCI would not take: {statement}"
            group, whole, part, prefix = found.groups()
            if user in self.groups.get(group, frozenset()) and bucket == (whole or part):
                return key is None or whole is not None or key.startswith(prefix)
        return False

    def permissions(self, user: str, bucket: str) -> frozenset[str]:
        """Those that a statement for writers names."""
        found: set[str] = set()
        for statement in self.policy:
            matched = _WRITING.fullmatch(statement)
            if matched and user in self.groups.get(matched[1], frozenset()) and bucket == matched[2]:
                found |= set(re.findall(r"'([A-Z_]+)'", matched[3]))
        return frozenset(found)

    def _objects(self, bucket: Bucket, asked: Mapping[str, str]) -> Answer:
        if not set(asked) <= {"prefix", "fields", "limit", "start", "delimiter"} or asked.get("delimiter", "/") != "/":
            return _error(400, "InvalidParameter")
        names = [
            key
            for key in sorted(bucket.objects)
            if bucket.current(key) and key.startswith(asked.get("prefix", "")) and key >= asked.get("start", "")
        ]
        limit = min(int(asked.get("limit", "1000")), self.page_size)
        if "delimiter" in asked:
            return self._rolled_up(bucket, names, asked, limit)
        objects = [_summary(key, current) for key in names[:limit] if (current := bucket.current(key))]
        following = {"nextStartWith": names[limit]} if len(names) > limit else {}
        return json_answer(200, {"objects": objects, "prefixes": [], **following})

    def _rolled_up(self, bucket: Bucket, names: list[str], asked: Mapping[str, str], limit: int) -> Answer:
        """Names up to the next `/` as prefixes; the next page starts with the first name that is in none so far."""
        prefix = asked.get("prefix", "")
        groups: dict[str, list[str]] = {}
        for key in names:
            inside, slash, _ = key.removeprefix(prefix).partition("/")
            groups.setdefault(f"{prefix}{inside}{slash}", []).append(key)
        page, rest = list(groups)[:limit], list(groups)[limit:]
        objects = [_summary(key, one) for key in page if not key.endswith("/") and (one := bucket.current(key))]
        following = {"nextStartWith": groups[rest[0]][0]} if rest else {}
        folders = [name for name in page if name.endswith("/")]
        return json_answer(200, {"objects": objects, "prefixes": folders, **following})

    def _versions(self, bucket: Bucket, asked: Mapping[str, str]) -> Answer:
        if not set(asked) <= {"prefix", "fields", "limit", "page"}:
            return _error(400, "InvalidParameter")
        items = list(_items(bucket, asked.get("prefix", "")))
        start = int(base64.b64decode(asked["page"])) if "page" in asked else 0
        end = start + min(int(asked.get("limit", "1000")), self.page_size)
        following = {"opc-next-page": base64.b64encode(str(end).encode()).decode()} if end < len(items) else {}
        return json_answer(200, {"items": items[start:end], "prefixes": []}, **following)


def _items(bucket: Bucket, prefix: str) -> Iterator[dict[str, Any]]:
    for key in sorted(bucket.objects):
        if key.startswith(prefix):
            for one in reversed(bucket.objects[key]):
                # What was deleted has neither a size nor an ETag.
                gone = {"size": None, "etag": None} if one.deleted else {}
                yield {**_summary(key, one), **gone, "versionId": one.version, "isDeleteMarker": one.deleted}


def _summary(key: str, one: Version) -> dict[str, Any]:
    modified = "2026-11-02T03:04:05.678Z"
    return {"name": key, "size": len(one.data), "etag": one.etag, "timeModified": modified}


def _object(bucket: Bucket, key: str, asked: Mapping[str, str], request: Request) -> Answer:
    if not set(asked) <= {"versionId"}:
        return _error(400, "InvalidParameter")
    wanted = asked.get("versionId")
    if wanted is None:
        found = bucket.current(key)
    else:
        found = next((one for one in bucket.objects.get(key, []) if one.version == wanted and not one.deleted), None)
    if found is None:
        return _error(404, "ObjectNotFound")
    if request.headers.get("if-match", found.etag) != found.etag:
        return _error(412, "IfMatchFailed")
    headers = {"etag": found.etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    headers |= {"version-id": found.version} if found.version else {}
    headers |= {"Content-Encoding": found.encoding} if found.encoding else {}
    headers |= found.meta
    span = request.headers.get("range")
    if span is None:
        return Answer(200, found.data, headers)
    limits = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", span)
    if limits is None or int(limits[1]) >= len(found.data):
        return _error(416, "InvalidRange")
    first, last = int(limits[1]), min(int(limits[2]), len(found.data) - 1)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(found.data)}"
    return Answer(206, found.data[first : last + 1], headers)


def _error(status: int, code: str) -> Answer:
    return json_answer(status, {"code": code, "message": f"Either it does not exist, or you are not allowed: {code}"})
