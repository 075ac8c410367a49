"""How many bad events come at once: retries of one request, a batch, one lost connection to a database.

Ten errors of one cause are one piece of evidence. Clustering is the variance of counts over what independent events
would have, estimated from neighbouring increments of each stable pod: given the sum of both, the first is binomial with
the exposures' odds. Evidence divided by it is valid for clusters of that mean size (a quasi-likelihood, McCullagh &
Nelder 1989, chapter 9). Clusters that a load balancer scatters over pods need none, and do not show here.
"""

from __future__ import annotations

import msgspec
import numpy as np

from aegis.gates.canary.evidence.arrays import Array, Value

_CAUTION = 1.1
"""On top of the estimate, which may be too small by chance."""
_BEFORE, _WEIGHT = 5.0, 2.5
"""What is assumed before anything is known, and its weight as a sum of variances: that of ten bad events. Chosen by
simulation: with clusters of 4 and no history, less than 1 % of good canaries are aborted."""


class Clustering(msgspec.Struct, forbid_unknown_fields=True):
    """What was counted of neighbouring increments of each stable pod."""

    squares: float = 0.0
    """Sum of squared differences from what the exposures make of both."""
    variance: float = 0.0
    """Sum of the variances that independent events would have."""
    first: dict[str, tuple[float, float]] = {}
    """Exposure and bad events of a pod's increment that waits for its neighbour."""


def compared(before: tuple[Array, Array], exposure: Array, bad: Array) -> tuple[Array, Array]:
    """What neighbours add to `squares` and `variance`: `before` is exposure and bad events of the earlier ones."""
    odds = before[0] / (before[0] + exposure)
    both = before[1] + bad
    return np.square(before[1] - both * odds), both * odds * (1 - odds)


def size(squares: Value, variance: Value) -> Array:
    """The mean size of a cluster that evidence is divided by; 1 for independent events."""
    estimate = (_BEFORE * _WEIGHT + squares) / (_WEIGHT + variance)
    return np.maximum(1.0, _CAUTION * estimate)
