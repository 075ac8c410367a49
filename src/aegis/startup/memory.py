"""A process that holds secrets closes its environment and memory to other programs of the same user."""

from __future__ import annotations

import sys

_SET_DUMPABLE = 4
"""PR_SET_DUMPABLE of prctl(2)."""


def close_memory() -> None:
    """Give our files in /proc to root, until this process becomes another program.

    Where the system has no such call, nothing happens: macOS shows no process's environment in files.
    """
    if sys.platform != "linux":
        return
    try:
        import ctypes  # not every Python is built with it, and it takes 10 ms

        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
