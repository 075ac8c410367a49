"""A judgement that is stopped and goes on is the same as one that was never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.judge import Judgement, look
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import MAX_BYTES, begin, resume, save
from tests.support.canary.rollouts import NAME, START, World, looks

ROLLOUT = "shop/api@2"
PLAN = Plan(metrics=(MetricPlan(name=NAME, ceiling=0.5, floor=1e-4),), warm_up=10.0)
WORLD = World(pods=(2, 3), spread=0.2, cluster=2, staggered=True, history=6)


def scraped(seed: int, count: int = 40) -> list[tuple[float, list[Any]]]:
    return list(looks(np.random.default_rng(seed), replace(WORLD, ratio=1.0 + seed % 3), count))


def saved(count: int = 40) -> bytes:
    state = begin(PLAN, ROLLOUT, START)
    for now, increments in scraped(1, count):
        look(state, PLAN, increments, now)
    return save(state)


@given(st.integers(0, 50), st.sets(st.integers(0, 45), max_size=6), st.booleans())
@settings(deadline=None, max_examples=15)
def test_it_goes_on_as_if_it_had_never_been_stopped(seed: int, stops: set[int], twice: bool) -> None:
    """Also where a run that was stopped had not saved its last look, and the samples are read again."""
    whole, parts = begin(PLAN, ROLLOUT, START), begin(PLAN, ROLLOUT, START)
    answers: list[tuple[Judgement, Judgement]] = []
    before: list[Any] = []
    for number, (now, increments) in enumerate(scraped(seed)):
        if number in stops:
            parts = resume(PLAN, ROLLOUT, save(parts))
        again = before if twice else []
        answers.append((look(whole, PLAN, increments, now), look(parts, PLAN, [*again, *increments], now)))
        before = increments
    assert all(first == second for first, second in answers)
    for state in (whole, parts):
        state.tallies.metrics["repeated"] = 0
    assert save(whole) == save(parts)


def test_the_same_state_gives_the_same_bytes() -> None:
    assert saved() == saved()
    assert save(resume(PLAN, ROLLOUT, saved())) == saved()


def test_names_are_sorted() -> None:
    def names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert [name for name, _ in pairs] == sorted(name for name, _ in pairs)
        return dict(pairs)

    json.loads(saved(), object_pairs_hook=names)


def test_a_decision_survives() -> None:
    state = begin(PLAN, ROLLOUT, START)
    rng = np.random.default_rng(3)
    for now, increments in looks(rng, World(ratio=20.0, requests=1_000.0), 200):
        decided = look(state, PLAN, increments, now)
    assert decided.decision == "abort"
    assert look(resume(PLAN, ROLLOUT, save(state)), PLAN, [], now + 10) == decided


@pytest.mark.parametrize(
    ("plan", "rollout"),
    [
        (PLAN, "shop/api@3"),
        (PLAN, "shop/web@2"),
        (replace(PLAN, alpha=0.05), ROLLOUT),
        (replace(PLAN, metrics=(replace(PLAN.metrics[0], floor=0.01),)), ROLLOUT),
        (replace(PLAN, metrics=(replace(PLAN.metrics[0], name="other"),)), ROLLOUT),
        (replace(PLAN, deadline=7_200.0), ROLLOUT),
    ],
    ids=["revision", "workload", "alpha", "floor", "metric", "deadline"],
)
def test_the_state_of_something_else_is_refused(plan: Plan, rollout: str) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        resume(plan, rollout, saved())
    assert caught.value.code == "canary.state_other"


def put(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


TALLY = ("tallies", NAME)
LANE = (*TALLY, "lanes", 0)
WAITING = {
    "since": START, "weight": None, "canary": 0.0, "stable": 0.0, "canary_bad": [0.0], "stable_bad": [0.0], "seen": [],
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        put("schema", value="aegis-canary-state/v2"),
        put("extra", value=1),
        put("start", value="yesterday"),
        put("start", value=START + 1e6),
        put("rollout", value=""),
        put("tallies", value={}),
        put("tallies", "other", value={}),
        put(*TALLY, "extra", value=1),
        put(*TALLY, "canary", "canary-0", value=-1.0),
        put(*TALLY, "stable", "stable-0", value=-1.0),
        put(*TALLY, "last", "stable-0", value=-1.0),
        put(*TALLY, "size", value=0.5),
        put(*TALLY, "mix", value=[]),
        put(*TALLY, "mix", value=[[0.5, 0.1]]),
        put(*TALLY, "mix", value=[[2.0, 0.1], [-1.0, 0.1]]),
        put(*TALLY, "mix", value=[[1.0, -0.1]]),
        put(*TALLY, "known", value=-1.0),
        put(*TALLY, "clustering", "variance", value=-1.0),
        put(*TALLY, "clustering", "first", value={"p": [1.0]}),
        put(*TALLY, "clustering", "first", value={"p": [-1.0, 0.0]}),
        put(*TALLY, "spread", "expected", value={"p": -1.0}),
        put(*TALLY, "spread", "open", value={"p": [-1.0, 0.0]}),
        put(*TALLY, "waiting", value={**WAITING, "canary": -1.0}),
        put(*TALLY, "waiting", value={**WAITING, "canary_bad": []}),
        put(*TALLY, "waiting", value={**WAITING, "canary_bad": [-1.0]}),
        put(*TALLY, "waiting", value={**WAITING, "seen": ["nobody"]}),
        put(*LANE, "canary_bad", value=-1.0),
        put(*LANE, "likelihood", value=[0.0]),
        put(*LANE, "likelihood", 0, value=None),
        put("decision", value={"answer": "continue", "reason": "r", "time": 1.0, "harm": 0.0, "good": 0.0}),
        put("history", value=[{"time": 1.0}]),
    ],
    ids=range(31),
)  # fmt: skip
def test_what_no_run_has_written_is_refused(change: Callable[[Any], None]) -> None:
    document = json.loads(saved())
    change(document)
    with pytest.raises(CouldNotDecide) as caught:
        resume(PLAN, ROLLOUT, json.dumps(document).encode())
    assert caught.value.code == "canary.state_invalid"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{",
        b"[]",
        b"\xff",
        saved()[:-40],
        saved().replace(b'"harm":', b'"harm":1.0,"harm":', 1),
        saved().replace(b'"peak":0.0', b'"peak":NaN'),
        b" " * (MAX_BYTES + 1),
        b"[" * 100_000,
    ],
    ids=["empty", "null", "cut", "list", "latin", "truncated", "doubled", "nan", "huge", "deep"],
)
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        resume(PLAN, ROLLOUT, data)
    assert caught.value.code == "canary.state_invalid"


def test_a_thousand_metrics_fit() -> None:
    plan = Plan(metrics=tuple(MetricPlan(name=f"m{number}") for number in range(1_000)))
    state = begin(plan, ROLLOUT, START)
    for now, increments in looks(np.random.default_rng(1), World(pods=(4, 16)), 2):
        several = [replace(one, metric=metric.name) for metric in plan.metrics for one in increments]
        look(state, plan, several, now)
    assert len(save(state)) < MAX_BYTES / 4
    assert save(resume(plan, ROLLOUT, save(state))) == save(state)
