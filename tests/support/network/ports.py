"""Free ports of this machine."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path(tempfile.gettempdir()) / f"aegis-test-ports-{os.geteuid()}"
_ANY = range(10_000, 32_768)
"""Below those that connections get (`ip_local_port_range` in ip(7)), which may be taken before a server listens."""
_held: list[int] = []
"""Locks, which end with this process."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at, and that no other process of the tests gets while this one lives."""
    _FOLDER.mkdir(exist_ok=True)
    while True:
        port = secrets.choice(_ANY)
        lock = os.open(_FOLDER / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port


@contextmanager
def nobody() -> Iterator[str]:
    """The address of a port of 127.0.0.1 that refuses connections, and that nobody else gets, while the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
