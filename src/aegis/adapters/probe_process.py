"""Probes as programs: started in a group of their own, listened to, ended as a whole."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from aegis.acceptance.running import Ended
from aegis.adapters.process_group import WATCHED, end_group
from aegis.core.errors import CouldNotDecide

GRACE: Final = 10.0
"""Seconds from SIGTERM to SIGKILL: a probe has servers of its own to end."""
KEPT: Final = 1 << 20
"""Bytes of its output that are kept, half from the beginning and half from the end."""
_POLL: Final = 0.05
"""Seconds between looks at a program that is silent: it may end while others hold its output open."""
_NOBODY: Final = 127
"""Exit code of a shell that cannot start a program (POSIX, `exec`)."""


class Output:
    """Keeps the beginning and the end of what a program prints, in whole lines."""

    def __init__(self, limit: int = KEPT) -> None:
        """`limit`: bytes that are kept."""
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = False

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * self._half:
            self._shorten()

    def content(self) -> bytes:
        """What was kept. A line that was cut is left out, so that nothing in it is missed by half."""
        if len(self._tail) > self._half:
            self._shorten()
        if not self._lost:
            return bytes(self._head + self._tail)
        head = self._head[: self._head.rfind(b"\n") + 1]
        tail = self._tail[self._tail.find(b"\n") + 1 or len(self._tail) :]
        return bytes(head) + b"[... left out ...]\n" + bytes(tail)

    def _shorten(self) -> None:
        del self._tail[: -self._half]
        self._lost = True


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    seconds: float,
    stop: Callable[[], bool] = lambda: False,
    grace: float = GRACE,
) -> Ended:
    """See `aegis.acceptance.running.Runner`. CouldNotDecide `acceptance.probe_broken` where it cannot be started.

    `stop`: asked again and again; CouldNotDecide `core.interrupted` once it says so.
    """
    reading, writing = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                ["sh", "-c", WATCHED, "probe", str(reading), *argv],
                cwd=folder, env=dict(environ), pass_fds=(reading,), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            raise _not_started(argv, str(error.strerror)) from error
        finally:
            os.close(reading)
        output = Output()
        try:
            ended = _listen(process, output, time.monotonic() + seconds, stop)
        finally:
            # also on a signal to stop
            end_group(process, grace)
        if not ended:
            return Ended("timed-out", 0, output.content())
    finally:
        os.close(writing)
    if process.returncode < 0:
        return Ended("killed", -process.returncode, output.content())
    if process.returncode == _NOBODY:
        raise _not_started(argv, "no such program")
    return Ended("exited", process.returncode, output.content())


def _listen(process: subprocess.Popen[bytes], output: Output, deadline: float, stop: Callable[[], bool]) -> bool:
    """Take what it prints until it ends; False if it does not in time."""
    stream = process.stdout
    if stream is None:
        raise AssertionError
    os.set_blocking(stream.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        silent = False
        while True:
            over = process.poll() is not None
            if silent:
                # nobody writes any more; it still runs
                time.sleep(0 if over else _POLL)
            elif selector.select(0 if over else _POLL):
                silent = not _drain(stream, output)
            if over:
                return True
            if time.monotonic() >= deadline:
                return False
            if stop():
                raise CouldNotDecide(
                    "core.interrupted", "stopped meanwhile", expected="time to finish", remedy="run it again"
                )


def _drain(stream: IO[bytes], output: Output) -> bool:
    """Take what is there; False at the end."""
    while True:
        try:
            data = os.read(stream.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        if not data:
            return False
        output.add(data)


def _not_started(argv: Sequence[str], why: str) -> CouldNotDecide:
    return CouldNotDecide(
        "acceptance.probe_broken",
        f"{argv[0]} cannot be started: {why}",
        expected="a program that starts",
        remedy="install it, or correct the catalogue",
    )
