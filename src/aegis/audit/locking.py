"""A lock among processes (`flock`) that is not waited for without end."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable

from aegis.audit.faults import unavailable

_SECONDS = 30.0
"""A writer needs milliseconds; one that was stopped in the middle must not hold up the others for ever."""
_FIRST_PAUSE, _LONGEST_PAUSE = 20e-6, 2e-3
"""Seconds between two attempts."""


def lock(
    descriptor: int,
    what: str,
    kind: int = fcntl.LOCK_EX,
    *,
    pause: float = _FIRST_PAUSE,
    longest: float = _LONGEST_PAUSE,
    needless: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait for the lock of this open file. False: `needless` was true before it was there, and it was not taken.

    `pause`: seconds until the second attempt, twice as many until the third, up to `longest`. Raises OSError, or
    `audit.unavailable` after half a minute.
    """
    deadline = 0.0
    while not needless():
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            deadline = deadline or time.monotonic() + _SECONDS
            if time.monotonic() > deadline:
                raise unavailable(
                    f"{what} has been locked by another process for {_SECONDS:.0f} s",
                    remedy="Find the process that holds it (it may be stopped), and try again.",
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, longest)
        else:
            return True
    return False


def unlock(descriptor: int) -> None:
    """Let others have it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
