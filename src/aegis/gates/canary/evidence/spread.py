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

from aegis.gates.canary.evidence.ratio import Mix

WINDOW = 120.0
"""Seconds in which a rate is taken as common to all pods: two scrapes of a minute each."""
_POSSIBLE = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45)
_BEFORE = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.1)
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

    def add(self, pod: str, time: float, exposure: float, bad: float) -> None:
        """Count. A time in another window closes the open one."""
        window = time // WINDOW
        if window != self.window:
            self._close()
            self.window = window
        before = self.open.get(pod, (0.0, 0.0))
        self.open[pod] = (before[0] + exposure, before[1] + bad)

    def _close(self) -> None:
        # sums that do not depend on the order of pods: a state that was saved has another one
        exposure = math.fsum(exposure for exposure, _ in self.open.values())
        bad = math.fsum(bad for _, bad in self.open.values())
        if len(self.open) > 1 and exposure > 0:
            for pod, (own_exposure, own_bad) in self.open.items():
                self.bad[pod] = self.bad.get(pod, 0.0) + own_bad
                self.expected[pod] = self.expected.get(pod, 0.0) + own_exposure * bad / exposure
        self.open = {}

    def likely(self, clustering: float) -> tuple[float, ...]:
        """The probability of each possible spread, after what was counted.

        A pod's ratio of bad events to expected ones is taken as normal, with a variance from chance (`clustering` over
        expected) and from the spread; their mean is unknown (restricted likelihood, Patterson & Thompson 1971).
        """
        pods = [
            ((self.bad[pod] - expected) / expected, clustering / expected)
            for pod, expected in self.expected.items()
            if expected > 0
        ]
        if not pods:
            logarithms = [math.log(before) for before in _BEFORE]
        else:
            logarithms = [
                math.log(before) + _restricted(pods, spread * spread)
                for before, spread in zip(_BEFORE, _POSSIBLE, strict=True)
            ]
        top = max(logarithms)
        weights = [math.exp(value - top) for value in logarithms]
        total = sum(weights)
        return tuple(weight / total for weight in weights)


def mix(likely: Iterable[float], canary_pods: float, stable_pods: float) -> Mix:
    """Spreads of the ratio of two sides, each the mean of so many pods, with their probabilities."""
    return tuple(
        (part, _of_ratio(spread, canary_pods, stable_pods)) for part, spread in zip(likely, _POSSIBLE, strict=True)
    )


def fixed(spread: float, canary_pods: float, stable_pods: float) -> Mix:
    """The same for a spread that is known."""
    return ((1.0, _of_ratio(spread, canary_pods, stable_pods) if spread else 0.0),)


def effective(exposures: Iterable[float]) -> float:
    """How many pods of equal exposure these are worth (Kish 1965); 1 at least."""
    values = list(exposures)
    squares = math.fsum(value * value for value in values)
    return max(1.0, math.fsum(values) ** 2 / squares) if squares > 0 else 1.0


def _of_ratio(spread: float, canary_pods: float, stable_pods: float) -> float:
    exact = spread * math.sqrt(1 / canary_pods + 1 / stable_pods)
    return float(_STEP ** math.ceil(math.log(exact) / math.log(_STEP) - 1e-9))


def _restricted(pods: list[tuple[float, float]], variance: float) -> float:
    """The restricted log likelihood of a variance between pods; of each, its deviation and the variance of chance."""
    precision = [1 / (variance + noise) for _, noise in pods]
    total = math.fsum(precision)
    mean = math.fsum(weight * value for weight, (value, _) in zip(precision, pods, strict=True)) / total
    squares = math.fsum(weight * (value - mean) ** 2 for weight, (value, _) in zip(precision, pods, strict=True))
    return 0.5 * (math.fsum(math.log(weight) for weight in precision) - squares - math.log(total))
