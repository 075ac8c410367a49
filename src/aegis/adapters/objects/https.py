"""Single files behind plain HTTPS: read from the very host that was named, in the state that it first told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from aegis.adapters.objects.store_http import TIMEOUT, Origin, Reply
from aegis.adapters.objects.store_replies import check_body, info_of, quoted
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults
from aegis.storage.location import check_store
from aegis.storage.patience import Clock, Patience, retried


class HttpsStore:
    """One origin. Fulfils `aegis.core.ports.objects.ObjectStore`, but for listings, which HTTP has not."""

    def __init__(
        self,
        origin: str,
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`origin`: `https://host[:port]` (`Location.store`); plain HTTP to this machine only. `timeout`: of silence.

        `UsageError` `verify.source_invalid` where it is none.
        """
        check_store("https", origin)
        self._origin = Origin(origin, timeout=timeout)
        self._patience, self._clock = patience or Patience(), clock or Clock()

    @property
    def location(self) -> str:
        """For messages and evidence."""
        return self._origin.address

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Raises `UsageError` `verify.source_unlistable`."""
        raise faults.cannot_list(f"{self.location}/{prefix}")

    def head(self, key: str) -> ObjectInfo | None:
        """The current state of one file (`key`: its path, percent-encoded); None where there is none."""
        try:
            return retried(lambda: self._head(key), self._patience, self._clock)
        except CouldNotDecide as error:
            if error.code != "verify.store_missing":
                raise
            return None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        """The bytes of the file in this state from offset `start`; asked for once, without retries."""
        where = f"{self.location}/{info.key}"
        headers = {}
        # A weak ETag never matches (RFC 9110 13.1.1): it is compared with the answer's instead.
        if info.etag and not info.etag.startswith("W/"):
            headers["If-Match"] = quoted(info.etag)
        if start:
            headers["Range"] = f"bytes={start}-{info.size - 1}"
        with self._origin.request("GET", _target(info.key), headers, where) as reply:
            _check(reply, where)
            check_body(reply, info, start, where, version=None)
            yield from reply.body

    def _head(self, key: str) -> ObjectInfo:
        where = f"{self.location}/{key}"
        with self._origin.request("HEAD", _target(key), {}, where) as reply:
            _check(reply, where)
            return info_of(reply, key, where, version=None)


def _target(key: str) -> str:
    """As it was written; what a policy adds to a name (`.sigstore.json`) may need encoding."""
    return "/" + quote(key, safe="/%!$&'()*+,=:@~")


def _check(reply: Reply, where: str) -> None:
    status = reply.status
    if status in {200, 206}:
        return
    if 300 <= status < 400:
        raise faults.redirected(where, "another address")
    if status in {401, 403}:
        raise faults.denied(where, str(status))
    if status in {404, 410}:
        raise faults.missing(where, str(status))
    if status == 412:
        raise faults.changed(where, str(status))
    if status == 416:
        raise faults.wrong_range(where, str(status), "the rest of the file")
    raise faults.failed(where, str(status))
