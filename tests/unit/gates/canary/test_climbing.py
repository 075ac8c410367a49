"""When an endless pause ends: by evidence alone, and only where the rollout really stands at it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from aegis.core.ports.rollouts import RolloutState, Step
from aegis.gates.canary.climbing import is_due, pauses_of
from aegis.gates.canary.judge import Judgement
from aegis.gates.canary.plan import MetricPlan, Plan

STEPS = (
    Step("setWeight", weight=5),
    Step("pause", endless=True),
    Step("pause"),
    Step("setWeight", weight=50),
    Step("pause", endless=True),
    Step("pause", endless=True),
)
AT_FIRST = RolloutState(
    namespace="shop", name="api", uid="u1", version="7", observed=True, phase="Paused", message="CanaryPauseStep",
    aborted=False, promoting=False, held=False, pauses=("CanaryPauseStep",), step=1, steps=STEPS, stable_hash="old",
    canary_hash="new", desired=5, pods=5, canary_pods=1, available=5, canary_weight=None, images=(),
)  # fmt: skip
PLAN = Plan(metrics=(MetricPlan(name="m"),), beta=0.05, steps=3)


def judgement(evidence: float, decision: Any = "continue", reason: str = "canary.undecided") -> Judgement:
    return Judgement(decision, reason, 0.0, 0.0, math.log(evidence), ())


def test_only_endless_pauses_count() -> None:
    assert pauses_of(AT_FIRST) == 3


@pytest.mark.parametrize(("step", "evidence"), [(1, 40.0), (4, 80.0)], ids=["first", "second"])
def test_each_pause_needs_twice_the_evidence_of_the_one_before(step: int, evidence: float) -> None:
    seen = replace(AT_FIRST, step=step)
    assert is_due(PLAN, judgement(evidence * 1.001), seen)
    assert not is_due(PLAN, judgement(evidence * 0.999), seen)


def test_the_last_pause_is_the_promotion_s() -> None:
    assert not is_due(PLAN, judgement(159.0), replace(AT_FIRST, step=5))


def test_without_the_policy_s_wish_none_ends() -> None:
    assert not is_due(replace(PLAN, steps=0), judgement(1e6), AT_FIRST)


@pytest.mark.parametrize(
    "change",
    [
        {"step": None},
        {"step": 0},
        {"step": 2},
        {"step": 6},
        {"observed": False},
        {"aborted": True},
        {"held": True},
        {"pauses": ()},
        {"pauses": ("CanaryPauseStep", "InconclusiveAnalysisRun")},
    ],
    ids=str,
)
def test_elsewhere_none_ends(change: dict[str, Any]) -> None:
    assert not is_due(PLAN, judgement(1e6), replace(AT_FIRST, **change))


@pytest.mark.parametrize(
    "seen",
    [judgement(1e6, reason="canary.no_data"), judgement(1e6, "abort", "canary.worse"), judgement(1e6, "promote")],
    ids=["blind", "aborted", "promoted"],
)
def test_a_look_that_did_not_see_all_ends_none(seen: Judgement) -> None:
    assert not is_due(PLAN, seen, AT_FIRST)
