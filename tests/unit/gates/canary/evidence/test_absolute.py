from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from aegis.gates.canary.evidence.absolute import above, below
from aegis.gates.canary.evidence.arrays import MOST


def chances(number: int, rate: float) -> list[float]:
    """The probability of each count of bad ones among so many requests."""
    return [math.comb(number, bad) * rate**bad * (1 - rate) ** (number - bad) for bad in range(number + 1)]


@given(st.floats(1e-6, 1.0), st.floats(0.0, 1.0), st.integers(1, 40))
@settings(deadline=None)
def test_a_rate_below_is_not_expected_to_look_above(rate: float, part: float, requests: int) -> None:
    mean = sum(
        chance * math.exp(above(bad, requests, rate, 1.0)) for bad, chance in enumerate(chances(requests, rate * part))
    )
    assert mean <= 1 + 1e-9


@given(st.floats(1e-3, 0.5), st.floats(1.0, 2.0), st.integers(1, 40))
@settings(deadline=None)
def test_a_rate_above_is_not_expected_to_look_below(rate: float, worse: float, requests: int) -> None:
    mean = sum(
        chance * math.exp(below(bad, requests, rate, 1.0)) for bad, chance in enumerate(chances(requests, rate * worse))
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("seconds", [1.0, 60.0, 3600.0])
def test_events_over_time_are_held_to_the_same(seconds: float) -> None:
    rate = 0.01
    counts = range(200)
    pmf = poisson.pmf(counts, rate * seconds)
    assert sum(p * math.exp(above(n, seconds, rate, 1.0)) for n, p in zip(counts, pmf, strict=True)) <= 1 + 1e-9
    assert sum(p * math.exp(below(n, seconds, rate, 1.0)) for n, p in zip(counts, pmf, strict=True)) <= 1 + 1e-9


def test_without_a_bad_event_enough_requests_are_proof() -> None:
    assert below(0, 2_000, 0.001, 1.0) < math.log(20)
    assert below(0, 6_000, 0.001, 1.0) > math.log(20)


def test_ten_times_the_ceiling_is_seen_soon() -> None:
    assert above(10, 1_000, 0.01, 1.0) < math.log(100)
    assert above(30, 300, 0.01, 1.0) > math.log(100)


def test_clusters_weaken_both() -> None:
    assert above(30, 300, 0.01, 4.0) < above(30, 300, 0.01, 1.0) / 2
    assert below(0, 6_000, 0.001, 4.0) < below(0, 6_000, 0.001, 1.0) / 2


def test_evidence_has_ends() -> None:
    assert above(1e9, 1, 0.01, 1.0) == MOST
    assert below(0, 1e9, 0.01, 1.0) == MOST
    assert below(1e9, 1, 0.01, 1.0) == -MOST
