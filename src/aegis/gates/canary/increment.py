"""What counters of one pod grew by between two scrapes: all that a judgement of a rollout is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["canary", "stable"]


@dataclass(frozen=True, slots=True)
class Increment:
    """The growth of one metric of one pod up to one scrape.

    There is one at most for a metric, a pod and a time, whatever number of series it was summed from. One of zeros is
    a sign of life: the pod was scraped, and nothing happened.
    """

    metric: str
    side: Side
    pod: str
    time: float
    """Of the scrape that ends it, in seconds since the epoch."""
    exposure: float
    """Chances for a bad event: requests, or a pod's seconds where restarts are counted. Finite, not negative."""
    bad: tuple[float, ...]
    """Bad events of the same scrape: one number; of a histogram one an edge, the requests above it."""
    edges: tuple[float, ...] = ()
    """Of a histogram: the edges that `bad` is counted above, rising. Empty for others."""
