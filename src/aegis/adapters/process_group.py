"""Programs that end with us: each in a process group of its own, which is ended as a whole, also by our own SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

WATCHED: Final = r"""
(trap '' HUP INT TERM; { read -r _; kill -KILL 0; } <"/proc/self/fd/$1" >/dev/null 2>&1 &)
shift
exec "$@"
"""
"""Becomes the program, which has beside it, in its group, what ends the group when the writing end of a pipe is gone.

That is no child of the program, which may wait for all of its own, and it holds neither what the program writes to nor
the other end. So SIGKILL, which lets us do nothing, ends the program and its workers too. Arguments of `sh -c`: a name,
the descriptor of the pipe's reading end, the program and its arguments.
"""


@contextmanager
def running(start: Callable[[], subprocess.Popen[bytes]], grace: float = 0) -> Iterator[subprocess.Popen[bytes]]:
    """What `start` starts, in a session of its own; it and its own children are gone when the block ends.

    `grace`: see `end_group`. Also where a signal's handler raises while it is being started.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with _signals_wait():
            process = start()
        yield process
    finally:
        if process is not None:
            end_group(process, grace)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Handlers of signals to stop are called at the block's end: what they raise before would leave a program nameless.

    They are not blocked, which the program would inherit. Only the main thread runs handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {int(number): signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """End a program and its own children; those that it left behind when it died, too.

    `grace`: seconds from SIGTERM to SIGKILL.
    """
    try:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    finally:
        # Until it is waited for, nobody else gets its number; of a group, until its last process is.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
