"""What may we do in the cluster? Asked of the cluster itself, before a rollout depends on it.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aegis.adapters.kubernetes.api import Cluster
from aegis.adapters.kubernetes.faults import fault_of, malformed

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that one may do, as a Role says it."""

    verb: str
    group: str
    """Empty for Kubernetes's own core."""
    resource: str
    """With its subresource: `rollouts/status`."""
    namespace: str
    name: str

    def __str__(self) -> str:
        """For people."""
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{group} {self.namespace}/{self.name}"


def of_rollout(namespace: str, name: str, *, acting: bool) -> tuple[Right, ...]:
    """What looking at a rollout needs, and acting on it."""
    looking = Right("get", "argoproj.io", "rollouts", namespace, name)
    return (looking, Right("patch", "argoproj.io", "rollouts/status", namespace, name)) if acting else (looking,)


def of_proxy(namespace: str, service: str) -> tuple[Right, ...]:
    """What asking a service through the API server needs. `service` as in the path: `http:prometheus:9090`."""
    return (Right("get", "", "services/proxy", namespace, service),)


def missing_rights(cluster: Cluster, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Those of `rights` that we do not have. Every fault is CouldNotDecide with a `canary.…` code."""
    return tuple(right for right in rights if not _allowed(cluster, right))


def _allowed(cluster: Cluster, right: Right) -> bool:
    resource, _, sub = right.resource.partition("/")
    attributes = {
        "namespace": right.namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "name": right.name,
        **({"subresource": sub} if sub else {}),
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.write("POST", _REVIEWS, body)
    if answer.status != 201:
        raise fault_of(cluster.address, answer, f"whether we may {right}")
    status = answer.json().get("status")
    if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
        raise malformed("the review of an access says neither yes nor no")
    return bool(status["allowed"]) and not status.get("denied")
