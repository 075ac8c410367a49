"""Programs that end with us: each in a process group of its own, which is ended as a whole, also by our own SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
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
        if process.stdout is not None:
            process.stdout.close()
