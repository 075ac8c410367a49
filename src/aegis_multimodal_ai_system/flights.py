"""One download for many callers: of this process by a shared result, of others by a lock on a file."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from aegis.core.errors import CouldNotDecide
from aegis.storage.private_folder import open_private
from aegis_multimodal_ai_system.forks import renew_in_child

T = TypeVar("T")

SIGNALS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""These end a thread's work from outside. Anything else is an answer, also a Rust panic, which is no Exception."""
PATIENCE = 3600.0
"""Seconds to wait for another process; its own transfers last no longer (`aegis.storage.patience`)."""
_PAUSE = 0.05
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.done = threading.Event()
        self.followers = 0
        self.copies: list[T | BaseException] = []
        """One for each follower; fewer where the leader was interrupted while it made them."""


class Flights(Generic[T]):
    """Who asks for something that is just being fetched gets a copy of it."""

    def __init__(self, copy: Callable[[T], T]) -> None:
        """`copy` makes a result of one's own of another caller's."""
        self._copy = copy
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Nothing is under way."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}

    def join(self, name: str, fetch: Callable[[], T]) -> tuple[T, bool]:
        """What `fetch` gives or raises, and whether it was another thread's that was under way."""
        with self._lock:
            under_way = self._flights.get(name)
            if under_way is not None and under_way.done.is_set():
                under_way = None  # its leader was interrupted before it could take it away
            flight = self._flights[name] = under_way or _Flight()
            flight.followers += under_way is not None
        if under_way is not None:
            return self._followed(under_way), True
        result: T | BaseException = _interrupted()
        try:
            try:
                result = fetch()
            except BaseException as error:
                result = error
                raise
            finally:
                self._land(name, flight, result)
        finally:
            flight.done.set()  # a signal may come at any moment, and nobody waits for it for ever
        return result, False

    def _land(self, name: str, flight: _Flight[T], result: T | BaseException) -> None:
        with self._lock:
            # whoever comes from now on begins anew
            if self._flights.get(name) is flight:
                del self._flights[name]
        for _ in range(flight.followers):
            flight.copies.append(self._copied(result))

    def _copied(self, result: T | BaseException) -> T | BaseException:
        if isinstance(result, SIGNALS):
            return _interrupted()  # a signal meant that other thread only
        if isinstance(result, BaseException):
            return result
        try:
            return self._copy(result)
        except Exception as error:
            return error

    @staticmethod
    def _followed(flight: _Flight[T]) -> T:
        flight.done.wait()
        try:
            result = flight.copies.pop()
        except IndexError:
            result = _interrupted()
        if isinstance(result, BaseException):
            raise result
        return result


@contextmanager
def alone(folder: Path, name: str, *, patience: float = PATIENCE) -> Iterator[None]:
    """Keep other processes out that fetch what has this name (a plain file name). CouldNotDecide `runtime.busy`.

    The lock goes with the process, however it ends; its file stays. A child that was forked meanwhile does not have it.
    """
    with open_private(folder) as root:
        try:
            file = os.open(f"{name}.lock", _LOCK, 0o600, dir_fd=root)
        except OSError as error:
            raise _busy(f"{folder / name}.lock: {error.strerror}") from error
        process = os.getpid()
        try:
            _wait(file, name, time.monotonic() + patience)
            yield
        finally:
            if os.getpid() == process:
                # before closing it: a child that was forked meanwhile has a copy, which would keep it locked
                fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)


def _wait(file: int, name: str, end: float) -> None:
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= end:
            raise _busy(f"another process is still fetching {name!r}")
        time.sleep(_PAUSE)


def _interrupted() -> CouldNotDecide:
    return _busy("fetching it was interrupted")


def _busy(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "runtime.busy",
        problem,
        expected="the model's lock",
        remedy="try again; look at the other process if it hangs",
    )
