"""The double of the API server beside the real one: the same requests, and the same statuses and reasons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.kubernetes.api import MERGE_PATCH, Cluster, cluster_of
from tests.doubles import argo_controller
from tests.doubles.kubernetes_api import REVIEWS, Api, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig
from tests.support.cluster.plane import ControlPlane, awaited
from tests.support.cluster.shop import NAME, rollout

ALL = [
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "patch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]},
]
Asking = Callable[[Cluster, str], Any]
"""Asks something about a namespace."""


def told(cluster: Cluster, method: str, path: str, body: Any = None, kind: str = MERGE_PATCH) -> tuple[int, str]:
    """Status, and the reason of one that is a refusal."""
    raw = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    problem, answer = cluster.try_once(method, path, body=raw, headers={"Content-Type": kind} if raw else None)
    assert answer is not None, problem
    document = answer.json() if answer.body.startswith(b"{") else {}
    return answer.status, str(document.get("reason", "")) if document.get("kind") == "Status" else ""


def path(namespace: str, name: str = NAME, sub: str = "") -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}{sub}"


def patch(body: Any, kind: str = MERGE_PATCH, sub: str = "/status") -> Asking:
    return lambda cluster, namespace: told(cluster, "PATCH", path(namespace, sub=sub), body, kind)


def spec_by_status(cluster: Cluster, namespace: str) -> object:
    """The subresource changes nothing of the spec."""
    done = told(cluster, "PATCH", path(namespace, sub="/status"), {"spec": {"replicas": 9}})
    _, answer = cluster.try_once("GET", path(namespace))
    assert answer is not None
    return done, answer.json()["spec"]["replicas"]


def status_by_spec(cluster: Cluster, namespace: str) -> object:
    """And the object nothing of the status."""
    done = told(cluster, "PATCH", path(namespace), {"status": {"abort": True}})
    _, answer = cluster.try_once("GET", path(namespace))
    assert answer is not None
    return done, answer.json()["status"].get("abort")


def review(cluster: Cluster, namespace: str) -> object:
    attributes = {"namespace": namespace, "verb": "patch", "group": "argoproj.io", "resource": "rollouts"}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    whole = {**body, "spec": {"resourceAttributes": {**attributes, "subresource": "status"}}}
    answer = cluster.write("POST", REVIEWS, whole)
    return answer.status, answer.json()["status"]["allowed"]


ASKED: dict[str, Asking] = {
    "no such rollout": lambda cluster, namespace: told(cluster, "GET", path(namespace, "none")),
    "another namespace": lambda cluster, _: told(cluster, "GET", path("another")),
    "no such version": lambda cluster, namespace: told(cluster, "GET", path(namespace).replace("v1alpha1", "v9")),
    "a version from before": patch({"metadata": {"resourceVersion": "1"}, "status": {"abort": True}}),
    "a strategic merge": patch({"status": {"abort": True}}, "application/strategic-merge-patch+json"),
    "plain JSON": patch({"status": {"abort": True}}, "application/json"),
    "no JSON": patch(b"{"),
    "a text for a truth": patch({"status": {"abort": "yes"}}),
    "a text for a number": patch({"status": {"currentStepIndex": "1"}}),
    "a pause without its time": patch({"status": {"pauseConditions": [{"reason": "CanaryPauseStep"}]}}),
    "nothing in it": patch({}),
    "spec by status": spec_by_status,
    "status by spec": status_by_spec,
    "a right": review,
    "no such service": lambda cluster, namespace: told(
        cluster, "GET", f"/api/v1/namespaces/{namespace}/services/http:none:80/proxy/"
    ),
    "a service without pods": lambda cluster, namespace: told(
        cluster, "GET", f"/api/v1/namespaces/{namespace}/services/http:empty:80/proxy/"
    ),
}


@dataclass(frozen=True)
class Real:
    """A namespace, and somebody who has rights in it."""

    cluster: Cluster
    namespace: str


@pytest.fixture(scope="module")
def real(cluster: ControlPlane) -> Iterator[Real]:
    with cluster.namespace() as namespace:
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "empty"}}
        empty = {**service, "spec": {"selector": {"app": "none"}, "ports": [{"port": 80}]}}
        cluster.apply(rollout(), empty, namespace=namespace)
        kubeconfig_of = cluster.kubeconfig_of(namespace, "asker", ALL)
        made = Real(cluster_of({}, kubeconfig=kubeconfig_of), namespace)
        awaited(
            lambda: cluster.rollout(namespace, NAME).get("status", {}).get("phase") == "Healthy",
            lambda: str(cluster.rollout(namespace, NAME)),
        )
        yield made


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Cluster]:
    with serve(Api(users={"a-token": frozenset({f"{right}@shop" for right in RIGHTS})})) as api:
        api.services["shop", "http:empty:80"] = None
        api.add(argo_controller.rollout("shop", NAME))
        yield cluster_at(kubeconfig(tmp_path, api))


RIGHTS = ("get rollouts", "patch rollouts", "patch rollouts/status", "get services/proxy")


@pytest.mark.parametrize("what", sorted(ASKED))
def test_answers_are_the_same(real: Real, double: Cluster, what: str) -> None:
    assert ASKED[what](double, "shop") == ASKED[what](real.cluster, real.namespace)
