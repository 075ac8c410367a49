from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from aegis.gates.canary.evidence.arrays import MOST, Array
from aegis.gates.canary.evidence.grid import Grid, grid
from aegis.gates.canary.evidence.ratio import NO_SPREAD, added, hypotheses, interval, weigh

OVER = grid(1.0, 2.0)
ZEROS = np.zeros(len(OVER.points))


def grown(likelihood: Array, over: Grid, share: float, canary_bad: float, bad: float) -> Array:
    return likelihood + added(np.array(over.points), np.array(over.growth), share, canary_bad, bad)


def exact(canary: float, stable: float, canary_bad: int, stable_bad: int) -> list[float]:
    """The logarithm of the likelihood of each ratio by its definition: whose the bad events are, given their number."""
    both = canary_bad + stable_bad
    odds = [math.exp(point) * canary / stable for point in OVER.points]
    even = binom.logpmf(canary_bad, both, canary / (canary + stable))
    return [float(binom.logpmf(canary_bad, both, odd / (1 + odd)) - even) for odd in odds]


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6), st.integers(0, 300), st.integers(0, 300))
@settings(deadline=None, max_examples=60)
def test_the_likelihood_is_whose_the_bad_events_are(
    canary: float, stable: float, canary_bad: int, stable_bad: int
) -> None:
    found = grown(ZEROS, OVER, canary / (canary + stable), canary_bad, canary_bad + stable_bad)
    assert found == pytest.approx(exact(canary, stable, canary_bad, stable_bad), rel=1e-6, abs=1e-6)


def test_counts_can_be_added_in_any_pieces() -> None:
    whole = grown(ZEROS, OVER, 0.2, 7, 20)
    parts = grown(grown(ZEROS, OVER, 0.2, 3, 12), OVER, 0.2, 4, 8)
    assert whole == pytest.approx(parts)


def chances(number: int, rate: float) -> list[float]:
    """The probability of each count of bad ones among so many requests."""
    return [math.comb(number, bad) * rate**bad * (1 - rate) ** (number - bad) for bad in range(number + 1)]


def expected(over: Grid, canary: tuple[int, float], stable: tuple[int, float], which: int) -> float:
    """The mean of the evidence's factor over all outcomes; sides are (requests, rate)."""
    against = hypotheses(over, NO_SPREAD)
    zeros, share = np.zeros(len(over.points)), canary[0] / (canary[0] + stable[0])
    return sum(
        first * second * math.exp(weigh(grown(zeros, over, share, mine, mine + theirs), 1.0, against)[which])
        for mine, first in enumerate(chances(*canary))
        for theirs, second in enumerate(chances(*stable))
    )


RATES = st.floats(1e-4, 1.0)


@given(RATES, st.floats(0.0, 1.0), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1.0, 1.3, 2.0]))
@settings(deadline=None, max_examples=60)
def test_no_good_canary_is_expected_to_gain_evidence_of_harm(
    rate: float, part: float, canary: int, stable: int, tolerated: float
) -> None:
    """The mean of each factor is at most 1, for requests that fail with any probability: all outcomes are summed."""
    own = min(1.0, rate * tolerated) * part
    assert expected(grid(tolerated, tolerated * 2), (canary, own), (stable, rate), 0) <= 1 + 1e-9


@given(st.floats(1e-4, 0.5), st.floats(1.0, 2.0), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_no_bad_canary_is_expected_to_gain_evidence_for_it(rate: float, worse: float, canary: int, stable: int) -> None:
    assert expected(OVER, (canary, min(1.0, rate * 2.0 * worse)), (stable, rate), 1) <= 1 + 1e-9


@given(st.integers(0, 40), st.integers(0, 400), st.integers(1, 20))
def test_more_bad_events_of_the_canary_are_more_evidence_of_harm(canary_bad: int, stable_bad: int, more: int) -> None:
    against = hypotheses(OVER, NO_SPREAD)
    less = weigh(grown(ZEROS, OVER, 0.05, canary_bad, canary_bad + stable_bad), 1.0, against)
    worse = weigh(grown(ZEROS, OVER, 0.05, canary_bad + more, canary_bad + more + stable_bad), 1.0, against)
    assert worse[0] > less[0]
    assert worse[1] < less[1]


def test_clusters_and_spread_weaken_evidence() -> None:
    likelihood = grown(ZEROS, OVER, 0.05, 30, 130)
    plain = weigh(likelihood, 1.0, hypotheses(OVER, NO_SPREAD))[0]
    assert weigh(likelihood, 4.0, hypotheses(OVER, NO_SPREAD))[0] < plain / 2
    assert weigh(likelihood, 1.0, hypotheses(OVER, ((1.0, 0.3),)))[0] < plain
    wide, narrow = (weigh(likelihood, 1.0, hypotheses(OVER, ((1.0, spread),)))[0] for spread in (0.6, 0.1))
    assert wide < narrow


def test_evidence_has_ends() -> None:
    harm, good = weigh(grown(ZEROS, OVER, 0.5, 1e6, 1e6), 1.0, hypotheses(OVER, NO_SPREAD))
    assert (float(harm), float(good)) == (MOST, -MOST)
    harm, good = weigh(grown(ZEROS, OVER, 0.5, 0, 1e6), 1.0, hypotheses(OVER, NO_SPREAD))
    assert (float(harm), float(good)) == (-MOST, MOST)


class TestInterval:
    def test_before_anything_was_counted_every_ratio_is_possible(self) -> None:
        assert interval(ZEROS, 1.0, OVER, NO_SPREAD, 0.01) == (0.0, math.inf)

    @pytest.mark.parametrize(("canary_bad", "stable_bad", "true"), [(250, 950, 5.0), (100, 1900, 1.0), (20, 1900, 0.2)])
    def test_it_holds_the_ratio_of_the_counts(self, canary_bad: int, stable_bad: int, true: float) -> None:
        low, high = interval(grown(ZEROS, OVER, 0.05, canary_bad, canary_bad + stable_bad), 1.0, OVER, NO_SPREAD, 0.01)
        assert low <= true <= high
        assert high / max(low, 0.2) < 3.5

    def test_what_aborts_is_outside_of_it(self) -> None:
        likelihood = grown(ZEROS, OVER, 0.05, 40, 160)
        assert weigh(likelihood, 1.0, hypotheses(OVER, NO_SPREAD))[0] > math.log(100)
        assert interval(likelihood, 1.0, OVER, NO_SPREAD, 0.01)[0] > 1.0

    def test_spread_and_clusters_widen_it(self) -> None:
        likelihood = grown(ZEROS, OVER, 0.05, 400, 1600)
        low, high = interval(likelihood, 1.0, OVER, NO_SPREAD, 0.01)
        for wider in (
            interval(likelihood, 6.0, OVER, NO_SPREAD, 0.01),
            interval(likelihood, 1.0, OVER, ((1.0, 0.4),), 0.01),
        ):
            assert wider[0] < low
            assert wider[1] > high
