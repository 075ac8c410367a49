"""Whether an act is true yet, by the states of a rollout over time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState
from aegis.gates.canary.acting import UNSEEN, goal_of, progress, wanted

PAUSED = RolloutState(
    namespace="shop",
    name="api",
    uid="u1",
    version="7",
    observed=True,
    phase="Paused",
    message="CanaryPauseStep",
    aborted=False,
    promoting=False,
    held=False,
    pauses=("CanaryPauseStep",),
    step=1,
    steps=(),
    stable_hash="old",
    canary_hash="new",
    desired=5,
    pods=5,
    canary_pods=1,
    available=5,
    canary_weight=None,
    images=("api:v2",),
)
ABORTED = replace(
    PAUSED, aborted=True, phase="Degraded", message="RolloutAborted", pauses=(), step=0, canary_pods=0, available=5
)
HEALTHY = replace(PAUSED, phase="Healthy", message="", pauses=(), step=4, stable_hash="new", canary_pods=5)


def after(act: Act, base: RolloutState = PAUSED, *, asked: bool = True, **changes: Any) -> str:
    start = ABORTED if act == "retry" else PAUSED
    return progress(goal_of(act, start, start), replace(base, **changes), asked=asked)


def code_of(act: Act, base: RolloutState = PAUSED, **changes: Any) -> str:
    with pytest.raises(Refused) as caught:
        after(act, base, **changes)
    return caught.value.code


@pytest.mark.parametrize("act", ["promote", "step"])
def test_other_images_under_the_same_hash_are_another_version(act: Act) -> None:
    assert code_of(act, images=("api:v3",)) == "canary.rollout_changed"
    # what nobody has seen yet is waited for
    assert after(act, images=("api:v3",), observed=False) == UNSEEN


def test_an_abort_minds_no_images() -> None:
    assert after("abort", ABORTED, images=("api:v3",)) == ""


@pytest.mark.parametrize("act", ["promote", "step"])
def test_what_was_compared_with_another_stable_version_goes_no_further(act: Act) -> None:
    assert code_of(act, stable_hash="between") == "canary.rollout_changed"
    assert after(act, stable_hash="between", observed=False) == UNSEEN


def test_an_abort_minds_no_other_stable_version() -> None:
    assert after("abort", ABORTED, stable_hash="between") == ""


class TestAbort:
    def test_it_is_true_when_every_pod_that_takes_requests_is_stable(self) -> None:
        assert after("abort", ABORTED) == ""

    @pytest.mark.parametrize(
        ("changes", "waits"),
        [
            ({"phase": "Paused"}, "the rollout to be Degraded"),
            ({"canary_pods": 1}, "1 pods of the canary to go"),
            ({"available": 4}, "1 stable pods"),
            ({"observed": False}, UNSEEN),
        ],
        ids=["wish-only", "canary-pods", "stable-pods", "unobserved"],
    )
    def test_it_is_not_true_before(self, changes: dict[str, Any], waits: str) -> None:
        assert after("abort", ABORTED, **changes).startswith(waits)

    def test_a_router_that_sends_the_canary_nothing_is_enough(self) -> None:
        kept = replace(ABORTED, canary_pods=2, pods=7, available=7)
        assert after("abort", kept, canary_weight=0) == ""
        assert after("abort", kept, canary_weight=1).startswith("2 pods of the canary")

    def test_pods_of_the_canary_do_not_stand_in_for_stable_ones(self) -> None:
        assert after("abort", ABORTED, canary_pods=2, available=5, canary_weight=0).startswith("2 stable pods")

    def test_an_unseen_wish_is_not_true(self) -> None:
        assert after("abort", asked=False) == "the wish to abort"

    def test_one_that_was_taken_back_is_refused(self) -> None:
        assert code_of("abort", phase="Progressing") == "canary.rollout_retried"

    @pytest.mark.parametrize("aborted", [False, True])
    def test_one_that_came_after_the_promotion_is_refused(self, aborted: bool) -> None:
        assert code_of("abort", HEALTHY, aborted=aborted, phase="Degraded") == "canary.rollout_promoted"

    def test_a_spec_that_was_set_back_is_as_good(self) -> None:
        back = replace(HEALTHY, stable_hash="old", canary_hash="old")
        assert after("abort", back) == ""
        assert after("abort", back, phase="Progressing").startswith("the rollout to be Healthy")
        assert after("abort", back, available=3) == "2 stable pods (it is Healthy)"


class TestPromote:
    def test_it_is_true_when_the_judged_version_is_stable_and_healthy(self) -> None:
        assert after("promote", HEALTHY) == ""

    def test_a_healthy_rollout_of_the_old_version_is_not_it(self) -> None:
        assert after("promote", phase="Healthy", promoting=True).startswith("the canary to become the stable version")

    def test_a_stale_healthy_is_not_believed(self) -> None:
        assert after("promote", HEALTHY, observed=False) == UNSEEN

    def test_a_stable_version_that_is_not_healthy_is_not_it(self) -> None:
        assert after("promote", HEALTHY, phase="Progressing").startswith("the rollout to be Healthy")

    def test_one_that_is_aborted_meanwhile_is_refused(self) -> None:
        assert code_of("promote", ABORTED) == "canary.rollout_aborted"


class TestStep:
    @pytest.mark.parametrize(
        ("changes", "true"),
        [({"step": 2, "pauses": ()}, True), ({"step": 3}, True), ({"step": 1}, False), ({"step": None}, False)],
        ids=["next", "later", "same", "none"],
    )
    def test_it_is_true_past_the_step(self, changes: dict[str, Any], true: bool) -> None:
        assert (after("step", **changes) == "") is true

    def test_it_is_wanted_once(self) -> None:
        goal = goal_of("step", PAUSED, PAUSED)
        assert wanted(goal, PAUSED)
        assert not wanted(goal, replace(PAUSED, step=3))
        assert not wanted(goal, replace(PAUSED, pauses=()))


class TestRetry:
    def test_it_is_true_when_the_rollout_goes_again(self) -> None:
        assert after("retry", phase="Progressing") == ""

    def test_an_old_degraded_is_not_believed(self) -> None:
        assert after("retry", phase="Degraded").startswith("the rollout to start again")


ACTS: tuple[Act, ...] = ("abort", "promote", "step", "retry")


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("changes", [{"uid": "u2"}, {"canary_hash": "newer"}], ids=["made-anew", "other-version"])
def test_another_version_than_was_judged_is_refused(act: Act, changes: dict[str, Any]) -> None:
    assert code_of(act, ABORTED, **changes) == "canary.rollout_changed"
    assert code_of(act, ABORTED, **changes, observed=False) == "canary.rollout_changed"


@pytest.mark.parametrize("act", ["promote", "step"])
def test_nothing_but_an_abort_takes_a_reverted_spec(act: Act) -> None:
    assert code_of(act, canary_hash="old") == "canary.rollout_changed"


@pytest.mark.parametrize(
    ("act", "seen", "problem"),
    [
        ("promote", ABORTED, "it was aborted"),
        ("promote", replace(PAUSED, held=True), "spec.paused"),
        ("step", replace(PAUSED, pauses=(), phase="Progressing"), "it does not stand at a pause step"),
        ("step", replace(PAUSED, pauses=("InconclusiveAnalysisRun",)), "InconclusiveAnalysisRun"),
        ("retry", PAUSED, "it was not aborted"),
    ],
    ids=["aborted", "held", "not-paused", "inconclusive", "not-aborted"],
)
def test_an_act_that_would_do_something_else_is_not_asked_for(act: Act, seen: RolloutState, problem: str) -> None:
    with pytest.raises(CouldNotDecide, match=problem) as caught:
        goal_of(act, seen, seen)
    assert caught.value.code == "canary.act_unfit"


@pytest.mark.parametrize("act", ["abort", "promote", "step"])
@pytest.mark.parametrize("judged", [replace(PAUSED, stable_hash=""), HEALTHY], ids=["first", "one-version"])
def test_where_there_were_no_two_versions_nothing_is_asked_for(act: Act, judged: RolloutState) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        goal_of(act, judged, judged)
    assert caught.value.code == "canary.act_unfit"


@pytest.mark.parametrize(("act", "done"), [("abort", ABORTED), ("promote", HEALTHY), ("step", HEALTHY)])
def test_what_is_true_already_needs_no_wish(act: Act, done: RolloutState) -> None:
    goal = goal_of(act, PAUSED, done)
    assert progress(goal, done, asked=False) == ""
    assert not wanted(goal, done)


def every_state() -> Iterator[RolloutState]:
    """All states that matter, whether a controller makes them or not."""
    for uid, observed, aborted, phase, stable, canary, pods, available, weight in product(
        ("u1", "u2"),
        (True, False),
        (True, False),
        ("", "Healthy", "Progressing", "Paused", "Degraded"),
        ("old", "new", "other"),
        ("old", "new", "other"),
        (0, 1, 5),
        (4, 5, 6),
        (None, 0, 20),
    ):
        yield replace(
            PAUSED,
            uid=uid,
            observed=observed,
            aborted=aborted,
            phase=phase,
            stable_hash=stable,
            canary_hash=canary,
            canary_pods=pods,
            available=available,
            canary_weight=weight,
        )


def true_states(act: Act, *, asked: bool) -> Iterator[RolloutState]:
    goal = goal_of(act, PAUSED, PAUSED)
    for seen in every_state():
        with suppress(AegisError):
            if not progress(goal, seen, asked=asked):
                yield seen


@pytest.mark.parametrize("asked", [True, False])
def test_an_abort_that_is_true_leaves_no_request_to_the_canary(asked: bool) -> None:
    found = list(true_states("abort", asked=asked))
    assert found
    for seen in found:
        assert (seen.uid, seen.observed) == ("u1", True)
        if seen.rolling_out:
            assert seen.aborted
            assert seen.canary_pods == 0 or seen.canary_weight == 0
            assert seen.available - seen.canary_pods >= seen.desired
        else:
            assert seen.canary_hash == "old"
            assert seen.available >= seen.desired


@pytest.mark.parametrize("asked", [True, False])
def test_a_promotion_that_is_true_has_the_judged_version_alone(asked: bool) -> None:
    found = list(true_states("promote", asked=asked))
    assert found
    for seen in found:
        assert (seen.uid, seen.observed, seen.aborted, seen.phase) == ("u1", True, False, "Healthy")
        assert (seen.stable_hash, seen.canary_hash) == ("new", "new")
