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
from functools import lru_cache
from operator import mul

import numpy as np

from aegis.gates.canary.evidence.arrays import MOST, Array, Value
from aegis.gates.canary.evidence.grid import Grid, anything, around, harmful, harmless

Mix = tuple[tuple[float, float], ...]
"""Spreads of the ratio with their probabilities: (probability, standard deviation of the logarithm)."""
NO_SPREAD: Mix = ((1.0, 0.0),)
HARM, NO_HARM, GOOD, NO_GOOD = range(4)
"""Rows of hypotheses: what evidence is weighed for, and what it is weighed against."""

_LIGHT = 1e-15
"""Weights below are left out: evidence that would see them is far beyond every bound."""


def hypotheses(over: Grid, mix: Mix) -> Array:
    """The hypotheses of a canary whose pods differ by chance as `mix` says: a row of weights each, over the grid."""
    return trimmed(sum((part * of_spread(over, spread) for part, spread in mix), np.zeros((4, len(over.points)))))


def trimmed(weights: Array) -> Array:
    """Without those that are too light to matter."""
    return np.where(weights > _LIGHT, weights, 0.0)


@lru_cache(maxsize=4096)
def of_spread(over: Grid, spread: float) -> Array:
    """The hypotheses for one spread of the ratio."""
    return np.array(
        (
            harmful(over, spread),
            around(over, over.tolerated, spread),
            harmless(over, spread),
            around(over, over.margin, spread),
        )
    )


def added(points: Array, growth: Array, share: Value, canary_bad: Value, bad: Value) -> Array:
    """What counts add to the likelihood: logarithms, a number a point of the grid (the last axis).

    `points` and `growth` are the grid's, `share` is the canary's part of the exposure, `bad` counts both sides.
    """
    own, both, part = (np.asarray(value, float)[..., None] for value in (canary_bad, bad, share))
    return np.asarray(own * points - both * np.log1p(part * growth), float)


def weigh(likelihood: Sequence[float] | Array, clustering: Value, against: Array) -> tuple[Array, Array]:
    """Evidence of harm, and that the canary is good enough: logarithms. The last axis is the grid's."""
    whole = np.asarray(likelihood, float) / np.asarray(clustering, float)[..., None]
    relative = whole - whole.max(axis=-1, keepdims=True)
    means = np.asarray(np.einsum("...g,...hg->...h", np.exp(relative), against), float)
    with np.errstate(divide="ignore"):
        logarithms = np.log(means)
    if not means.all():
        logarithms = np.where(means > 0, logarithms, _far(relative, against))
    harm = logarithms[..., HARM] - logarithms[..., NO_HARM]
    good = logarithms[..., GOOD] - logarithms[..., NO_GOOD]
    return np.clip(harm, -MOST, MOST), np.clip(good, -MOST, MOST)


def _far(relative: Array, against: Array) -> Array:
    """Means where all points of a hypothesis are so unlikely that no double holds them: from its own best one."""
    own = np.where(against > 0, relative[..., None, :], -np.inf)
    top = own.max(axis=-1)
    return np.asarray(top + np.log((np.exp(own - top[..., None]) * against).sum(axis=-1)), float)


def interval(
    likelihood: Sequence[float] | Array, clustering: float, over: Grid, mix: Mix, alpha: float
) -> tuple[float, float]:
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


def _tempered(likelihood: Sequence[float] | Array, clustering: float) -> list[float]:
    whole = np.asarray(likelihood, float)
    return [float(value) for value in np.exp((whole - whole.max()) / clustering)]
