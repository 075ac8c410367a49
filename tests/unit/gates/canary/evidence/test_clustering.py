from __future__ import annotations

import numpy as np
import pytest

from tests.support.canary.learned import Learned


def counted(size: int, *, pods: int = 4, increments: int = 400, seed: int = 1, growing: bool = False) -> float:
    rng = np.random.default_rng(seed)
    found = Learned()
    for number in range(increments):
        for pod in range(pods):
            exposure = float(rng.poisson(200 * (1 + (number % 2) * growing)))
            found.add(f"p{pod}", float(number), exposure, float(size * rng.poisson(exposure * 0.01 / size)))
    return found.size()


@pytest.mark.parametrize("size", [1, 2, 4, 10])
def test_it_is_the_size_of_clusters(size: int) -> None:
    assert counted(size) == pytest.approx(1.1 * size, rel=0.2)


def test_exposure_that_changes_is_no_cluster() -> None:
    assert counted(1, growing=True) == pytest.approx(1.1, rel=0.2)


def test_a_few_large_clusters_among_single_events_count_by_their_events() -> None:
    rng = np.random.default_rng(2)
    found = Learned()
    for number in range(4_000):
        found.add("p", float(number), 100.0, float(rng.poisson(0.5)) + 10.0 * float(rng.poisson(0.05)))
    # mean square over mean of the sizes: (0.5·1 + 0.05·100)/(0.5 + 0.5)
    assert found.size() == pytest.approx(1.1 * 5.5, rel=0.15)


def test_before_anything_is_known_it_is_cautious() -> None:
    assert Learned().size() == pytest.approx(5.5)


def test_it_is_never_less_than_one() -> None:
    found = Learned()
    for number in range(1_000):
        found.add("p", float(number), 10.0, 5.0)
    assert found.size() == 1.0


def test_pods_are_compared_with_themselves_only() -> None:
    found = Learned()
    for number in range(200):
        found.add("quiet", float(number), 100.0, 1.0)
        found.add("loud", float(number), 100.0, 50.0)
    assert found.size() == 1.0


def test_a_scrape_without_requests_says_nothing() -> None:
    found = Learned()
    found.add("p", 1.0, 0.0, 0.0)
    assert (found.clustering.first, found.clustering.variance) == ({}, 0.0)
