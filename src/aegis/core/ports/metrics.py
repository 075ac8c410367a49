"""The port to a store of metrics: counters as they were scraped, never as a function made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one series."""

    labels: Mapping[str, str]
    """With the metric's name as `__name__`."""
    samples: tuple[tuple[float, float], ...]
    """Unix seconds of the scrape, and the value; ascending in time, at least one. Values may be anything that a target
    exposes: NaN, infinite, negative."""


class Metrics(Protocol):
    """A store of metrics with a clock of its own. Every fault is CouldNotDecide with a `canary.…` code."""

    def now(self) -> float:
        """The store's clock, Unix seconds: samples are as old as this clock says, whatever the clock here says."""
        ...

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """The raw samples of the last `window` seconds before `at`; no series twice. Empty where there is none."""
        ...
