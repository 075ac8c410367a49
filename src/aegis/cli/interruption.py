"""A run that is told to stop says so in its verdict: GitHub leaves a cancelled step a few seconds for that."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from aegis.core.errors import CouldNotDecide

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


def stop_on_signals() -> None:
    """From now on, the first signal to stop raises `Stopped`."""
    for number in _SIGNALS:
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # A second signal must not cut the verdict off that the first one asked for.
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
