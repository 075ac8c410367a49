"""A lock among processes (`flock`) that is not waited for without end."""

from __future__ import annotations

import fcntl
import time

from aegis.audit.faults import unavailable

_SECONDS = 30.0
"""A writer needs milliseconds; one that was stopped in the middle must not hold up the others for ever."""
_FIRST_PAUSE, _LONGEST_PAUSE = 20e-6, 2e-3
"""Seconds between two attempts."""


def lock(descriptor: int, what: str, kind: int = fcntl.LOCK_EX) -> None:
    """Wait for the lock of this open file. Raises OSError, or `audit.unavailable` after half a minute."""
    deadline, pause = 0.0, _FIRST_PAUSE
    while True:
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
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            return


def unlock(descriptor: int) -> None:
    """Let others have it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
