"""Objects in S3 with the identity of the pod that asks, by obstore: web identity, EKS pod identity, instance, or keys.

The credentials come from the surroundings, and the place from the policy alone: variables that would turn requests
elsewhere (`AWS_ENDPOINT_URL_S3`, proxies) have no say. obstore follows redirects, and has no switch for that; so every
host but those named here is sent through a proxy that does not exist.

Beside `s3`, obstore is looser in three things that cannot be seen from outside: a listing's answer is held in
memory whole before it is counted; an answer that is no listing looks like an empty one, so an empty one is an error
here; and the marker of a folder (`a/`) is listed as `a`, which then is not there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from aegis.adapters.http.header import is_visible
from aegis.adapters.objects.obstore_faults import NOWHERE, fault_of, is_panic, no_credentials
from aegis.adapters.objects.s3_address import bucket_address, sts_address
from aegis.adapters.objects.store_replies import quoted
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults
from aegis.storage.patience import Clock, Patience, retried

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta
    from obstore.store import ClientConfig, S3Config, S3Store

T = TypeVar("T")

MAX_OBJECTS = 100_000
"""Of one prefix; ten times what the largest model repositories hold."""
TIMEOUT = 20.0
"""Seconds of silence on the connection."""
LIST_SECONDS = 120.0
"""For one listing with all its pages, of which there may be endlessly many without an object."""
CHUNK = 256 * 1024
"""Bytes of a chunk at least, but for the last."""
PAGE = 50
"""Objects that obstore gathers before it gives any: little, so that a listing in a circle is seen soon."""
_METADATA = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23", "fd00:ec2::254")
"""Where EC2, ECS and EKS give credentials
(https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html)."""
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_TOKEN")
_IN_VARIABLES = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_METADATA_ENDPOINT")
"""Variables that name another such place."""

_process: int | None = None
"""The one in which obstore has been asked first."""


class ObstoreS3:
    """One bucket. Fulfils `aegis.core.ports.objects.ObjectStore`; an empty listing is `verify.store_missing`."""

    def __init__(
        self,
        bucket: str,
        region: str,
        *,
        endpoint: str | None = None,
        sts_endpoint: str | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        list_seconds: float = LIST_SECONDS,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`endpoint`, `sts_endpoint`: of a compatible store, `https://host[:port]`, else AWS'. `timeout`: of silence.

        `UsageError` `verify.source_invalid`, `verify.region_invalid` or `verify.endpoint_invalid` where the arguments
        name no place; `CouldNotDecide` `verify.no_credentials` where the surroundings hold half of a key, or none that
        could be one.
        """
        self._origin, path = bucket_address(bucket, region, endpoint)
        sts = sts_address(region, sts_endpoint)
        self._bucket = bucket
        self._patience, self._clock, self._list_seconds = patience or Patience(), clock or Clock(), list_seconds
        config: S3Config = {
            "region": region,
            # Each stands in a variable too, which wins over what is not said here; the first two are not the same.
            "endpoint": self._origin,
            "aws_endpoint_url_s3": self._origin,
            "virtual_hosted_style_request": not path,
            "skip_signature": False,
            "imdsv1_fallback": False,
            "request_payer": False,
            "s3_express": False,
        }
        config["endpoint_url_sts"] = sts  # type: ignore[typeddict-unknown-key]  # obstore 0.12's stubs have an old name
        hosts = [self._origin, sts, *(environ[name] for name in _IN_VARIABLES if environ.get(name))]
        client: ClientConfig = {
            "allow_http": self._origin.startswith("http:"),  # on this machine: `bucket_address` lets no other through
            "connect_timeout": timedelta(seconds=timeout),
            "read_timeout": timedelta(seconds=timeout),
            "timeout": timedelta(seconds=self._patience.total),
            "proxy_url": f"http://{NOWHERE}",
            "proxy_excludes": ",".join([*(urlsplit(host).hostname or "" for host in hosts), *_METADATA]),
            "user_agent": "aegis-gates",
        }

        for name in _KEYS:  # obstore breaks off over what cannot stand in a header
            value = environ.get(name, "-")
            if not is_visible(value):
                raise no_credentials(f"{name} holds characters that none has")

        def opened() -> S3Store:
            from obstore.store import S3Store

            retries = {"max_retries": 0, "retry_timeout": timedelta(seconds=timeout)}
            return S3Store(bucket, config=config, client_options=client, retry_config=retries)  # type: ignore[arg-type]

        self._address = self._origin + path
        self._store = self._asked(opened, self.location)

    @property
    def location(self) -> str:
        """For messages and evidence."""
        return f"s3://{self._bucket}"

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every object whose key starts with the prefix, by key; without versions: its ETag holds an object fast."""
        where = self._where(prefix)
        folder = prefix[: prefix.rfind("/") + 1]  # obstore lists below whole segments only
        found = self._listed(folder)
        # obstore takes a listing that says that it goes on, but not where, for a whole one.
        beyond = self._listed(folder, max(found, key=str.encode)) if found else {}
        if beyond.keys() - found.keys():
            raise faults.bad_listing(where, "the listing ended before its end")
        infos = tuple(found[key] for key in sorted(found) if key.startswith(prefix))
        if not infos:
            raise faults.missing(where, "nothing is listed there")
        return infos

    def head(self, key: str) -> ObjectInfo | None:
        """The current version of one object; None where there is none."""
        where = self._where(key)
        try:
            return retried(lambda: self._head(key, where), self._patience, self._clock)
        except CouldNotDecide as error:
            if error.code == "verify.store_missing":
                return None
            # Who may list only some prefixes is not told whether an object exists
            # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html): a listing says it.
            if error.code != "verify.store_denied" or key in self._listed(key[: key.rfind("/") + 1]):
                raise
            return None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        """The bytes of exactly this version from offset `start`; asked for once, without retries."""
        where = self._where(info.key)
        options: GetOptions = {}
        if info.version:
            options["version"] = info.version
        if info.etag:
            options["if_match"] = quoted(info.etag)
        if start:
            options["range"] = {"offset": start}
        result = self._get(info.key, options, where)
        _check(result, info, start, where)
        chunks = iter(result.stream(min_chunk_size=CHUNK))
        done = start
        while chunk := self._asked(lambda: next(chunks, b""), where):
            done += len(chunk)
            yield chunk
        if done < info.size:
            raise faults.cut(where, done, info.size)

    def _head(self, key: str, where: str) -> ObjectInfo:
        result = self._get(key, {"head": True}, where)
        _check_encoding(result, where)
        meta = result.meta
        version = None if meta["version"] == "null" else meta["version"]
        if not version and not meta["e_tag"]:
            raise faults.failed(where, "the store gives neither a version nor an ETag")
        return ObjectInfo(key, meta["size"], version, meta["e_tag"])

    def _get(self, key: str, options: GetOptions, where: str) -> GetResult:
        import obstore

        return self._asked(lambda: obstore.get(self._store, key, options=options), where)

    def _listed(self, folder: str, offset: str | None = None) -> dict[str, ObjectInfo]:
        """Every object below a folder, in UTF-8's order after `offset`."""
        import obstore

        where = self._where(folder)
        _check_process(where)

        async def collected() -> dict[str, ObjectInfo]:
            objects: dict[str, ObjectInfo] = {}
            async for page in obstore.list(self._store, folder, offset=offset, chunk_size=PAGE):
                for meta in page:
                    info = _info(meta, folder, where)
                    if objects.setdefault(info.key, info) is not info:
                        raise faults.bad_listing(self._where(info.key), "the listing has it twice")
                if len(objects) > MAX_OBJECTS:
                    raise faults.too_many(where, MAX_OBJECTS)
            return objects

        def in_time() -> dict[str, ObjectInfo]:
            try:
                return asyncio.run(asyncio.wait_for(collected(), self._list_seconds))
            except TimeoutError:
                raise faults.slow(where, f"the listing takes more than {self._list_seconds:g} s") from None

        return retried(lambda: self._asked(lambda: _aside(in_time), where, listing=True), self._patience, self._clock)

    def _asked(self, ask: Callable[[], T], where: str, *, listing: bool = False) -> T:
        """An answer of obstore, or what its fault means."""
        _check_process(where)
        try:
            return ask()
        except CouldNotDecide:
            raise
        except Exception as error:
            if isinstance(error, ValueError) and listing:
                raise faults.bad_listing(where, "obstore cannot name it") from None
            raise fault_of(error, where, self._address) from None
        except BaseException as error:
            if not is_panic(error):
                raise
            raise fault_of(error, where, self._address) from None

    def _where(self, key: str) -> str:
        return f"{self.location}/{key}"


