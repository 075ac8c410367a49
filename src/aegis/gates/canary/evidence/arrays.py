"""What all arrays of evidence have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Value = Array | float
"""One number, or one for each of many metrics."""
MOST = 690.0
"""A logarithm of evidence is cut here, at ±: e to the 690 is near the largest double."""


def picked(rows: Indices, count: int) -> Indices | slice:
    """These rows of a table of so many; all of them in order are a slice, which reads the table without copying it."""
    return slice(None) if len(rows) == count and (rows == np.arange(count)).all() else rows


def log_mean(logarithms: Array) -> Array:
    """The logarithm of the mean, along the last axis, of what these are the logarithms of."""
    top = logarithms.max(axis=-1)
    sums = np.exp(logarithms - top[..., None]).sum(axis=-1)
    return np.asarray(top + np.log(sums / logarithms.shape[-1]), float)


def average(parts: Array, logarithms: Array) -> float:
    """The logarithm of the average, weighted by `parts` (their sum is 1), of what these are the logarithms of."""
    top = logarithms.max()
    return float(np.clip(top + np.log((parts * np.exp(logarithms - top)).sum()), -MOST, MOST))
