"""The canary against a fixed rate: a floor that nobody minds, or a ceiling that nobody accepts.

For a rate f per exposure and a factor r, with x bad events in an exposure n,

    log L(r) = x·log r - n·f·(r - 1)

is an e-process for "the rate is at most f" where r > 1, and for "at least f" where r < 1; for Poisson counts as for
requests that each fail with some probability (1 + x ≤ eˣ). It needs the two sums only. All values may be arrays, of
many metrics at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aegis.gates.canary.evidence.arrays import MOST, Array, Value, log_mean

_ABOVE = np.geomspace(1.1, 30.0, 24)
"""Effects that are looked for: 1.1 to 30 times the rate."""
_BELOW = np.array((0.0, 0.1, 0.25, 0.5, 0.7))
"""How far below the rate a good canary may be; 0 is one that never fails."""


def above(bad: Value, exposure: Value, rate: Value, clustering: Value) -> Array:
    """Evidence (a logarithm) that bad events are more frequent than `rate`."""
    return _weighed(_ABOVE, bad, exposure, rate, clustering)


def below(bad: Value, exposure: Value, rate: Value, clustering: Value) -> Array:
    """Evidence (a logarithm) that bad events are rarer than `rate`."""
    return _weighed(_BELOW, bad, exposure, rate, clustering)


def above_since(
    marks: Sequence[tuple[float, float]], bad: float, exposure: float, rate: float, clustering: float, parts: int
) -> float:
    """Evidence (a logarithm) that bad events have been more frequent than `rate` since one of several times.

    `marks`: bad events and exposure at the times that have come; of `parts` in all, each as likely as the others. The
    average of e-processes that begin at times which were fixed before is one (Shafer & Vovk 2019, chapter 5): so what
    was good for long does not hide what is bad now.
    """
    since = np.array(marks)
    each = above(bad - since[:, 0], exposure - since[:, 1], rate, clustering)
    return float(log_mean(np.concatenate((each, np.zeros(parts - len(marks))))))


def _weighed(factors: Array, bad: Value, exposure: Value, rate: Value, clustering: Value) -> Array:
    events, expected = np.asarray(bad, float)[..., None], np.asarray(exposure * rate, float)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        # no event at all has the probability 1 under a rate of zero
        of_events = np.where(events > 0, events * np.log(factors), 0.0)
    logarithms = (of_events - expected * (factors - 1)) / np.asarray(clustering, float)[..., None]
    return np.clip(log_mean(logarithms), -MOST, MOST)
