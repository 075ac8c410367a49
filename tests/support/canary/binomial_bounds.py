"""How many of so many simulations may go wrong before a test says that the probability is too high."""

from __future__ import annotations

from scipy.stats import binom

ERROR = 1e-6
"""How often such a test fails although all is well."""


def at_most(runs: int, probability: float) -> int:
    """The largest count that a true `probability` explains; more happen by chance once in a million."""
    return int(binom.isf(ERROR, runs, probability))


def at_least(runs: int, probability: float) -> int:
    """The smallest count that a true `probability` explains."""
    return int(binom.ppf(ERROR, runs, probability))
