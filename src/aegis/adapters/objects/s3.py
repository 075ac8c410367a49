"""Objects in S3, and in stores that speak its protocol.

Requests are made and signed here (`store_http`, `aws.signature`): no environment variable, no configuration file and no
redirect has a say in where they go.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from aegis.adapters.aws.signature import signed_headers, target
from aegis.adapters.http.header import is_visible
from aegis.adapters.objects.s3_address import REGION, bucket_address
from aegis.adapters.objects.s3_documents import (
    MAX_DOCUMENT,
    Page,
    error_code,
    parse_folders,
    parse_objects,
    parse_versions,
    repeated,
)
from aegis.adapters.objects.store_http import TIMEOUT, Origin, Reply, whole
from aegis.adapters.objects.store_replies import check_body, info_of, quoted
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults
from aegis.storage.patience import Clock, Patience, retried

MAX_OBJECTS = 100_000
"""Of one prefix, with their old versions; ten times what the largest model repositories hold."""
PAGE = 1000
"""Entries of a listing that are asked for at once: the most that S3 gives."""
_DENIED = frozenset({"ExpiredToken", "TokenRefreshRequired", "InvalidToken"})
"""Refusals of credentials that come as 400."""
_NO_VERSIONS = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed"})
"""How roles and stores say that versions are not listed."""

_Query = tuple[tuple[str, str], ...]


class S3Store:
    """One bucket. Fulfils `aegis.core.ports.objects.ObjectStore`."""

    def __init__(
        self,
        bucket: str,
        region: str,
        credentials: AwsCredentialSource,
        *,
        endpoint: str | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        utc: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """`endpoint`: of an S3-compatible store, `https://host[:port]`; None for AWS. `timeout`: seconds of silence.

        `UsageError` `verify.source_invalid`, `verify.region_invalid` or `verify.endpoint_invalid` where the arguments
        name no place.
        """
        address, self._path = bucket_address(bucket, region, endpoint)
        self._bucket, self._region = bucket, region
        self._origin = Origin(address, timeout=timeout)
        self._credentials = credentials
        self._patience, self._clock, self._utc = patience or Patience(), clock or Clock(), utc

    @property
    def location(self) -> str:
        """For messages and evidence."""
        return f"s3://{self._bucket}"

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key starts with the prefix, in its latest version, by key.

        Where versions may not be listed (`s3:ListBucketVersions`), `version` is None, and an object is held fast by
        its ETag alone.
        """
        return self._latest(prefix)[0]

    def removed(self, prefix: str) -> Sequence[str]:
        """Keys below a prefix whose object was deleted, and of which the bucket keeps versions, by name.

        None where versions are not kept, or may not be listed.
        """
        return self._latest(prefix)[1]

    def _latest(self, prefix: str) -> tuple[tuple[ObjectInfo, ...], tuple[str, ...]]:
        """The objects below a prefix, and the keys that have old versions only; both by key."""
        objects: dict[str, ObjectInfo] = {}
        seen: set[tuple[str, str]] = set()
        page = self._first_page(prefix, PAGE)
        while True:
            again = repeated(seen, page.names)
            if again is not None or (page.next is not None and not page.names):
                raise faults.bad_listing(self._where(prefix), f"the listing repeats itself at {(again or '')[:200]!r}")
            for info in page.objects:
                if objects.setdefault(info.key, info) is not info:
                    raise faults.bad_listing(self._where(info.key), "the listing has two latest versions of it")
            if len(seen) > MAX_OBJECTS:
                raise faults.too_many(self._where(prefix), MAX_OBJECTS)
            if page.next is None:
                gone = {key for key, _ in seen} - objects.keys()
                return tuple(objects[key] for key in sorted(objects)), tuple(sorted(gone))
            page = self._page(prefix, PAGE, page.versions, page.next)

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders right below a prefix that hold an object which is not deleted, by name."""
        where = self._where(prefix)
        query: _Query = (("list-type", "2"), ("prefix", prefix), ("delimiter", "/"), ("encoding-type", "url"))
        found: dict[str, None] = {}
        tokens: set[str] = set()
        follow: _Query = ()
        while True:
            document = self._listing((*query, ("max-keys", str(PAGE)), *follow), where)
            folders, token = parse_folders(document, where, prefix)
            again = next((folder for folder in folders if folder in found), None)
            if again is not None or token in tokens:
                raise faults.bad_listing(where, f"the listing repeats itself at {(again or '')[:200]!r}")
            found.update(dict.fromkeys(folders))
            if len(found) > MAX_OBJECTS or len(tokens) > MAX_OBJECTS // PAGE:
                raise faults.too_many(where, MAX_OBJECTS)
            if token is None:
                return tuple(sorted(found))
            tokens.add(token)
            follow = (("continuation-token", token),)

    def head(self, key: str) -> ObjectInfo | None:
        """The current version of one object; None where there is none."""
        try:
            return retried(lambda: self._head(key), self._patience, self._clock)
        except CouldNotDecide as error:
            if error.code == "verify.store_missing":
                return None
            # Who may list only some prefixes is not told whether an object exists
            # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html): a listing says it.
            if error.code != "verify.store_denied" or self._is_listed(key):
                raise
            return None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        """The bytes of exactly this version from offset `start`; asked for once, without retries."""
        where = self._where(info.key)
        query = (("versionId", info.version),) if info.version else ()
        headers = {"If-Match": quoted(info.etag)} if info.etag else {}
        if start:
            headers["Range"] = f"bytes={start}-{info.size - 1}"
        with self._ask("GET", info.key, query, headers, where) as reply:
            self._check(reply, where)
            check_body(reply, info, start, where, version=reply.headers.get("x-amz-version-id"))
            yield from reply.body

    def _head(self, key: str) -> ObjectInfo:
        where = self._where(key)
        with self._ask("HEAD", key, (), {}, where) as reply:
            self._check(reply, where)
            version = reply.headers.get("x-amz-version-id")
            return info_of(reply, key, where, version=None if version == "null" else version)

    def _is_listed(self, key: str) -> bool:
        """Whether there is such an object. A listing begins with the latest version of the key that is its prefix."""
        return any(info.key == key for info in self._first_page(key, 1).objects)

    def _first_page(self, prefix: str, size: int) -> Page:
        try:
            return self._page(prefix, size, versions=True)
        except _NoVersionsError:
            return self._page(prefix, size, versions=False)

    def _page(self, prefix: str, size: int, versions: bool, follow: _Query = ()) -> Page:
        where = self._where(prefix)
        kind = ("versions", "") if versions else ("list-type", "2")
        query = (kind, ("prefix", prefix), ("encoding-type", "url"), ("max-keys", str(size)), *follow)
        document = self._listing(query, where, versions=versions and not follow)
        return parse_versions(document, where, prefix) if versions else parse_objects(document, where, prefix)

    def _listing(self, query: _Query, where: str, *, versions: bool = False) -> bytes:
        """One page. `versions`: raise `_NoVersionsError` where the store does not list them."""

        def ask() -> bytes:
            with self._ask("GET", "", query, {}, where) as reply:
                document = whole(reply, MAX_DOCUMENT, where)
                if reply.status != 200 and versions and error_code(document) in _NO_VERSIONS:
                    raise _NoVersionsError
                if reply.status != 200:
                    raise self._refusal(reply, error_code(document), where)
                return document

        return retried(ask, self._patience, self._clock)

    def _ask(
        self,
        method: str,
        key: str,
        query: _Query,
        headers: Mapping[str, str],
        where: str,
        *,
        content: bytes | memoryview | None = None,
        fresh: bool = False,
    ) -> AbstractContextManager[Reply]:
        address = target(f"{self._path}/{key}", query)
        credentials = self._credentials()
        for text in (credentials.access_key, credentials.secret_key, credentials.token or "-"):
            if not text or not is_visible(text):
                raise faults.denied(where, "the credentials are empty or hold characters that none have")
        signed = signed_headers(
            method,
            address,
            {"Host": self._origin.host, **headers},
            credentials,
            region=self._region,
            now=self._utc(),
            payload=hashlib.sha256(content or b"").hexdigest(),
        )
        return self._origin.request(method, address, signed, where, content=content, fresh=fresh)

    def _check(self, reply: Reply, where: str) -> None:
        if reply.status not in {200, 206}:
            raise self._refusal(reply, error_code(whole(reply, MAX_DOCUMENT, where)), where)

    def _refusal(self, reply: Reply, code: str, where: str) -> CouldNotDecide:
        """What an answer that is no success means (…/API/ErrorResponses.html). Answers to HEAD have no code."""
        said = f"{reply.status} {code}".strip()
        if 300 <= reply.status < 400 or code in {"AuthorizationHeaderMalformed", "PermanentRedirect"}:
            region = reply.headers.get("x-amz-bucket-region", "")
            return faults.redirected(where, f"region {region}" if REGION.fullmatch(region) else "another address")
        if reply.status in {401, 403} or code in _DENIED:
            return faults.denied(where, said)
        if reply.status == 404:
            return faults.missing(where, said)
        if reply.status == 412:
            return faults.changed(where, said)
        if reply.status == 416:
            return faults.wrong_range(where, said, "the rest of the object")
        return faults.failed(where, said)

    def _where(self, key: str) -> str:
        return f"{self.location}/{key}"


class _NoVersionsError(Exception):
    """Versions may not be listed. Never leaves this module."""
