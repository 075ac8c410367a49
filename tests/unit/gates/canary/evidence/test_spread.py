from __future__ import annotations

import math

import numpy as np
import pytest

from aegis.gates.canary.evidence.spread import WINDOW, effective, fixed, mix
from tests.support.canary.learned import Learned

POSSIBLE = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45)


def seen(spread: float, pods: int, *, rate: float = 0.02, windows: int = 30, seed: int = 1) -> Learned:
    rng = np.random.default_rng(seed)
    effects = np.exp(spread * rng.standard_normal(pods))
    found = Learned()
    for window in range(windows + 1):
        for pod in range(pods):
            exposure = float(rng.poisson(5_000))
            found.add(f"p{pod}", window * WINDOW, exposure, float(rng.poisson(exposure * rate * effects[pod])))
    return found


def mean(found: Learned) -> float:
    return sum(part * spread for part, spread in zip(found.likely(1.0), POSSIBLE, strict=True))


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.3])
def test_many_pods_tell_the_spread(spread: float) -> None:
    estimates = [mean(seen(spread, 30, seed=seed)) for seed in range(8)]
    assert sum(estimates) / len(estimates) == pytest.approx(spread, rel=0.2)


def test_pods_that_are_alike_have_little() -> None:
    assert mean(seen(0.0, 30)) < 0.05


def test_fewer_pods_tell_less() -> None:
    few, many = seen(0.1, 3).likely(1.0), seen(0.1, 40).likely(1.0)
    assert sum(few[-2:]) > 5 * sum(many[-2:])


@pytest.mark.parametrize("found", [Learned(), seen(0.3, 1)], ids=["nothing", "one-pod"])
def test_what_is_not_known_is_taken_as_before(found: Learned) -> None:
    assert found.likely(1.0) == pytest.approx([part / 5.6 for part in (1, 1, 1, 1, 1, 0.5, 0.1)])


def test_few_bad_events_say_nothing() -> None:
    before = Learned().likely(1.0)
    assert seen(0.3, 4, rate=1e-5).likely(1.0) == pytest.approx(before, abs=0.05)


def test_clusters_are_no_spread() -> None:
    found = Learned()
    rng = np.random.default_rng(4)
    for window in range(10):
        for pod in range(20):
            found.add(f"p{pod}", window * WINDOW, 1_000.0, 10.0 * float(rng.poisson(1)))
    assert sum(part * s for part, s in zip(found.likely(10.0), POSSIBLE, strict=True)) < 0.15 < mean(found)


def test_pods_that_came_for_an_incident_are_no_spread() -> None:
    """Ten pods for an hour at 1 %, ten more while the rate of all was 20 %: each has what its windows had."""
    found = Learned()
    for window in range(31):
        incident = 10 <= window < 15
        for pod in range(20 if incident else 10):
            found.add(f"p{pod}", window * WINDOW, 1_000.0, 200.0 if incident else 10.0)
    assert found.spread.bad == pytest.approx(found.spread.expected)
    assert mean(found) < 0.06


def test_a_window_of_one_pod_compares_nothing() -> None:
    found = seen(0.0, 1)
    assert found.spread.expected == {}


def test_sides_of_many_pods_differ_less() -> None:
    one = mix((0.0,) * 4 + (1.0,) + (0.0,) * 2, 1, 1)[4][1]
    many = mix((0.0,) * 4 + (1.0,) + (0.0,) * 2, 4, 16)[4][1]
    assert 0.2 * math.sqrt(2) <= one <= 0.2 * math.sqrt(2) * 1.1
    assert 0.2 * math.sqrt(1 / 4 + 1 / 16) <= many <= 0.2 * math.sqrt(1 / 4 + 1 / 16) * 1.1


def test_a_known_spread_is_one_value() -> None:
    assert fixed(0.0, 1, 4) == ((1.0, 0.0),)
    ((part, spread),) = fixed(0.2, 1, 1)
    assert part == 1.0
    assert spread >= 0.2 * math.sqrt(2)


def test_pods_count_by_their_exposure() -> None:
    assert effective([]) == 1.0
    assert effective([0.0, 0.0]) == 1.0
    assert effective([5.0, 5.0, 5.0]) == pytest.approx(3.0)
    assert effective([100.0, 1.0]) < 1.05
