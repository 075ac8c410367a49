"""Programs that end with us: at whatever point a signal's handler raises, also while one is being started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType


def completed(
    argv: Sequence[str | Path], *, seconds: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program, which reads nothing, to its end. Raises OSError, ValueError and subprocess.TimeoutExpired.

    Unlike `subprocess.run`, which knows of the program only once it is started, it leaves nothing running.
    """

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(argv),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    with running(start) as process:
        output, complaint = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, output, complaint)


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

    They are not blocked, which the program would inherit. Only the main thread runs handlers. One that was not set by
    Python raises nothing, and could not be set again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    handlers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in handlers.items() if handler is not None}
    try:
        for number in before:
            signal.signal(number, note)
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
