"""Objects in OCI Object Storage.

https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/. Requests are made here (`store_http`) and signed by
`oci.signing`: no environment variable, no configuration file and no redirect has a say in where they go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from aegis.adapters.http.call import is_safe
from aegis.adapters.objects.oci_documents import MAX_DOCUMENT, error_code, parse_folders, parse_objects, parse_versions
from aegis.adapters.objects.store_http import TIMEOUT, Origin, Reply, whole
from aegis.adapters.objects.store_replies import check_body, info_of
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults
from aegis.storage.location import parse_location
from aegis.storage.patience import Clock, Patience, retried

MAX_OBJECTS = 100_000
"""Of one prefix, and of their versions; ten times what the largest model repositories hold."""
PAGE = "1000"
"""Entries: the most that one page holds."""
Sign = Callable[[str, str, bytes | None], Mapping[str, str]]
"""The headers that sign a request of this method to this address, with its JSON where it has some. `AegisError` where
there are no credentials."""
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+")
_HIDDEN = frozenset({"BucketNotFound", "NamespaceNotFound", "NotAuthorizedOrNotFound"})
"""404 for who may not see it, or for what is not there: OCI does not tell which."""


class OciStore:
    """One bucket. Fulfils `FolderStore` and `VersionedStore` of `aegis.core.ports.objects`."""

    def __init__(
        self,
        namespace: str,
        bucket: str,
        region: str,
        sign: Sign,
        *,
        endpoint: str | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`endpoint`: `https://host[:port]`; None for the region's own in the public cloud. `timeout`: seconds.

        `UsageError` `verify.source_invalid`, `verify.region_invalid` or `verify.endpoint_invalid` where the arguments
        name no place.
        """
        _check_names(namespace, bucket)
        self._namespace, self._bucket = namespace, bucket
        self._origin = Origin(_address(region, endpoint), timeout=timeout)
        self._sign = sign
        self._patience, self._clock = patience or Patience(), clock or Clock()

    @property
    def location(self) -> str:
        """For messages and evidence."""
        return f"oci://{self._namespace}/{self._bucket}"

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object below the prefix, by key.

        The listing names no versions, so that of the versions is read too: an ETag says which version an object is
        in. Where it says nothing (a bucket without versions), an object is held fast by its ETag alone.
        """
        where = self._where(prefix)
        objects = self._objects(prefix, where)
        versions = self._versions(prefix, where) if objects else {}
        return tuple(
            ObjectInfo(info.key, info.size, versions.get((info.key, info.etag or "")), info.etag)
            for info in sorted(objects, key=lambda info: info.key)
        )

    def removed(self, prefix: str) -> Sequence[str]:
        """Keys below a prefix whose object was deleted, and of which the bucket keeps versions, by name.

        None where versions are not kept, or may not be listed.
        """
        where = self._where(prefix)
        # in this order: what is stored between the two is not taken for deleted
        kept = {key for key, _ in self._versions(prefix, where)}
        return tuple(sorted(kept - {info.key for info in self._objects(prefix, where)}))

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders right below a prefix, by name."""
        where = self._where(prefix)
        query = (("prefix", prefix), ("delimiter", "/"), ("fields", "name"), ("limit", PAGE))
        found: dict[str, None] = {}
        starts: set[str] = set()
        start: str | None = ""
        while start is not None:
            document, _ = self._document("/o", (*query, ("start", start)) if start else query, where)
            folders, start = parse_folders(document, where, prefix)
            # the next page starts with a name, which may be one inside of the last folder of this page
            found.update(dict.fromkeys(folders))
            if start in starts:
                raise faults.bad_listing(where, "the listing repeats itself")
            if len(found) > MAX_OBJECTS or len(starts) > MAX_OBJECTS // int(PAGE):
                raise faults.too_many(where, MAX_OBJECTS)
            starts.add(start or "")
        return tuple(sorted(found))

    def head(self, key: str) -> ObjectInfo | None:
        """The current version of one object; None where there is none."""
        try:
            return retried(lambda: self._head(key), self._patience, self._clock)
        except CouldNotDecide as error:
            # 404 stands for what may not be seen too, and HEAD has no words for it: the listing says it.
            where = self._where(key)
            if error.code != "verify.store_missing":
                raise
            if any(info.key == key for info in self._objects(key, where)):
                raise faults.denied(where, "it is listed, but cannot be read") from error
            return None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        """The bytes of exactly this version from offset `start`; asked for once, without retries."""
        where = self._where(info.key)
        query = (("versionId", info.version),) if info.version else ()
        headers = {"If-Match": info.etag} if info.etag else {}
        if start:
            headers["Range"] = f"bytes={start}-{info.size - 1}"
        with self._ask("GET", f"/o/{_path(info.key)}", query, headers, where) as reply:
            self._check(reply, where)
            check_body(reply, info, start, where, version=reply.headers.get("version-id"))
            yield from reply.body

    def _head(self, key: str) -> ObjectInfo:
        where = self._where(key)
        with self._ask("HEAD", f"/o/{_path(key)}", (), {}, where) as reply:
            self._check(reply, where)
            return info_of(reply, key, where, version=reply.headers.get("version-id"))

    def _objects(self, prefix: str, where: str) -> Sequence[ObjectInfo]:
        objects: dict[str, ObjectInfo] = {}
        start: str | None = ""
        while start is not None:
            query = (("prefix", prefix), ("fields", "name,size,etag,timeModified"), ("limit", PAGE))
            asked = (*query, ("start", start)) if start else query
            document, _ = self._document("/o", asked, where)
            page = parse_objects(document, where, prefix)
            if page.next is not None and not page.objects:
                raise faults.bad_listing(where, "the listing repeats itself")
            for info in page.objects:
                if info.key in objects:
                    raise faults.bad_listing(where, "the listing repeats itself")
                objects[info.key] = info
            if len(objects) > MAX_OBJECTS:
                raise faults.too_many(where, MAX_OBJECTS)
            start = page.next
        return tuple(objects.values())

    def _versions(self, prefix: str, where: str) -> dict[tuple[str, str], str]:
        """The version of each key and ETag. Empty where the store, or the policy, does not tell versions."""
        versions: dict[tuple[str, str], str] = {}
        pages: set[str] = set()
        page: str | None = ""
        while page is not None:
            query = (("prefix", prefix), ("fields", "name,size,etag,timeModified"), ("limit", PAGE))
            asked = (*query, ("page", page)) if page else query
            try:
                document, page = self._document("/objectversions", asked, where)
            except CouldNotDecide as error:
                if error.code != "verify.store_denied" or pages:
                    raise
                return {}
            for key, etag, version in parse_versions(document, where, prefix):
                if versions.setdefault((key, etag), version) != version:
                    raise faults.bad_listing(where, f"the listing has two versions of {key[:200]!r} with one ETag")
            if page in pages:
                raise faults.bad_listing(where, "the listing repeats itself")
            if len(versions) > MAX_OBJECTS:
                raise faults.too_many(where, MAX_OBJECTS)
            pages.add(page or "")
        return versions

    def _document(self, path: str, query: Sequence[tuple[str, str]], where: str) -> tuple[bytes, str | None]:
        """A page, and what the store says of the next one."""

        def ask() -> tuple[bytes, str | None]:
            with self._ask("GET", path, query, {}, where) as reply:
                self._check(reply, where)
                return whole(reply, MAX_DOCUMENT, where), reply.headers.get("opc-next-page")

        return retried(ask, self._patience, self._clock)

    @contextmanager
    def _ask(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        where: str,
        *,
        content: bytes | memoryview | None = None,
        document: bytes | None = None,
    ) -> Iterator[Reply]:
        """Send a request; `content` is an object's, a `document` is signed with it and sent once at most."""
        target = f"/n/{_path(self._namespace)}/b/{_path(self._bucket)}{path}"
        if query:
            target += "?" + "&".join(f"{name}={quote(value, safe='~')}" for name, value in query)
        signed = self._sign(method, self._origin.address + target, document)
        body = document if content is None else content
        fresh = document is not None
        with self._origin.request(method, target, {**headers, **signed}, where, content=body, fresh=fresh) as reply:
            yield reply

    def _check(self, reply: Reply, where: str) -> None:
        """Raise what an answer other than 200 or 206 means."""
        if reply.status not in {200, 206}:
            raise _refused(reply.status, error_code(whole(reply, MAX_DOCUMENT, where)), where)

    def _where(self, key: str) -> str:
        return f"{self.location}/{key}"


