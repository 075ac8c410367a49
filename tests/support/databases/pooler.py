"""A pooler in transaction mode, as PgBouncer is: clients share backends, and get one for the time of a transaction.

Speaks as much of PostgreSQL's protocol as that needs. It signs in for its clients over the server's socket, which asks
for no password. Of the backends that are free, it gives the one that was given back last, as PgBouncer does.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.databases.postgres import Server

_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_PROTOCOL = 196608


class _Line:
    """Messages of the protocol over a socket."""

    def __init__(self, over: socket.socket) -> None:
        self.over = over

    def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.over.recv(count - len(found))
            if not more:
                raise ConnectionError
            found += more
        return found

    def message(self) -> tuple[bytes, bytes]:
        kind = self.exactly(1)
        (length,) = struct.unpack("!I", self.exactly(4))
        return kind, self.exactly(length - 4)

    def send(self, kind: bytes, content: bytes) -> None:
        self.over.sendall(kind + struct.pack("!I", len(content) + 4) + content)


class Pooler:
    def __init__(self, server: Server, database: str, major: int) -> None:
        self._server, self._database, self._major = server, database, major
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._free: list[_Line] = []
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._spawn(self._accept)

    @property
    def url(self) -> str:
        return f"postgresql://postgres:unused@127.0.0.1:{self._listener.getsockname()[1]}/{self._database}"

    def close(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _spawn(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)  # type: ignore[arg-type] # a method of this class
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._spawn(self._serve, _Line(client))

    def _serve(self, client: _Line) -> None:
        with suppress(OSError):
            while True:
                (length,) = struct.unpack("!I", client.exactly(4))
                (code,) = struct.unpack("!I", client.exactly(length - 4)[:4])
                if code not in (_SSL_REQUEST, _GSS_REQUEST):
                    break
                client.over.sendall(b"N")
            version = f"{self._major}.0".encode()
            client.send(b"R", struct.pack("!I", 0))
            for name, value in ((b"server_version", version), (b"client_encoding", b"UTF8")):
                client.send(b"S", name + b"\0" + value + b"\0")
            client.send(b"K", struct.pack("!II", 1, 1))
            client.send(b"Z", b"I")
            while True:
                kind, content = client.message()
                if kind == b"X":
                    break
                self._transaction(client, kind, content)
        client.over.close()

    def _transaction(self, client: _Line, kind: bytes, content: bytes) -> None:
        with self._lock:
            backend = self._free.pop() if self._free else self._signed_in()
        while True:
            backend.send(kind, content)
            if kind in (b"Q", b"S"):
                while True:
                    answer, told = backend.message()
                    if (answer, told) == (b"Z", b"I"):
                        # before the client hears of it, whose next session may ask at once
                        with self._lock:
                            self._free.append(backend)
                    client.send(answer, told)
                    if answer == b"Z":
                        break
                if told == b"I":
                    return
            kind, content = client.message()

    def _signed_in(self) -> _Line:
        over = socket.socket(socket.AF_UNIX)
        over.connect(str(self._server.folder / f".s.PGSQL.{self._server.port}"))
        self._open.append(over)
        backend = _Line(over)
        words = b"".join(word.encode() + b"\0" for word in ("user", "postgres", "database", self._database))
        over.sendall(struct.pack("!II", len(words) + 9, _PROTOCOL) + words + b"\0")
        while backend.message()[0] != b"Z":
            pass
        return backend


@contextmanager
def pooling(server: Server, database: str, *, major: int | None = None) -> Iterator[Pooler]:
    """Which says that its server is of that major."""
    pooler = Pooler(server, database, major or server.major)
    try:
        yield pooler
    finally:
        pooler.close()
