"""A run that is told to stop says so in its verdict: GitHub leaves a cancelled step a few seconds for that."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from aegis.core.errors import CouldNotDecide


class Stopped(BaseException):
    """A signal ended the run. Not an `AegisError`: nothing that takes those for an answer may take this one."""

    def __init__(self, number: int) -> None:
        """Keep the reason that the verdict gives."""
        super().__init__(number)
        self.reason = CouldNotDecide(
            "core.interrupted",
            f"stopped by {signal.Signals(number).name}",
            expected="time to finish",
            remedy="run it again",
        )


_TICK = 1.0
"""Seconds between two looks at a run that was told to stop."""


@dataclass(slots=True)
class _Unraisable:
    """In place of `sys.unraisablehook`: what a `__del__` or the callback of a weak reference raises goes no further."""

    before: Callable[[Any], Any]
    """The hook for everything else."""
    swallowed: bool = False
    """Whether it was a `Stopped`."""

    def __call__(self, ignored: Any) -> None:
        if isinstance(ignored.exc_value, Stopped):
            self.swallowed = True
        else:
            self.before(ignored)


def stop_on_signals() -> None:
    """From now on, the first signal to stop raises `Stopped`; a second one must not cut its verdict off.

    The exception may come between a lock's acquisition and the block that gives it back; whoever cleans up then waits
    for that lock without an end (https://github.com/python/cpython/issues/74174). So the run is looked at each second,
    and `Stopped` is raised once more out of a wait for the same lock: nobody else holds one of these so long. So it is
    where the first one was swallowed, e.g. by the callback that ends an import.
    """
    told: list[int] = []
    waiting: list[FrameType] = []
    hook = sys.unraisablehook
    unraisable = _Unraisable(hook.before if isinstance(hook, _Unraisable) else hook)

    def stop(number: int, frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
            raise Stopped(number)

    def look(number: int, frame: FrameType | None) -> None:
        if unraisable.swallowed:
            unraisable.swallowed = False
            raise Stopped(told[0])
        before = waiting.pop() if waiting else None
        if frame is not None and frame.f_code is threading.Condition.__enter__.__code__:
            if frame is before:
                raise Stopped(told[0])
            waiting.append(frame)

    sys.unraisablehook = unraisable
    # the interpreter's last steps run with the system's own answers to signals; to this one it is death
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, look)
