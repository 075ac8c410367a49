"""HTTP to one object store: one origin, no redirects, no proxies, no credentials from the environment.

Built on `http.client`, where nothing of that happens by itself: obstore follows redirects to other hosts and takes
proxies from the environment, and lets neither be switched off. It is also the quickest (benchmarks/verify_storage.py).
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aegis.core.errors import CouldNotDecide
from aegis.storage import faults

TIMEOUT = 20.0
"""Seconds of silence on the connection."""
CHUNK = 256 * 1024
"""Bytes asked of the socket at once: what fits into a core's cache between receiving and hashing."""
_MAX_DRAINED = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of a repeated one, all values joined by a comma."""
    body: Iterator[bytes]
    """In chunks, until `Content-Length` or the end; raises `CouldNotDecide` where it breaks."""


class Origin:
    """The server of a store."""

    def __init__(self, address: str, *, timeout: float = TIMEOUT) -> None:
        """`address`: `https://host[:port]`, or plain HTTP to this machine; the caller has checked it.

        The certificate authorities are the system's, as OpenSSL finds them (`SSL_CERT_FILE` too): a network that is
        inspected has one of its own. What is read is judged by its signatures, whoever vouches for the way.
        """
        parts = urlsplit(address)
        self.address = f"{parts.scheme}://{parts.netloc}"
        self.host = parts.netloc
        """As in the `Host` header."""
        self._name, self._port = parts.hostname or "", parts.port
        self._timeout = timeout
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    @contextmanager
    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        where: str,
        *,
        content: bytes | memoryview | None = None,
        fresh: bool = False,
    ) -> Iterator[Reply]:
        """Send a request. Raises `verify.store_failed` or `verify.store_slow`, which name `where`.

        `content`: the request's body. `fresh`: over a new connection, so that the request is sent once at most. The
        connection is used again when the answer's body was read to its end, and closed otherwise.
        """
        connection, response = self._exchange(method, target, headers, where, content, fresh)
        body = _Body(response, where, self._timeout)
        clean = False
        try:
            yield Reply(response.status, _joined(response.headers), body.chunks())
            clean = body.drain()
        finally:
            response.close()
            if clean and not response.will_close:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        where: str,
        content: bytes | memoryview | None,
        fresh: bool,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle and not fresh else None
            connection = kept or self._connection()
            try:
                connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in {"Host": self.host, "Accept-Encoding": "identity", **headers}.items():
                    connection.putheader(name, value)
                if content is not None:
                    connection.putheader("Content-Length", str(len(content)))
                connection.endheaders()
                # A server that refuses may answer, and close, before it has read everything.
                with suppress(BrokenPipeError, ConnectionResetError):
                    _send(connection, content or b"")
                return connection, connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A connection that was kept may have been closed by the server meanwhile, which says nothing.
                if kept is None or isinstance(error, TimeoutError):
                    raise _problem(error, where, self._timeout) from error
            except BaseException:
                connection.close()
                raise

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._name, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(self._name, self._port, timeout=self._timeout, context=self._tls)


class _Body:
    """What is left of a response's body. `http.client` does not count what `read1` has taken."""

    def __init__(self, response: http.client.HTTPResponse, where: str, timeout: float) -> None:
        self._response = response
        self._where = where
        self._timeout = timeout
        self._left = response.length
        self._length = response.length or 0
        self._ended = False

    def chunks(self) -> Iterator[bytes]:
        """Everything up to the end. Raises `verify.store_cut` where that comes before Content-Length says."""
        while chunk := self._read(CHUNK):
            yield chunk
        if self._left:
            raise faults.cut(self._where, self._length - self._left, self._length)

    def drain(self) -> bool:
        """Read what little may be left; whether the connection can be used again."""
        if not self._ended and (self._left or 0) <= _MAX_DRAINED and self._left is not None:
            with suppress(CouldNotDecide):
                for _ in self.chunks():
                    pass
        return self._ended and not self._left

    def _read(self, limit: int) -> bytes:
        if self._left is not None:
            limit = min(limit, self._left)
        if not limit or self._ended:
            self._ended = True
            return b""
        try:
            chunk = self._response.read1(limit)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _problem(error, self._where, self._timeout) from error
        if self._left is not None:
            self._left -= len(chunk)
        self._ended = not chunk or self._left == 0
        return chunk


def _send(connection: http.client.HTTPConnection, content: bytes | memoryview) -> None:
    """The body, in steps: the time for silence is that of one call, however many bytes it has to send."""
    with memoryview(content) as view:
        for place in range(0, len(view), CHUNK):
            connection.send(view[place : place + CHUNK])


def whole(reply: Reply, limit: int, where: str, *, seconds: float = 60.0) -> bytes:
    """A document's text, within limits of bytes and seconds: neither an endless nor a trickling one may hold a job."""
    end = time.monotonic() + seconds
    parts: list[bytes] = []
    for chunk in reply.body:
        parts.append(chunk)
        limit -= len(chunk)
        if limit < 0:
            raise faults.failed(where, "the answer does not end")
        if time.monotonic() > end:
            raise faults.slow(where, f"the answer takes more than {seconds:g} s")
    return b"".join(parts)


def _joined(headers: http.client.HTTPMessage) -> dict[str, str]:
    return {name.lower(): ", ".join(headers.get_all(name, [])) for name in headers}


def _problem(error: Exception, where: str, timeout: float) -> CouldNotDecide:
    if isinstance(error, TimeoutError):
        return faults.slow(where, f"no word for {timeout:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return faults.failed(where, f"its TLS certificate is not valid: {error.verify_message}")
    # The text of http.client's errors may hold what the server sent.
    said = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return faults.failed(where, f"{type(error).__name__} {said}".strip())
