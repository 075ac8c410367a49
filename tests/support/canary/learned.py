"""What a judge learns of the stable side, from increments that are told one by one."""

from __future__ import annotations

import math

from aegis.gates.canary.evidence.clustering import Clustering, size
from aegis.gates.canary.evidence.spread import Spread, of_one
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.tallies import Tallies
from aegis.gates.canary.tally import Tally
from tests.support.canary.rollouts import NAME, plan


class Learned:
    """One metric of which nothing is known."""

    def __init__(self) -> None:
        self._told: list[Increment] = []

    def add(self, pod: str, time: float, exposure: float, bad: float) -> None:
        self._told.append(Increment(NAME, "stable", pod, time, exposure, (bad,)))

    @property
    def tally(self) -> Tally:
        """Everything so far counts as history."""
        tallies = Tallies(plan(spread=None, cluster=None))
        if self._told:
            tallies.add(tallies.batch(self._told), math.inf, None)
        return tallies[NAME]

    @property
    def spread(self) -> Spread:
        return self.tally.spread

    @property
    def clustering(self) -> Clustering:
        return self.tally.clustering

    def size(self) -> float:
        counted = self.clustering
        return float(size(counted.squares, counted.variance))

    def likely(self, clustering: float) -> list[float]:
        return [float(part) for part in of_one(self.spread, clustering)]
