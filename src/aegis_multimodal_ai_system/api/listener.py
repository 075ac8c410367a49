"""Sockets that take a bounded number of connections, counted from the moment that the kernel hands them over.

A connection costs a descriptor before its first byte, and before TLS has said hello; models need descriptors too. Each
port has its own bound, so that whoever floods the calls' port takes nothing from the probes' one.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any

from aegis.core.errors import UsageError

MAX_CONNECTIONS = 1000
"""On the port of the calls."""
PROBE_CONNECTIONS = 32
"""On the port for probes: a cluster and its monitoring have a few."""
TLS_SECONDS = 5.0
"""For a TLS handshake, and for the goodbye at the end."""


def call_connections() -> int:
    """At most half of this process's descriptors: the others are for models, the database and the log."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if limit == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, limit // 2))


def listen(host: str, port: int, most: int) -> socket.socket:
    """A socket of at most `most` connections at once; port 0 takes a free one.

    Raises UsageError `runtime.api_address_refused`.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return Listener(socket.create_server((host, port), family=family, backlog=512), most)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(
            "runtime.api_address_refused",
            f"cannot listen on {host!r} port {port}: {reason}",
            expected="an address of this machine and a free port",
            remedy="choose another --host or --port",
        ) from error


class Listener(socket.socket):
    """A listening socket; used by one thread."""

    def __init__(self, listening: socket.socket, most: int) -> None:
        """Takes `listening` over."""
        super().__init__(listening.family, listening.type, listening.proto, listening.detach())
        self._most = most
        self._taken = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """One too many is closed without a word: it has not asked anything yet."""
        connection, address = super().accept()
        if self._taken >= self._most:
            connection.close()
            raise ConnectionAbortedError("too many connections")  # asyncio asks again for the next one
        self._taken += 1
        return _Accepted(connection, self._give_back), address

    def _give_back(self) -> None:
        self._taken -= 1


class _Accepted(socket.socket):
    """A connection, whose place is free once it is closed."""

    def __init__(self, connection: socket.socket, closed: Callable[[], None]) -> None:
        super().__init__(connection.family, connection.type, connection.proto, connection.detach())
        self._tell: Callable[[], None] | None = closed

    def close(self) -> None:
        super().close()
        if self._tell is not None:
            self._tell()
            self._tell = None


class Loop(asyncio.SelectorEventLoop):
    """asyncio's, which would wait for a TLS handshake, and for a connection's end, as long as a minute."""

    tls_seconds = TLS_SECONDS

    async def create_server(self, *given: Any, ssl: Any = None, **more: Any) -> asyncio.Server:
        """With our bounds."""
        if ssl is not None:
            more |= {"ssl_handshake_timeout": self.tls_seconds, "ssl_shutdown_timeout": self.tls_seconds}
        return await super().create_server(*given, ssl=ssl, **more)
