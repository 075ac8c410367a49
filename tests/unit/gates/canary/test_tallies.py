"""The judge of many metrics at once, beside the numbers of one that counted event by event, without any array.

They were made by the judge's earlier form, which went through one increment after the other in plain Python.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aegis.gates.canary.increment import Increment
from aegis.gates.canary.judge import look
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import State, begin, resume, save
from tests.support.canary.rollouts import NAME, START, World, looks

EDGES = (0.1, 0.5, 1.0)
METRICS = (
    MetricPlan(name="plain"),
    MetricPlan(name="bounds", floor=1e-3, ceiling=0.02, tolerated=1.2, margin=3.0),
    MetricPlan(name="known", spread=0.1, cluster=2.0, weight=3.0),
    MetricPlan(name="orders", direction="decrease", critical=False),
    MetricPlan(name="either", direction="either", critical=False, spread=0.0, cluster=1.0),
    MetricPlan(name="traffic", kind="share", direction="either", critical=False, tolerated=1.5, margin=3.0),
    MetricPlan(name="slow", kind="latency", floor=1e-3),
    MetricPlan(name="restarts", kind="pace", critical=False),
)
PLAN = Plan(metrics=METRICS, alpha=1e-200, beta=1e-200, warm_up=20.0)
FIRST = replace(PLAN, metrics=METRICS[1:2], first=True, warm_up=0.0)
WORLDS = {
    "usual": (PLAN, World(ratio=1.5, history=8, pods=(2, 3))),
    "spread": (PLAN, World(ratio=3.0, history=40, pods=(1, 6), spread=0.3, requests=400.0)),
    "staggered": (PLAN, World(history=8, pods=(3, 4), staggered=True, cluster=3, incidents=True)),
    "first": (FIRST, World(ratio=6.0, pods=(3, 2))),
}


def told(metric: MetricPlan, one: Increment, number: int) -> list[Increment]:
    """The same scrape as each metric would tell it, shifted a bit so that no two are the same."""
    if metric.name not in {"plain", "known"} and (number + len(metric.name)) % 7 == 0:
        return []
    named = replace(one, metric=metric.name)
    if metric.kind == "latency":
        edges = EDGES if number % 5 else EDGES[:2]
        return [replace(named, bad=tuple(one.bad[0] // (at + 1) for at in range(len(edges))), edges=edges)]
    if metric.kind == "share":
        return [replace(named, bad=(one.exposure,))]
    if metric.kind == "pace":
        return [replace(named, exposure=10.0, bad=(one.bad[0] // 2,))]
    return [named]


def judged(name: str, save_every: int = 0) -> State:
    plan, world = WORLDS[name]
    state = begin(plan, "r", START)
    earlier: list[Increment] = []
    for number, (now, increments) in enumerate(looks(np.random.default_rng(11), world, 40)):
        several = [each for metric in plan.metrics for one in increments for each in told(metric, one, number)]
        # a scrape that is read again, and one that comes late
        earlier += [*several, *several[:3]]
        if now > START and number % 3:
            look(state, plan, [one for one in earlier if not plan.first or one.side == "canary"], now, 0.05)
            earlier = []
        if save_every and number % save_every == 0:
            state = resume(plan, "r", save(state))
    return state


def numbers(state: State) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for name in state.tallies:
        tally: Any = state.tallies[name]
        lane = tally.lanes[-1]
        spread = sum(part * value for part, value in tally.mix)
        found[name] = (
            *(tally.harm, tally.good, tally.over, tally.peak, tally.size, tally.known, tally.repeated, spread),
            *(sum(tally.canary.values()), sum(tally.stable.values()), lane.canary_bad, lane.stable_bad),
        )
    return found


EXPECTED: dict[str, dict[str, tuple[float, ...]]] = {
    "usual": {
        "plain": (-2.45329796, 1.8813094, 0, 0, 1.61525605, 207, 144, 0.103945582, 1788, 38234, 7, 183),
        "bounds": (-2.7890866, 3.66428399, -4.89888456, 0, 1.34725423, 177, 0, 0.101588815, 1476, 32517, 6, 153),
        "known": (-2.30352068, 1.57909889, 0, 0, 2, 207, 0, 0.0922959982, 1788, 38234, 7, 183),
        "orders": (-1.27801237, -0.327653368, 0, 0.993880013, 1.34725423, 177, 0, 0.101588815, 1476, 32517, 6, 153),
        "either": (-1.95439094, 2.56766691, 0, 1.30298694, 1, 177, 0, 0, 1476, 32517, 6, 153),
        "traffic": (
            -4.93990474,
            9.44414933,
            0,
            2.22044605e-16,
            1.21739717,
            37255,
            0,
            0.053132963,
            1545,
            33453,
            1545,
            33453,
        ),
        "slow": (-2.09852586, 0.562062493, 0, 0, 1.56833402, 176, 0, 0.111156098, 1537, 32614, 1, 57),
        "restarts": (-4.38561424, 13.7193467, 0, 0, 1.41428571, 66, 0, 0.116703148, 700, 1050, 1, 60),
    },
    "spread": {
        "plain": (2.76851585, -4.95532317, 0, 2.76851585, 1.04464124, 1589, 240, 0.277329146, 7584, 151994, 108, 835),
        "bounds": (
            1.5623225,
            -4.71827857,
            -6.93963432,
            1.64520253,
            1.0656165,
            1382,
            0,
            0.28203724,
            6341,
            129312,
            91,
            712,
        ),
        "known": (10.0285339, -12.5097661, 0, 10.0285339, 2, 1589, 0, 0.111678158, 7584, 151994, 108, 835),
        "orders": (-3.93743289, 7.27128151, 0, 1.11022302e-16, 1.0656165, 1382, 0, 0.28203724, 6341, 129312, 91, 712),
        "either": (25.8584136, -27.8592659, 0, 25.8584136, 1, 1382, 0, 0, 6341, 129312, 91, 712),
        "traffic": (-5.59728498, 13.651505, 0, 2.22044605e-16, 1, 251080, 0, 0.0370752648, 6450, 129129, 6450, 129129),
        "slow": (2.38600096, -5.49482172, 0, 2.38600096, 1.04544608, 1369, 0, 0.281326126, 6609, 132988, 40, 317),
        "restarts": (-2.67426572, 2.00307637, 0, 0.629060303, 1, 591, 0, 0.318142967, 340, 2040, 44, 294),
    },
    "staggered": {
        "plain": (-1.41561487, 0.236992547, 0, 0, 5.17243143, 201, 104, 0.0975927835, 1875, 37323, 9, 180),
        "bounds": (-1.44836022, 0.0755954439, -3.17897807, 0, 4.61498681, 162, 30, 0.0954690146, 1552, 31580, 9, 147),
        "known": (-1.94602697, 0.749055274, 0, 0, 2, 201, 10, 0.0839054529, 1875, 37323, 9, 180),
        "orders": (-1.24937921, 0.300624064, 0, 0.790624639, 4.61498681, 162, 0, 0.0954690146, 1552, 31580, 9, 147),
        "either": (-2.1755719, 0.202741814, 0, 0.997681043, 1, 162, 0, 0, 1552, 31580, 9, 147),
        "traffic": (-5.65739126, 12.4601183, 0, 1.11022302e-16, 1, 35971, 0, 0.0304668574, 1643, 33166, 1643, 33166),
        "slow": (-1.50927277, 0.00450627485, 0, 0, 3.03839136, 159, 0, 0.112414795, 1564, 31651, 2, 62),
        "restarts": (-4.53310955, 11.7108918, 0, 0, 2.8325, 81, 0, 0.0967791889, 350, 460, 3, 67),
    },
    "first": {
        "bounds": (
            2.22044605e-16,
            -3.39740236,
            -1.98645009,
            2.22044605e-16,
            1.96569692,
            37,
            99,
            0.156914037,
            1599,
            0,
            37,
            0,
        ),
    },
}


@pytest.mark.parametrize("save_every", [0, 4], ids=["at-once", "saved-between"])
@pytest.mark.parametrize("name", WORLDS)
def test_it_comes_to_the_same_numbers(name: str, save_every: int) -> None:
    found = numbers(judged(name, save_every))
    assert found.keys() == EXPECTED[name].keys()
    for metric, expected in EXPECTED[name].items():
        assert found[metric] == pytest.approx(expected, rel=1e-6, abs=1e-9), metric


def test_many_metrics_are_judged_as_each_of_them_alone() -> None:
    """A metric's evidence does not depend on what stands beside it."""
    whole = judged("usual")
    for metric in METRICS[:4]:
        plan = replace(PLAN, metrics=(replace(metric, critical=True),))
        state = begin(plan, "r", START)
        earlier: list[Increment] = []
        for number, (now, increments) in enumerate(looks(np.random.default_rng(11), WORLDS["usual"][1], 40)):
            earlier += [each for one in increments for each in told(metric, one, number)]
            if now > START and number % 3:
                look(state, plan, earlier, now, 0.05)
                earlier = []
        alone, beside = state.tallies[metric.name], whole.tallies[metric.name]
        assert (alone.harm, alone.good, alone.mix) == (beside.harm, beside.good, beside.mix)
    assert NAME not in whole.tallies
