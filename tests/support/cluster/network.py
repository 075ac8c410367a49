"""The network of a cluster whose pods run nowhere: addresses of pods and services that lead to this machine's ports.

It is an HTTP proxy (RFC 9110, 9.3.6 and 7.2.2): the API server reaches its cluster through it by CONNECT, as
through konnectivity on a managed one (https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/), and
clients inside, such as Argo Rollouts' controller and Prometheus, by requests with a whole address.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer, ThreadingUnixStreamServer
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import urlsplit

_MAX_HEAD = 1 << 16
Served = TypeVar("Served", ThreadingTCPServer, ThreadingUnixStreamServer)


class Network:
    """Where addresses lead to; one that is not known is unreachable (502)."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self.asked: list[str] = []
        """The addresses, in turn."""
        self.url = ""
        """Of the proxy."""
        self.socket = Path()
        """Of the same; what the API server is given over TCP must have a certificate."""

    def lead(self, address: str, port: int) -> None:
        """From now on `HOST:PORT` is this machine's `port`."""
        self._ports[address] = port

    def close(self, address: str) -> None:
        """End what `lead` began."""
        self._ports.pop(address, None)

    def connected(self, address: str) -> socket.socket | None:
        """A connection to it."""
        self.asked.append(address)
        port = self._ports.get(address)
        if port is None:
            return None
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        return None


@contextmanager
def network() -> Iterator[Network]:
    """The proxy, while the block runs."""
    made = Network()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self._proxied()

        def _proxied(self) -> None:
            method, target, version = self.rfile.readline(_MAX_HEAD).decode("ascii").split()
            head = []
            while (line := self.rfile.readline(_MAX_HEAD)) not in {b"\r\n", b""}:
                head.append(line)
            parts = urlsplit(target)
            address = target if method == "CONNECT" else f"{parts.hostname}:{parts.port or 80}"
            there = made.connected(address)
            if there is None:
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            with there:
                if method == "CONNECT":
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                    # one request each: another one on this connection could be for another address
                    kept = [line for line in head if not line.lower().startswith((b"connection:", b"proxy-"))]
                    start = f"{method} {path} {version}\r\nConnection: close\r\n".encode()
                    there.sendall(start + b"".join(kept) + b"\r\n")
                self._joined(there)

        def _joined(self, there: socket.socket) -> None:
            there.settimeout(None)
            back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            with suppress(OSError):
                while data := self.rfile.read1(_MAX_HEAD):
                    there.sendall(data)
                there.shutdown(socket.SHUT_WR)
            back.join()

    with ExitStack() as stack:
        # not below the cluster's own folder, whose path may be longer than a socket's can be
        made.socket = Path(stack.enter_context(TemporaryDirectory())) / "network"
        tcp = stack.enter_context(_served(ThreadingTCPServer(("127.0.0.1", 0), Handler)))
        stack.enter_context(_served(ThreadingUnixStreamServer(str(made.socket), Handler)))
        made.url = f"http://127.0.0.1:{tcp.server_address[1]}"
        yield made


@contextmanager
def _served(server: Served) -> Iterator[Served]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_MAX_HEAD):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
