"""A run that is told to stop says so in its verdict: GitHub leaves a cancelled step a few seconds for that."""

from __future__ import annotations

import signal
from types import FrameType

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


def stop_on_signals() -> None:
    """From now on, the first signal to stop raises `Stopped`; a second one must not cut its verdict off."""
    told: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
