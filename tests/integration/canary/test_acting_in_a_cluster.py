"""Acts on a rollout until they are true: adapter, gate, an API server and a controller together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState
from aegis.gates.canary.carrying_out import NUDGE, PAUSE, carry_out
from tests.doubles.argo_controller import hash_of, reconcile, rollout
from tests.doubles.kubernetes_api import Api, Asked, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig

Document = dict[str, Any]


@dataclass
class Watch:
    """Time that passes only while somebody sleeps."""

    seconds: float = 0.0
    told: list[str] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api(controller=reconcile)) as api:
        api.add(rollout())
        yield api


@pytest.fixture
def rollouts(api: Api, tmp_path: Path) -> KubernetesRollouts:
    return KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api)))


def carried(rollouts: KubernetesRollouts, act: Act, judged: RolloutState | None = None) -> tuple[RolloutState, Watch]:
    watch = Watch()
    seen = judged or rollouts.get("shop", "api")
    state = carry_out(rollouts, act, seen, now=watch.now, sleep=watch.sleep, seconds=8, told=watch.told.append)
    return state, watch


def test_an_abort_waits_until_all_pods_are_stable(api: Api, rollouts: KubernetesRollouts) -> None:
    state, watch = carried(rollouts, "abort")
    assert (state.phase, state.canary_pods, state.available) == ("Degraded", 0, 5)
    assert len(api.patches()) == 1
    # the first read after the wish shows the state before it: its phase is not believed
    assert watch.told[0] == "the wish to abort"
    assert watch.told[1].startswith("1 stable pods (it is Degraded")
    assert watch.seconds >= 2 * PAUSE


def test_a_promotion_waits_until_the_canary_is_the_stable_version(api: Api, rollouts: KubernetesRollouts) -> None:
    state, _ = carried(rollouts, "promote")
    assert (state.phase, state.stable_hash) == ("Healthy", hash_of("api:v2"))
    assert len(api.patches()) == 1


def test_a_step_is_taken_once(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    state, _ = carried(rollouts, "step", judged)
    assert state.step == 2
    for _ in range(3):
        settled = rollouts.get("shop", "api")
    assert (settled.step, settled.pauses, settled.canary_pods) == (3, ("CanaryPauseStep",), 3)
    assert len(api.patches()) == 1


def test_an_aborted_rollout_is_retried(api: Api, rollouts: KubernetesRollouts) -> None:
    aborted, _ = carried(rollouts, "abort")
    state, _ = carried(rollouts, "retry", aborted)
    assert (state.aborted, state.phase) == (False, "Progressing")


@pytest.mark.parametrize("act", ["abort", "promote"])
def test_a_run_that_is_repeated_finds_what_it_wanted(api: Api, rollouts: KubernetesRollouts, act: Act) -> None:
    judged = rollouts.get("shop", "api")
    carried(rollouts, act, judged)
    carried(rollouts, act, judged)
    assert len(api.patches()) == 1


def test_conflicts_are_looked_at_anew(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")

    def meddle(asked: Asked) -> None:
        if asked.method == "PATCH" and len(api.patches()) < 3:
            api.change("shop", "api", lambda document: document["status"].update(readyReplicas=len(api.asked)))

    api.before = meddle
    state, _ = carried(rollouts, "abort", judged)
    assert state.phase == "Degraded"
    assert len(api.patches()) == 4


def test_conflicts_without_an_end_are_told(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.controller = None

    def meddle(asked: Asked) -> None:
        if asked.method == "PATCH":
            api.change("shop", "api", lambda document: document["status"].update(readyReplicas=len(api.asked)))

    api.before = meddle
    assert error_of(rollouts, "abort", judged).code == "canary.act_unfinished"


def test_a_controller_that_missed_the_wish_is_made_to_look_again(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    heard = []

    def deaf(document: Document) -> None:
        if document["status"]["message"].startswith("aegis saw"):
            heard.append(document["status"]["message"])
        if heard:
            reconcile(document)

    api.controller = deaf
    watch = Watch()
    state = carry_out(rollouts, "abort", judged, now=watch.now, sleep=watch.sleep, seconds=NUDGE + 10)
    assert (state.phase, state.canary_pods) == ("Degraded", 0)
    assert len(set(heard)) == len(heard) == 1
    assert len(api.patches()) == 2
    assert watch.seconds >= NUDGE


def test_a_controller_that_is_gone_is_nudged_by_ever_other_words(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.controller = None
    watch = Watch()
    with pytest.raises(CouldNotDecide) as caught:
        carry_out(rollouts, "abort", judged, now=watch.now, sleep=watch.sleep, seconds=3 * NUDGE + 5)
    assert caught.value.code == "canary.act_unfinished"
    wishes = [asked.body["status"] for asked in api.patches() if asked.body]
    words = [wish["message"] for wish in wishes if "message" in wish]
    assert len(words) == 3
    # the same text once more would be no change, of which a controller hears nothing
    assert len(set(words)) == 3


def test_another_version_between_the_look_and_the_wish_gets_nothing(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")

    def deploy(asked: Asked) -> None:
        if asked.method == "PATCH" and not api.patches():
            api.change("shop", "api", set_image("api:v3"))
            reconcile(api.rollouts["shop", "api"])

    api.before = deploy
    error = error_of(rollouts, "promote", judged)
    assert isinstance(error, Refused)
    assert error.code == "canary.rollout_changed"
    assert "promoteFull" not in api.rollouts["shop", "api"]["status"]


def test_a_spec_that_the_controller_has_not_seen_gets_no_wish(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.controller = None
    api.change("shop", "api", set_image("api:v3"))
    assert error_of(rollouts, "promote", judged).code == "canary.act_unfinished"
    assert not api.patches()
    api.controller = reconcile
    assert error_of(rollouts, "promote", judged).code == "canary.rollout_changed"


@pytest.mark.parametrize("act", ["promote", "step"])
def test_a_spec_that_changes_after_the_look_gets_no_wish_while_nobody_has_seen_it(
    api: Api, rollouts: KubernetesRollouts, act: Act
) -> None:
    judged = rollouts.get("shop", "api")
    api.controller = None

    def deploy(asked: Asked) -> None:
        if asked.method == "PATCH" and not api.patches():
            api.change("shop", "api", set_image("api:v3"))

    api.before = deploy
    assert error_of(rollouts, act, judged).code == "canary.act_unfinished"
    # the first one was refused as a conflict; a second one would be for a version that was never judged
    assert len(api.patches()) == 1
    status = api.rollouts["shop", "api"]["status"]
    assert (status.get("promoteFull"), len(status["pauseConditions"])) == (None, 1)


def test_what_an_act_is_for_is_read_from_a_rollout_that_its_controller_has_seen(
    api: Api, rollouts: KubernetesRollouts
) -> None:
    judged = rollouts.get("shop", "api")
    carried(rollouts, "step", judged)
    for _ in range(3):
        second = rollouts.get("shop", "api")
    assert second.step == 3
    # other steps begin at the first one; the first look still shows where the rollout stood among the old ones
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]
    api.change("shop", "api", lambda document: document["spec"]["strategy"]["canary"].update(steps=steps))

    def settle(document: Document) -> None:
        for _ in range(4):
            reconcile(document)

    api.controller = settle
    state, _ = carried(rollouts, "step", second)
    assert (state.step, len(api.patches())) == (3, 2)


def test_a_change_that_is_taken_back_meanwhile_ends_the_abort(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.change("shop", "api", set_image("api:v1"))
    state, _ = carried(rollouts, "abort", judged)
    assert (state.phase, state.rolling_out) == ("Healthy", False)
    assert not api.patches()


def test_an_answer_that_got_lost_is_looked_for(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.fault = lambda asked: "drop" if asked.method == "PATCH" and not api.patches()[1:] else None
    state, watch = carried(rollouts, "step", judged)
    assert state.step == 2
    assert len(api.patches()) == 1
    assert any("did not answer" in told for told in watch.told)


def test_a_wish_that_got_lost_is_sent_again(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.fault = lambda asked: (503, b"", {}) if asked.method == "PATCH" and not api.patches()[1:] else None
    state, _ = carried(rollouts, "abort", judged)
    assert state.phase == "Degraded"
    assert len(api.patches()) == 2


def test_a_cluster_in_trouble_is_waited_for(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.fault = lambda _: (500, b"", {}) if len(api.asked) < 14 else None
    state, _ = carried(rollouts, "abort", judged)
    assert state.phase == "Degraded"


def test_a_controller_that_is_gone_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.controller = None
    error = error_of(rollouts, "abort", judged)
    assert error.code == "canary.act_unfinished"
    assert "the rollout to be Degraded (it is Paused: CanaryPauseStep)" in error.problem
    assert api.rollouts["shop", "api"]["status"]["abort"] is True  # for when it is back


def test_an_abort_that_is_taken_back_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")

    def retry(asked: Asked) -> None:
        if asked.method == "GET" and api.patches():
            api.change("shop", "api", lambda document: document["status"].pop("abort", None))

    api.before = retry
    assert error_of(rollouts, "abort", judged).code == "canary.rollout_retried"
    assert len(api.patches()) == 1


def test_a_promotion_that_something_else_aborts_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")

    def abort(asked: Asked) -> None:
        if asked.method == "GET" and api.patches():
            api.change("shop", "api", lambda document: document["status"].update(abort=True))

    api.before = abort
    assert error_of(rollouts, "promote", judged).code == "canary.rollout_aborted"


def test_a_rollout_that_is_deleted_meanwhile_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    del api.rollouts["shop", "api"]
    assert error_of(rollouts, "abort", judged).code == "canary.rollout_missing"
    api.add(rollout())
    assert error_of(rollouts, "abort", judged).code == "canary.rollout_changed"
    assert not api.patches()


def test_without_the_right_it_is_told_at_once(api: Api, rollouts: KubernetesRollouts) -> None:
    judged = rollouts.get("shop", "api")
    api.users["a-token"] = frozenset({"get rollouts", "patch rollouts"})
    assert error_of(rollouts, "abort", judged).code == "canary.cluster_forbidden"
    assert len(api.patches()) == 1


def set_image(image: str) -> Any:
    def change(document: Document) -> None:
        document["spec"]["template"]["spec"]["containers"][0]["image"] = image

    return change


def error_of(rollouts: KubernetesRollouts, act: Act, judged: RolloutState) -> AegisError:
    with pytest.raises((CouldNotDecide, Refused)) as caught:
        carried(rollouts, act, judged)
    return caught.value
