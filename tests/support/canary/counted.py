"""Increments written by hand: what each side of a rollout did in one interval."""

from __future__ import annotations

from aegis.gates.canary.increment import Increment, Side
from aegis.gates.canary.judge import Judgement, look
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.state import State, begin

START = 1_000_000.0
Counts = tuple[float, float]
"""Exposure and bad events."""


class Watched:
    """A rollout that is looked at every ten seconds."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state: State = begin(plan, "shop/api@2", START)
        self.now = START

    def look(
        self,
        canary: Counts | None = None,
        stable: Counts | None = None,
        *,
        metric: str | None = None,
        weight: float | None = None,
        seconds: float = 10.0,
        blind: bool = False,
    ) -> Judgement:
        """Time goes on, and both sides have done this since the last look; None: nothing was scraped."""
        self.now += seconds
        return self.take(*self.counts(canary, stable, metric=metric), weight=weight, blind=blind)

    def counts(self, canary: Counts | None, stable: Counts | None, *, metric: str | None = None) -> list[Increment]:
        name = metric or self.plan.metrics[0].name
        sides: tuple[tuple[Side, Counts | None], ...] = (("canary", canary), ("stable", stable))
        return [Increment(name, side, f"{side}-0", self.now, of[0], (of[1],)) for side, of in sides if of is not None]

    def take(self, *increments: Increment, weight: float | None = None, blind: bool = False) -> Judgement:
        return look(self.state, self.plan, increments, self.now, weight, blind=blind)