def _refused(status: int, code: str, where: str) -> CouldNotDecide:
    said = f"{status} {code}".strip()
    if 300 <= status < 400:
        return faults.redirected(where, f"another address ({said})")
    if code in _HIDDEN:
        return faults.denied(where, f"{said}: it is not there, or may not be seen")
    if status in {401, 403}:
        # A signature is refused when the clocks differ by more than five minutes.
        return faults.denied(where, f"{said}; compare the runner's clock" if status == 401 else said)
    if status == 404:
        return faults.missing(where, said)
    if status == 412:
        return faults.changed(where, said)
    if status == 416:
        return faults.wrong_range(where, said, "the rest of the object")
    return faults.failed(where, said)


def _check_names(namespace: str, bucket: str) -> None:
    """Both stand in the path of every request, so neither may hold more than a name, nor be one of a folder."""
    location = parse_location(f"oci://{namespace}/{bucket}/")
    if location.store != f"{namespace}/{bucket}" or not bucket.strip("."):
        raise UsageError(
            "verify.source_invalid",
            f"the namespace is {namespace[:100]!r}, the bucket {bucket[:100]!r}",
            expected="the names of one namespace and one bucket",
            remedy="Write the source as oci://namespace/bucket/key.",
        )


def _address(region: str, endpoint: str | None) -> str:
    if endpoint is not None:
        parts = urlsplit(endpoint)
        if not is_safe(endpoint) or parts.path.strip("/") or parts.query:
            raise UsageError(
                "verify.endpoint_invalid",
                "the address of Object Storage is no https address",
                expected="https://HOST, or http on this very machine, without a path",
                remedy="Correct `verify.oci.storage-endpoint`.",
            )
        return endpoint
    if not _REGION.fullmatch(region):
        raise UsageError(
            "verify.region_invalid",
            f"the region is {region[:100]!r}",
            expected="a region of OCI such as eu-frankfurt-1",
            remedy="Correct `verify.oci.region`.",
        )
    return f"https://objectstorage.{region}.oraclecloud.com"


def _path(text: str) -> str:
    """A part of a path as it is sent and signed."""
    return quote(text, safe="/~")
