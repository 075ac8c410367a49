"""A wire that breaks: TCP passed on to a server, cut off or held back as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """Its script before, what passed afterwards."""

    cuts: list[int] = field(default_factory=list)
    """The first connections break after so many bytes from the server, one entry each."""
    holds: list[int] = field(default_factory=list)
    """The next ones fall silent after so many bytes, until the block ends."""
    connections: int = 0
    address: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def wire(to: str, script: Wire) -> Iterator[Wire]:
    """Passes on to `host:port`, from a free port of 127.0.0.1, until the block ends."""
    host, _, port = to.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as server:
        script.address = f"127.0.0.1:{server.getsockname()[1]}"

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                script.connections += 1
                cut = script.cuts.pop(0) if script.cuts else None
                hold = script.holds.pop(0) if script.holds and cut is None else None
                upstream = socket.create_connection((host, int(port)))
                threading.Thread(target=_pass, args=(client, upstream), daemon=True).start()
                threading.Thread(target=_back, args=(upstream, client, cut, hold, script), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield script
        finally:
            script._ended.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _back(source: socket.socket, target: socket.socket, cut: int | None, hold: int | None, script: Wire) -> None:
    limit = cut if cut is not None else hold
    with source, target, suppress(OSError):
        passed = 0
        while data := source.recv(65536):
            if limit is not None and passed + len(data) >= limit:
                target.sendall(data[: limit - passed])
                if hold is not None:
                    script._ended.wait(60)
                break
            target.sendall(data)
            passed += len(data)
        for each in (source, target):  # closing alone would wait for the other direction
            each.shutdown(socket.SHUT_RDWR)
