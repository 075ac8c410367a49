"""The same work on many things at once, with few threads, and an end that comes soon.

The threads are daemons of our own rather than an executor's: one that hangs in a system call or in a library can be
left behind when the run is told to stop, and never keeps the process from ending.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

GRACE = 3.0
"""Seconds that threads have to end after the first error or a signal; a cancelled run has five for its verdict."""
_TICK = 0.1
"""Seconds between two looks at the clock and two reports of progress."""


class Cancelled(Exception):  # noqa: N818 - no fault of this thread: another one failed
    """Leaves a thread's work because another thread's has failed. Never leaves this module."""


class Stop:
    """Tells the threads that the work is over, and until when it may last."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._event = threading.Event()
        self._now = now
        self._end = now() + seconds

    def set(self) -> None:
        """From now on every `check` raises."""
        self._event.set()

    def check(self) -> None:
        """Raise `Cancelled` where the work is over."""
        if self._event.is_set():
            raise Cancelled

    @property
    def late(self) -> bool:
        """Whether the time for the whole work is used up."""
        return self._now() > self._end


class _Run(Generic[T]):
    """What the threads share."""

    def __init__(self, items: Iterable[T], do: Callable[[T], None], stop: Stop, workers: int) -> None:
        self._items = deque(items)
        self._do = do
        self._stop = stop
        self.changed = threading.Condition()
        self.left = workers
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take things until there are none, or until something fails."""
        error: BaseException | None = None
        try:
            while item := self._take():
                self._do(item[0])
        except Cancelled:
            pass
        except BaseException as caught:
            error = caught
        with self.changed:
            self.left -= 1
            self.error = self.error or error
            self.changed.notify_all()

    def _take(self) -> tuple[T] | None:
        self._stop.check()
        try:
            return (self._items.popleft(),)
        except IndexError:
            return None


def each(
    items: Iterable[T],
    do: Callable[[T], None],
    *,
    stop: Stop,
    workers: int,
    late: Callable[[], BaseException],
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Do something with each thing, in at most `workers` threads; the first error ends everything and is raised.

    `late()` is raised when `stop`'s time is used up, whatever the threads are waiting for. `tick` is called now and
    then in the calling thread, e.g. to show progress. A signal's exception in the calling thread ends the work too.
    """
    run = _Run(items, do, stop, workers)
    threads = [threading.Thread(target=run.work, name=f"aegis-{n}", daemon=True) for n in range(workers)]
    try:
        for thread in threads:
            thread.start()
        while True:
            with run.changed:
                if run.left and run.error is None:
                    run.changed.wait(_TICK)
                done = run.left == 0 or run.error is not None
            tick()
            if done:
                break
            if stop.late:
                raise late()
    finally:
        _end(threads, run, stop)
    if run.error is not None:
        raise run.error


def _end(threads: list[threading.Thread], run: _Run[T], stop: Stop) -> None:
    """Wait for the threads, but not for long."""
    stop.set()
    end = time.monotonic() + GRACE
    for thread in threads:
        if thread.is_alive():
            thread.join(max(0.0, end - time.monotonic()))
