"""Rollouts of a cluster, read and asked for something, with the official client's login."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.kubernetes.rollouts import KubernetesRollouts, read_rollout
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.rollouts import Act
from tests.doubles.argo_controller import hash_of, rollout
from tests.doubles.kubernetes_api import Api, Asked, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api()) as api:
        api.add(rollout())
        yield api


@pytest.fixture
def rollouts(api: Api, tmp_path: Path) -> KubernetesRollouts:
    return KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api)))


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(CouldNotDecide) as caught:
        call()
    assert "a-token" not in str(caught.value)
    return caught.value.code


def test_a_rollout_is_read(rollouts: KubernetesRollouts) -> None:
    state = rollouts.get("shop", "api")
    assert (state.phase, state.observed, state.aborted, state.pauses) == ("Paused", True, False, ("CanaryPauseStep",))
    assert (state.stable_hash, state.canary_hash) == (hash_of("api:v1"), hash_of("api:v2"))
    assert (state.desired, state.pods, state.canary_pods, state.available) == (5, 5, 1, 5)
    assert [(step.kind, step.weight, step.endless) for step in state.steps[:2]] == [
        ("setWeight", 20, False),
        ("pause", None, True),
    ]
    assert state.images == ("api:v2",)
    assert state.rolling_out
    assert state.place == "shop/api"


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ("abort", {"abort": True}),
        ("promote", {"promoteFull": True}),
        ("step", {"pauseConditions": None}),
        ("retry", {"abort": False}),
    ],
)
def test_an_act_is_a_conditional_merge_patch_of_the_status_alone(
    api: Api, rollouts: KubernetesRollouts, act: Act, status: dict[str, Any]
) -> None:
    before = copy.deepcopy(api.rollouts["shop", "api"])
    seen = rollouts.get("shop", "api")
    rollouts.act(act, seen)
    [asked] = api.patches()
    assert asked.path == "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/api/status"
    assert asked.content_type == "application/merge-patch+json"
    assert asked.body == {"metadata": {"resourceVersion": seen.version}, "status": status}
    after = api.rollouts["shop", "api"]
    assert after["spec"] == before["spec"]
    for name, value in status.items():
        assert after["status"].get(name) == value


def test_an_act_on_a_rollout_that_has_changed_is_refused(api: Api, rollouts: KubernetesRollouts) -> None:
    seen = rollouts.get("shop", "api")
    api.change("shop", "api", lambda document: document["status"].update(message="another"))
    assert code_of(lambda: rollouts.act("promote", seen)) == "canary.cluster_conflict"
    assert "promoteFull" not in api.rollouts["shop", "api"]["status"]


def test_of_two_rollouts_of_a_name_the_one_in_the_namespace_is_meant(api: Api, rollouts: KubernetesRollouts) -> None:
    api.add(rollout(namespace="stage"))
    rollouts.act("abort", rollouts.get("stage", "api"))
    assert "abort" not in api.rollouts["shop", "api"]["status"]
    assert code_of(lambda: rollouts.get("default", "api")) == "canary.rollout_missing"


def test_a_name_never_leaves_its_place_in_the_path(api: Api, rollouts: KubernetesRollouts) -> None:
    assert code_of(lambda: rollouts.get("shop", "../../../../api/v1/secrets?x=")) == "canary.rollout_missing"
    assert "secrets?" not in api.asked[-1].path


def test_a_cluster_without_argo_rollouts_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    api.installed = False
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.rollouts_not_installed"


def test_without_the_right_to_patch_the_status_it_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    seen = rollouts.get("shop", "api")
    api.users["a-token"] = frozenset({"get rollouts"})
    with pytest.raises(CouldNotDecide, match=r'cannot patch resource "rollouts/status"') as caught:
        rollouts.act("abort", seen)
    assert caught.value.code == "canary.cluster_forbidden"


def test_a_token_that_is_not_known_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    api.users.clear()
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.cluster_login"
    assert len(api.asked) == 2  # with a new login


def test_a_token_that_ended_is_replaced_by_a_new_login(api: Api, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, api)
    rollouts = KubernetesRollouts(cluster_at(file))
    rollouts.get("shop", "api")
    api.users["another"] = api.users.pop("a-token")
    kubeconfig(tmp_path, api, user={"token": "another"})
    seen = rollouts.get("shop", "api")
    assert rollouts.act("abort", seen).aborted


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "canary.cluster_refused"),
        (400, "canary.cluster_refused"),
        (409, "canary.cluster_conflict"),
        (415, "canary.cluster_refused"),
        (422, "canary.cluster_refused"),
        (429, "canary.cluster_unavailable"),
        (500, "canary.cluster_unavailable"),
        (503, "canary.cluster_unavailable"),
    ],
)
def test_what_the_server_says_to_an_act(api: Api, rollouts: KubernetesRollouts, status: int, code: str) -> None:
    seen = rollouts.get("shop", "api")
    body = json.dumps({"kind": "Status", "message": "because of a-token"}).encode()
    api.fault = lambda _: (status, body, {"Location": f"{api.url}/elsewhere"})
    assert code_of(lambda: rollouts.act("abort", seen)) == code
    assert [asked.path for asked in api.patches()] == [asked.path for asked in api.asked[1:]]
    assert len(api.patches()) == 1  # never sent again blindly, nor to where a redirect points


def test_reading_is_tried_again(api: Api, rollouts: KubernetesRollouts) -> None:
    api.fault = lambda _: (503, b"", {}) if len(api.asked) < 3 else None
    assert rollouts.get("shop", "api").phase == "Paused"
    api.asked.clear()
    api.fault = lambda _: "drop"
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.cluster_unavailable"
    assert len(api.asked) == 4


def test_an_answer_in_chunks_is_read_whole(api: Api, rollouts: KubernetesRollouts) -> None:
    api.fault = lambda _: "chunked"
    assert rollouts.get("shop", "api").phase == "Paused"


def test_an_answer_without_an_end_ends(api: Api, tmp_path: Path) -> None:
    api.fault = lambda _: "trickle"
    rollouts = KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api), timeout=0.3))
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.cluster_unavailable"


def test_nobody_who_listens_is_told(api: Api, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, api, cluster={"server": "http://127.0.0.1:1"})
    assert code_of(lambda: KubernetesRollouts(cluster_at(file)).get("shop", "api")) == "canary.cluster_unavailable"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"kind": "Rollout", "kind": "Rollout"}', b" " * (2 << 20), b'{"kind": "Secret"}'],
    ids=["empty", "page", "list", "doubled", "large", "other"],
)
def test_an_answer_that_is_no_rollout_is_told(api: Api, rollouts: KubernetesRollouts, body: bytes) -> None:
    api.fault = lambda _: (200, body, {})
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.cluster_answer"


def test_another_rollout_than_was_asked_for_is_told(api: Api, rollouts: KubernetesRollouts) -> None:
    other = json.dumps(api.add(rollout(name="other"))).encode()

    def fault(_: Asked) -> tuple[int, bytes, dict[str, str]]:
        return 200, other, {}

    api.fault = fault
    assert code_of(lambda: rollouts.get("shop", "api")) == "canary.cluster_answer"


def document(**status: Any) -> dict[str, Any]:
    found = Api().add(rollout())
    found["status"] |= status
    return found


@pytest.mark.parametrize(
    "status",
    [
        {"phase": 1},
        {"abort": "true"},
        {"updatedReplicas": "1"},
        {"updatedReplicas": True},
        {"pauseConditions": {}},
        {"pauseConditions": ["CanaryPauseStep"]},
        {"pauseConditions": [{"reason": "CanaryPauseStep"}]},
        {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00"}]},
        {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": 1767225600}]},
        {"canary": []},
        {"currentStepIndex": 1.0},
    ],
    ids=str,
)
def test_a_field_of_another_type_is_told(status: dict[str, Any]) -> None:
    assert code_of(lambda: read_rollout(document(**status))) == "canary.cluster_answer"


@pytest.mark.parametrize("observed", ["0", "2", "", "7d9f8b", None])
def test_a_generation_that_the_controller_has_not_seen(observed: str | None) -> None:
    assert not read_rollout(document(observedGeneration=observed)).observed


def test_pauses_that_were_cleared_and_that_the_controller_has_not_seen() -> None:
    assert not read_rollout(document(pauseConditions=None)).observed


@pytest.mark.parametrize(("seen", "observed"), [("3", True), ("2", False), (None, False)])
def test_a_workload_that_the_controller_has_not_seen(seen: str | None, observed: bool) -> None:
    found = document(workloadObservedGeneration=seen)
    found["spec"] |= {"workloadRef": {"kind": "Deployment", "name": "api"}, "template": None}
    found["metadata"]["annotations"] = {"rollout.argoproj.io/workload-generation": "3"}
    state = read_rollout(found)
    assert state.observed is observed
    assert state.images == ()


def test_the_weight_of_a_traffic_router_is_read() -> None:
    weights = {"canary": {"weight": 20, "podTemplateHash": "x"}, "stable": {"weight": 80, "podTemplateHash": "y"}}
    assert read_rollout(document(canary={"weights": weights})).canary_weight == 20
    assert read_rollout(document(canary={})).canary_weight is None


def test_a_pause_with_a_duration_has_an_end() -> None:
    found = document()
    found["spec"]["strategy"]["canary"]["steps"] = [{"pause": {"duration": "1h"}}, {"pause": None}, {"analysis": {}}]
    assert [step.endless for step in read_rollout(found).steps] == [False, True, False]


@pytest.mark.parametrize("pause", ["1h", [], 0, False], ids=str)
def test_a_pause_of_another_type_is_none_without_an_end(pause: object) -> None:
    found = document()
    found["spec"]["strategy"]["canary"]["steps"] = [{"pause": pause}]
    assert code_of(lambda: read_rollout(found)) == "canary.cluster_answer"


def test_a_blue_green_rollout_is_told() -> None:
    found = document()
    found["spec"]["strategy"] = {"blueGreen": {"activeService": "api"}}
    assert code_of(lambda: read_rollout(found)) == "canary.rollout_unfit"


def test_a_rollout_that_no_controller_has_seen_is_not_observed() -> None:
    found = document()
    del found["status"]
    state = read_rollout(found)
    assert (state.observed, state.phase, state.stable_hash, state.step) == (False, "", "", None)
