"""The canary against a fixed rate: a floor that nobody minds, or a ceiling that nobody accepts.

For a rate f per exposure and a factor r, with x bad events in an exposure n,

    log L(r) = x·log r - n·f·(r - 1)

is an e-process for "the rate is at most f" where r > 1, and for "at least f" where r < 1; for Poisson counts as for
requests that each fail with some probability (1 + x ≤ eˣ). It needs the two sums only.
"""

from __future__ import annotations

import math

from aegis.gates.canary.evidence.ratio import MOST

_FIRST, _LAST, _NUMBER = math.log(1.1), math.log(30.0), 24
_ABOVE = tuple(math.exp(_FIRST + (_LAST - _FIRST) * index / (_NUMBER - 1)) for index in range(_NUMBER))
"""Effects that are looked for: 1.1 to 30 times the rate."""
_BELOW = (0.0, 0.1, 0.25, 0.5, 0.7)
"""How far below the rate a good canary may be; 0 is one that never fails."""


def above(bad: float, exposure: float, rate: float, clustering: float) -> float:
    """Evidence (a logarithm) that bad events are more frequent than `rate`."""
    return _mean([(bad * math.log(factor) - exposure * rate * (factor - 1)) / clustering for factor in _ABOVE])


def below(bad: float, exposure: float, rate: float, clustering: float) -> float:
    """Evidence (a logarithm) that bad events are rarer than `rate`."""
    return _mean(
        [
            ((bad * math.log(factor) if factor else -math.inf if bad else 0.0) + exposure * rate * (1 - factor))
            / clustering
            for factor in _BELOW
        ]
    )


def _mean(logarithms: list[float]) -> float:
    top = max(logarithms)
    mean = top + math.log(sum(math.exp(value - top) for value in logarithms) / len(logarithms))
    return max(-MOST, min(MOST, mean))
