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
        """Of a signal."""
        super().__init__(number)
        self.number = number
        self.heard = False
        """Whether somebody has taken the reason: from then on the run ends."""

    @property
    def reason(self) -> CouldNotDecide:
        """What the verdict gives."""
        self.heard = True
        return CouldNotDecide(
            "core.interrupted",
            f"stopped by {signal.Signals(self.number).name}",
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

    def __call__(self, ignored: Any) -> None:
        if not isinstance(ignored.exc_value, Stopped):
            self.before(ignored)


def stop_on_signals() -> None:
    """From now on, the first signal to stop raises `Stopped`; a second one must not cut its verdict off.

    The exception may come between a lock's acquisition and the block that gives it back; whoever cleans up then waits
    for that lock without an end (https://github.com/python/cpython/issues/74174). So the run is looked at each second,
    and `Stopped` is raised once more out of a wait for the same lock: nobody else holds one of these so long. So it is
    where the first one was swallowed, by the callback that ends an import or by a file that is closed as nobody needs
    it any more (`iobase_finalize` in CPython says nothing of it): nobody has heard it, and nothing cleans up after it.
    """
    told: list[Stopped] = []
    waiting: list[FrameType] = []
    hook = sys.unraisablehook

    def stop(number: int, frame: FrameType | None) -> None:
        if not told:
            told.append(Stopped(number))
            signal.signal(signal.SIGALRM, look)
            signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
            raise told[0]

    def look(number: int, frame: FrameType | None) -> None:
        if not told[0].heard and not _cleans_up():
            raise told[0]
        before = waiting.pop() if waiting else None
        if frame is not None and frame.f_code is threading.Condition.__enter__.__code__:
            if frame is before:
                raise told[0]
            waiting.append(frame)

    sys.unraisablehook = _Unraisable(hook.before if isinstance(hook, _Unraisable) else hook)
    # the interpreter's last steps run with the system's own answers to signals; to this one it is death
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _cleans_up() -> bool:
    """Whether a `Stopped` is on its way: a block that it ends is running."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error is not None
