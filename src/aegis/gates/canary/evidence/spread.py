"""How much pods of one version differ by chance, seen on the stable side.

One pod sits on a busy node, another gets the one customer with the broken client: rates of bad events per pod spread,
and a canary of one pod would be aborted for being a pod. The spread is the standard deviation s of the logarithm of
pods' rates. What is known of it is kept as a distribution: with two pods, or before there were bad events, wide
enough not to be fooled; with many, near the true value.

Each pod's bad events are compared with what it would have had at the common rate of the same two minutes, so that pods
that came and went (autoscaling) during an incident do not look different.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from aegis.gates.canary.evidence.arrays import Array, Indices, Value
from aegis.gates.canary.evidence.ratio import Mix

WINDOW = 120.0
"""Seconds in which a rate is taken as common to all pods: two scrapes of a minute each."""
POSSIBLE = np.array((0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45))
_BEFORE = np.array((1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.1))
"""How likely each is before anything is known, up to a factor. Chosen by simulation: a canary of one pod is aborted by
chance in less than 1 % where pods spread by 0.3, whether one or nineteen stable pods tell it."""
_STEP = 1.1
"""The spread of a side's mean is rounded up to powers of it, so that few distributions have to be made."""


class Spread(msgspec.Struct, forbid_unknown_fields=True):
    """What was counted of each pod of the stable side."""

    bad: dict[str, float] = {}
    expected: dict[str, float] = {}
    """Bad events that a pod would have had at the common rate of each window."""
    window: float = 0.0
    """The number of the window that is open: seconds since the epoch by `WINDOW`."""
    open: dict[str, tuple[float, float]] = {}
    """Exposure and bad events of each pod in it."""


def likely(bad: Array, expected: Array, owner: Indices, clustering: Array) -> Array:
    """The probability of each possible spread (a column each) of several metrics (a row each).

    `bad` and `expected` are of pods, `owner` says of which metric each is, `clustering` has one number a metric. A
    pod's ratio of bad events to expected ones is taken as normal, with a variance from chance (`clustering` over
    expected) and from the spread; their mean is unknown (restricted likelihood, Patterson & Thompson 1971).
    """
    count = len(clustering)
    value, noise = (bad - expected) / expected, clustering[owner] / expected
    logarithms = np.tile(np.log(_BEFORE), (count, 1))
    told = np.bincount(owner, minlength=count) > 0
    for column, spread in enumerate(POSSIBLE):
        precision = 1 / (spread * spread + noise)
        total = np.bincount(owner, precision, count)
        mean = np.bincount(owner, precision * value, count) / np.where(told, total, 1.0)
        squares = np.bincount(owner, precision * np.square(value - mean[owner]), count)
        of_pods = np.bincount(owner, np.log(precision), count)
        logarithms[:, column] += np.where(told, 0.5 * (of_pods - squares - np.log(np.where(told, total, 1.0))), 0.0)
    weights = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), float)


def of_one(spread: Spread, clustering: float) -> Array:
    """The same of one metric, as it is kept."""
    pods = [(spread.bad[pod], expected) for pod, expected in spread.expected.items() if expected > 0]
    bad, expected = np.array(pods, float).reshape(-1, 2).T
    return np.asarray(likely(bad, expected, np.zeros(len(pods), np.intp), np.array([clustering]))[0], float)


def of_ratio(spread: Value, canary_pods: Value, stable_pods: Value) -> Array:
    """The spread of the ratio of two sides, each the mean of so many pods; rounded up to a step."""
    exact = spread * np.sqrt(1 / np.asarray(canary_pods, float) + 1 / np.asarray(stable_pods, float))
    return np.asarray(_STEP ** np.ceil(np.log(exact) / math.log(_STEP) - 1e-9), float)


def mix(likely: Iterable[float], canary_pods: float, stable_pods: float) -> Mix:
    """Spreads of the ratio with their probabilities."""
    spreads = of_ratio(POSSIBLE, canary_pods, stable_pods)
    return tuple((float(part), float(spread)) for part, spread in zip(likely, spreads, strict=True))


def fixed(spread: float, canary_pods: float, stable_pods: float) -> Mix:
    """The same for a spread that is known."""
    return ((1.0, float(of_ratio(spread, canary_pods, stable_pods)) if spread else 0.0),)


def effective(exposures: Iterable[float]) -> float:
    """How many pods of equal exposure these are worth (Kish 1965); 1 at least."""
    values = list(exposures)
    squares = math.fsum(value * value for value in values)
    return max(1.0, math.fsum(values) ** 2 / squares) if squares > 0 else 1.0
