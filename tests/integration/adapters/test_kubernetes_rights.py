"""What we may do in a cluster, asked before a rollout depends on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.adapters.kubernetes.api import Cluster
from aegis.adapters.kubernetes.rights import Right, missing_rights, of_proxy, of_rollout
from aegis.core.errors import CouldNotDecide
from tests.doubles.kubernetes_api import Api, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api()) as api:
        yield api


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    return cluster_at(kubeconfig(tmp_path, api))


NEEDED = (*of_rollout("shop", "api", acting=True), *of_proxy("monitoring", "http:prometheus:9090"))


def test_all_that_is_needed_is_there(api: Api, cluster: Cluster) -> None:
    assert missing_rights(cluster, NEEDED) == ()
    asked = [asked.body["spec"]["resourceAttributes"] for asked in api.asked if asked.body]
    assert asked[1] == {
        "namespace": "shop",
        "verb": "patch",
        "group": "argoproj.io",
        "resource": "rollouts",
        "name": "api",
        "subresource": "status",
    }


def test_what_is_missing_is_named(api: Api, cluster: Cluster) -> None:
    api.users["a-token"] = frozenset({"get rollouts", "patch rollouts"})
    missing = missing_rights(cluster, NEEDED)
    assert [str(right) for right in missing] == [
        "patch rollouts/status.argoproj.io shop/api",
        "get services/proxy monitoring/http:prometheus:9090",
    ]


def test_a_right_in_another_namespace_is_none(api: Api, cluster: Cluster) -> None:
    api.users["a-token"] = frozenset({"get rollouts@stage", "patch rollouts/status@stage"})
    assert missing_rights(cluster, of_rollout("shop", "api", acting=True)) == of_rollout("shop", "api", acting=True)
    assert missing_rights(cluster, of_rollout("stage", "api", acting=True)) == ()


def test_looking_needs_no_right_to_act(api: Api, cluster: Cluster) -> None:
    api.users["a-token"] = frozenset({"get rollouts"})
    assert missing_rights(cluster, of_rollout("shop", "api", acting=False)) == ()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (201, {"status": {}}, "canary.cluster_answer"),
        (201, {"status": {"allowed": "yes"}}, "canary.cluster_answer"),
        (201, {}, "canary.cluster_answer"),
        (403, {"kind": "Status", "message": "no"}, "canary.cluster_forbidden"),
        (503, {}, "canary.cluster_unavailable"),
    ],
    ids=["silent", "text", "empty", "forbidden", "trouble"],
)
def test_doubt_is_told(api: Api, cluster: Cluster, status: int, body: dict[str, object], code: str) -> None:
    api.fault = lambda _: (status, json.dumps(body).encode(), {})
    with pytest.raises(CouldNotDecide) as caught:
        missing_rights(cluster, NEEDED)
    assert caught.value.code == code


def test_what_is_denied_is_not_allowed(api: Api, cluster: Cluster) -> None:
    body = {"status": {"allowed": True, "denied": True}}
    api.fault = lambda _: (201, json.dumps(body).encode(), {})
    right = Right("get", "", "pods", "shop", "a")
    assert missing_rights(cluster, [right]) == (right,)
