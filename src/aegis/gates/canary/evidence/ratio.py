"""Canary against stable: what counts say about the ratio of two event rates, whatever the rates themselves are.

Given that a bad event happened, "whose is it" is a coin whose odds under a ratio R are R·nc : ns, the exposures of both
sides, however the common rate moves. So the likelihood of R, less that of R = 1, gathers as

    log L(R) += xc·log R - (xc + xs)·log(1 + w·(R - 1)),   w = nc/(nc + ns)

with xc, xs bad events of canary and stable. It is exact for counts of an inhomogeneous Poisson process (Lindon & Malek
2020, arXiv 2011.03567). For requests that each fail with any probability, L(R1)/L(R0) with R1 > R0 is a supermartingale
under all ratios up to R0, and with R1 < R0 under all from R0 on, since 1 + x ≤ eˣ makes each factor's mean at most 1.

Where bad events come in clusters, log L is divided by their size (`Clustering`); where pods differ by chance,
hypotheses are distributions of R (`Spread`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

from aegis.gates.canary.evidence.grid import Grid, Weights, anything, around, harmful, harmless

Mix = tuple[tuple[float, float], ...]
"""Spreads of the ratio with their probabilities: (probability, standard deviation of the logarithm)."""
NO_SPREAD: Mix = ((1.0, 0.0),)
MOST = 690.0
"""A logarithm of evidence is cut here, at ±: e to the 690 is near the largest double."""


_LIGHT = 1e-15
"""Weights below are left out at both ends of a distribution: evidence that would see them is far beyond every bound."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a distribution over the grid that weighs something."""

    start: int
    """Index of the first point."""
    weights: Weights


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Pairs of distributions: what evidence is weighed for, and what it is weighed against."""

    harm: Slice
    no_harm: Slice
    good: Slice
    no_good: Slice


@lru_cache(maxsize=4096)
def hypotheses(over: Grid, mix: Mix) -> Hypotheses:
    """The hypotheses of a canary whose pods differ by chance as `mix` says."""
    return Hypotheses(
        _mixed([(part, harmful(over, spread)) for part, spread in mix]),
        _mixed([(part, around(over, over.tolerated, spread)) for part, spread in mix]),
        _mixed([(part, harmless(over, spread)) for part, spread in mix]),
        _mixed([(part, around(over, over.margin, spread)) for part, spread in mix]),
    )


def grown(likelihood: Sequence[float], over: Grid, share: float, canary_bad: float, bad: float) -> list[float]:
    """The likelihood (logarithms, a number a point of the grid) after more counts.

    `share` is the canary's part of the exposure, `bad` counts both sides.
    """
    log1p = math.log1p
    return [
        value + canary_bad * point - bad * log1p(share * growth)
        for value, point, growth in zip(likelihood, over.points, over.growth, strict=True)
    ]


def weigh(likelihood: Sequence[float], clustering: float, against: Hypotheses) -> tuple[float, float]:
    """Evidence of harm, and that the canary is good enough: logarithms."""
    plain = _tempered(likelihood, clustering)
    harm, no_harm, good, no_good = (
        _mean(likelihood, clustering, plain, over)
        for over in (against.harm, against.no_harm, against.good, against.no_good)
    )
    return max(-MOST, min(MOST, harm - no_harm)), max(-MOST, min(MOST, good - no_good))


def interval(likelihood: Sequence[float], clustering: float, over: Grid, mix: Mix, alpha: float) -> tuple[float, float]:
    """The ratios that are not refuted: but for a probability of alpha, the true one lies between at every look.

    0 and infinity stand for no bound. Bounds are points of the grid, rounded outwards.
    """
    plain = _tempered(likelihood, clustering)
    evidence = sum(map(mul, plain, anything(over)))
    low, high = 0, len(over.points) - 1
    best = plain.index(1.0)
    refuted = [
        evidence * alpha >= sum(part * sum(map(mul, plain, around(over, point, spread))) for part, spread in mix)
        for point in over.points
    ]
    below = [index for index in range(low, best) if refuted[index]]
    above = [index for index in range(best + 1, high + 1) if refuted[index]]
    return (
        math.exp(over.points[below[-1]]) if below else 0.0,
        math.exp(over.points[above[0]]) if above else math.inf,
    )


def _tempered(likelihood: Sequence[float], clustering: float) -> list[float]:
    top, exp = max(likelihood), math.exp
    return [exp((value - top) / clustering) for value in likelihood]


def _mean(likelihood: Sequence[float], clustering: float, plain: Sequence[float], over: Slice) -> float:
    """The logarithm of the mean likelihood, less that of the grid's most likely point."""
    mean = sum(map(mul, plain[over.start :], over.weights))
    if mean > 0:
        return math.log(mean)
    # all points of this hypothesis are so unlikely that no double holds them: count from its own best one
    own = likelihood[over.start : over.start + len(over.weights)]
    top = max(value for value, weight in zip(own, over.weights, strict=True) if weight > 0)
    rest = sum(
        math.exp((value - top) / clustering) * weight
        for value, weight in zip(own, over.weights, strict=True)
        if weight > 0
    )
    return (top - max(likelihood)) / clustering + math.log(rest)


def _mixed(parts: Sequence[tuple[float, Weights]]) -> Slice:
    columns = zip(*([part * weight for weight in weights] for part, weights in parts), strict=True)
    mixed = [sum(column) for column in columns]
    heavy = [index for index, weight in enumerate(mixed) if weight > _LIGHT]
    return Slice(heavy[0], tuple(mixed[heavy[0] : heavy[-1] + 1]))