def _aside(work: Callable[[], T]) -> T:
    """What it gives, in a thread of its own: the caller's may run an event loop already.

    A daemon, not an executor's: a run that is told to stop, and the interpreter's end, would wait for the store.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="aegis-listing", daemon=True).start()
    return future.result()


def _check_process(where: str) -> None:
    """The threads of obstore are begun once; a child that is forked then has none, and would wait for ever."""
    global _process
    if _process is None:
        _process = os.getpid()
    if _process != os.getpid():
        raise faults.forked(where, "obstore")


def _info(meta: ObjectMeta, folder: str, where: str) -> ObjectInfo:
    key: Any = meta["path"]
    if key == folder.removesuffix("/"):
        key = folder  # the folder's own marker, whose slash obstore has cut off
    if not key.startswith(folder):
        raise faults.bad_listing(where, f"the listing holds {key[:200]!r}")
    if not meta["e_tag"]:
        raise faults.bad_listing(where, f"the listing has {key[:200]!r} without an ETag")
    return ObjectInfo(key, meta["size"], None, meta["e_tag"])


def _check(result: GetResult, info: ObjectInfo, start: int, where: str) -> None:
    """Raise unless what comes is this version of the object, as it is stored, from `start` to its end."""
    _check_encoding(result, where)
    meta = result.meta
    if info.version is not None and meta["version"] != info.version:
        raise faults.changed(where, f"asked for version {info.version!r}, got {(meta['version'] or 'none')[:200]!r}")
    etag = meta["e_tag"] or ""
    if info.etag is not None and quoted(etag) != quoted(info.etag):
        raise faults.changed(where, f"its ETag was {info.etag[:100]!r}, and is {(etag or 'none')[:100]!r}")
    if meta["size"] != info.size:
        raise faults.wrong_size(where, f"it has {meta['size']} bytes", info.size)
    if tuple(result.range) != (start, info.size):
        raise faults.wrong_range(where, "bytes {}-{}".format(*result.range), f"bytes {start}-{info.size}")


def _check_encoding(result: GetResult, where: str) -> None:
    encoding = result.attributes.get("Content-Encoding", "identity")
    if encoding.lower() not in {"identity", ""}:
        raise faults.encoded(where, encoding)
