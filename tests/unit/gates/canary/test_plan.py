from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.gates.canary.plan import MetricPlan, Plan

ERRORS = MetricPlan(name="errors")
PLAN = Plan(metrics=(ERRORS,))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerated": 2.0},
        {"tolerated": 0.0},
        {"tolerated": math.nan},
        {"margin": 1.0, "tolerated": 0.5},
        {"margin": math.inf},
        {"weight": 0.0},
        {"weight": math.nan},
        {"floor": -0.1},
        {"floor": math.nan},
        {"floor": 0.1, "direction": "decrease"},
        {"ceiling": 0.1, "direction": "either", "critical": False},
        {"ceiling": 0.01, "floor": 0.02},
        {"ceiling": 0.0},
        {"ceiling": math.nan},
        {"spread": -0.1},
        {"spread": math.nan},
        {"cluster": 0.5},
        {"cluster": math.nan},
        {"kind": "share"},
    ],
    ids=lambda wrong: "-".join(f"{name}={value}" for name, value in wrong.items()),
)
def test_a_metric_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        MetricPlan(**{"name": "m", **wrong})
    assert caught.value.code == "canary.plan_invalid"
    assert "'m'" in caught.value.problem


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": ()},
        {"metrics": (ERRORS, ERRORS)},
        {"metrics": (replace(ERRORS, critical=False),)},
        {"first": True},
        {"first": True, "metrics": (replace(ERRORS, critical=False, ceiling=0.1),)},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"alpha": math.nan},
        {"beta": 0.0},
        {"beta": math.nan},
        {"interval": 0.0},
        {"warm_up": 3600.0},
        {"warm_up": -1.0},
        {"deadline": math.inf},
        {"no_data_after": 0.0},
        {"no_data_after": math.nan},
        {"min_bad_events": 0},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_plan_that_could_decide_by_accident_or_never_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        replace(PLAN, **wrong)
    assert caught.value.code == "canary.plan_invalid"


def test_what_is_in_it_makes_its_digest() -> None:
    others = [
        replace(PLAN, alpha=0.02),
        replace(PLAN, metrics=(replace(ERRORS, floor=0.001),)),
        replace(PLAN, deadline=60.0),
        replace(PLAN, metrics=(ERRORS, MetricPlan(name="slow"))),
    ]
    assert len({plan.digest() for plan in (PLAN, *others)}) == 5
    assert PLAN.digest() == Plan(metrics=(MetricPlan(name="errors"),)).digest()
