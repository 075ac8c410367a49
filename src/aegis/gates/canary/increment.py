"""What one pod counted between two scrapes: all that the judge knows of the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["canary", "stable"]
"""The version that is rolled out, and the one that it is to replace."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What one target of one pod counted for one metric between two of its scrapes that follow each other.

    Every number is finite and not negative. `bad` may exceed `exposure`: a process may count a request at its start
    and its error at its end.
    """

    metric: str
    """The name that the policy gives it."""
    side: Side
    pod: str
    time: float
    """Unix seconds, of the later scrape."""
    exposure: float
    """Requests; seconds where events are counted per time, as restarts are."""
    bad: float
    """Events; of a histogram, requests above the least edge of `above`."""
    above: tuple[tuple[float, float], ...] = ()
    """Of a histogram: each bucket edge at or above the SLO, ascending, with the number of requests above it."""
    born: float | None = None
    """Unix seconds at which this process was new; None where it was there before the watch, or may have been."""
