from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from aegis.gates.canary.evidence.grid import anything, around, grid, harmful, harmless

BOUNDS = st.tuples(st.floats(0.5, 3), st.floats(1.05, 4)).map(lambda pair: (pair[0], max(1.01, pair[0] * pair[1])))
SPREADS = st.sampled_from([0.0, 0.03, 0.1, 0.3, 0.8])


@given(BOUNDS, SPREADS)
def test_every_hypothesis_is_a_distribution(bounds: tuple[float, float], spread: float) -> None:
    over = grid(*bounds)
    for weights in (
        around(over, over.tolerated, spread),
        around(over, over.margin, spread),
        harmful(over, spread),
        harmless(over, spread),
        anything(over),
    ):
        assert len(weights) == len(over.points)
        assert min(weights) >= 0
        assert math.isclose(sum(weights), 1.0, rel_tol=1e-9)


@given(BOUNDS)
def test_without_spread_a_hypothesis_is_the_ratio_itself(bounds: tuple[float, float]) -> None:
    over = grid(*bounds)
    for centre in (over.tolerated, over.margin):
        assert over.points[around(over, centre, 0.0).index(1.0)] == pytest.approx(centre, abs=1e-9)


@given(BOUNDS)
def test_points_rise_and_know_their_ratios(bounds: tuple[float, float]) -> None:
    over = grid(*bounds)
    assert list(over.points) == sorted(set(over.points))
    assert [1 + growth for growth in over.growth] == pytest.approx([math.exp(point) for point in over.points])


@given(BOUNDS, SPREADS)
def test_harm_is_above_what_is_tolerated_and_good_below_the_margin(bounds: tuple[float, float], spread: float) -> None:
    over = grid(*bounds)
    means = [
        sum(weight * point for weight, point in zip(weights, over.points, strict=True))
        for weights in (around(over, over.tolerated, spread), harmful(over, spread))
    ]
    assert means[0] < means[1]
    plain = harmful(over, 0.0)
    assert all(point > over.tolerated for point, weight in zip(over.points, plain, strict=True) if weight)
    good = harmless(over, 0.0)
    assert all(point < over.margin for point, weight in zip(over.points, good, strict=True) if weight)


@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_chance_is_normal(spread: float) -> None:
    over = grid(1.0, 2.0)
    weights = around(over, 0.0, spread)
    for bound in (-0.45, 0.15, 0.35):
        mass = sum(weight for weight, point in zip(weights, over.points, strict=True) if point < bound)
        points = [point for point in over.points if point < bound][-1:] + [p for p in over.points if p > bound][:1]
        assert mass == pytest.approx(norm.cdf(sum(points) / 2, 0, spread), abs=1e-12)
