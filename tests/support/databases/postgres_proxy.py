"""A network between a client and PostgreSQL that breaks when a statement passes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Hands bytes on until it is told to cut."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._statement = b""
        self._when: Literal["before", "after"] = "before"
        self.cuts = 0
        self._spawn(self._accept)

    def url(self, of_server: str) -> str:
        """The server's address with this proxy in its place."""
        parts = urlsplit(of_server)
        who = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{self._listener.getsockname()[1]}"))

    def cut_once(self, statement: bytes, when: Literal["before", "after"]) -> None:
        """End the next connection that sends this: before the server has it, or after it has carried it out."""
        self._statement, self._when = statement, when

    def close(self) -> None:
        for each in (self._listener, *self._open):
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
                server = socket.create_connection(self._upstream)
                self._open += [client, server]
                done = threading.Event()
                self._spawn(self._to_server, client, server, done)
                self._spawn(self._to_client, server, client, done)

    def _to_server(self, client: socket.socket, server: socket.socket, answered: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self._statement and self._statement in data:
                    self._statement = b""
                    self.cuts += 1
                    client.shutdown(socket.SHUT_WR)  # what the server says now reaches nobody
                    if self._when == "after":
                        answered.clear()
                        server.sendall(data)
                        answered.wait(300)
                    break
                server.sendall(data)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _to_client(self, server: socket.socket, client: socket.socket, answered: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                answered.set()
                client.sendall(data)
        answered.set()


@contextmanager
def between(url: str) -> Iterator[Proxy]:
    """A proxy before the server of this address."""
    parts = urlsplit(url)
    proxy = Proxy((parts.hostname or "", parts.port or 0))
    try:
        yield proxy
    finally:
        proxy.close()
