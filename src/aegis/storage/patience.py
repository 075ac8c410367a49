"""How often and how long a store is asked again: one rule for all of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from aegis.core.errors import CouldNotDecide

T = TypeVar("T")

TRANSIENT = frozenset({"verify.store_failed", "verify.store_slow", "verify.store_cut"})
"""Faults that may be gone in a moment. All others stay as they are, however often one asks."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of one operation on a store."""

    tries: int = 4
    waits: float = 10.0
    """Seconds, all waits between the tries together; longer only hides an outage."""
    total: float = 3600.0
    """Seconds for everything, however well it goes: a job has an end, and a trickle must not hold it."""

    def pause(self, attempt: int, waited: float, clock: Clock) -> float | None:
        """Seconds until the next try after `attempt` failed ones: 0.5, 1, 2, … with half of it more or less.

        None where there is none any more. `waited`: seconds of the pauses so far.
        """
        pause = float(2 ** (attempt - 2)) * (0.5 + clock.jitter())
        return None if attempt >= self.tries or waited + pause > self.waits else pause


def retried(ask: Callable[[], T], patience: Patience, clock: Clock) -> T:
    """The answer to a small question, asked again where the fault is transient."""
    attempt, waited = 1, 0.0
    while True:
        try:
            return ask()
        except CouldNotDecide as error:
            pause = patience.pause(attempt, waited, clock)
            if error.code not in TRANSIENT or pause is None:
                raise
        clock.sleep(pause)
        attempt, waited = attempt + 1, waited + pause
