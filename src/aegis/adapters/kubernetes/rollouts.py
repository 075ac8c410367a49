"""Argo Rollouts in a cluster: what is read of a Rollout, and the patches that ask for something.

Fields: https://argo-rollouts.readthedocs.io/en/stable/features/specification/ and the CustomResourceDefinition;
the patches are those of its kubectl plugin (cmd/abort, cmd/promote, cmd/retry). They go to the status subresource, so
that a Role can allow them without allowing another image.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from aegis.adapters.http.call import Answer
from aegis.adapters.kubernetes.api import MERGE_PATCH, Cluster
from aegis.adapters.kubernetes.faults import fault_of, malformed
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState, Step
from aegis.signatures import strict_json

MAX_ROLLOUT: Final = 2 << 20
"""Bytes; etcd keeps at most 1.5 MiB of one object."""
_PATCHES: Final[dict[Act, dict[str, Any]]] = {
    "abort": {"abort": True},
    "promote": {"promoteFull": True},
    # controllerPause is left alone: it tells the controller that its pause was ended
    "step": {"pauseConditions": None},
    "retry": {"abort": False},
}
_INVALID: Final = "InvalidSpec"
"""The condition's type (pkg/apis/rollouts/v1alpha1: RolloutConditionType)."""
_WORKLOAD_GENERATION: Final = "rollout.argoproj.io/workload-generation"


class KubernetesRollouts:
    """The rollouts of one cluster. Fulfils `aegis.core.ports.rollouts.Rollouts`."""

    def __init__(self, cluster: Cluster) -> None:
        """`cluster` is asked with the rights `get` on rollouts, and for an act `patch` on rollouts/status."""
        self._cluster = cluster

    def get(self, namespace: str, name: str) -> RolloutState:
        """As the port says."""
        what = f"to get the Rollout {namespace}/{name}"
        answer = self._cluster.read(_path(namespace, name), limit=MAX_ROLLOUT)
        return self._state(answer, what, namespace, name)

    def act(self, act: Act, seen: RolloutState) -> RolloutState:
        """As the port says."""
        # a resource version in a patch makes it conditional: 409 where the object has another one now
        body = {"metadata": {"resourceVersion": seen.version}, "status": _PATCHES[act]}
        answer = self._cluster.write(
            "PATCH", f"{_path(seen.namespace, seen.name)}/status", body, content_type=MERGE_PATCH
        )
        return self._state(answer, f"to {act} the Rollout {seen.place}", seen.namespace, seen.name)

    def nudge(self, seen: RolloutState) -> None:
        """As the port says: another message, which the controller writes anew whenever it looks."""
        # a text that was there already would be no change, of which no controller hears
        body = {"metadata": {"resourceVersion": seen.version}, "status": {"message": f"aegis saw {seen.version}"}}
        path = f"{_path(seen.namespace, seen.name)}/status"
        answer = self._cluster.write("PATCH", path, body, content_type=MERGE_PATCH)
        self._state(answer, f"to have the Rollout {seen.place} looked at", seen.namespace, seen.name)

    def _state(self, answer: Answer, what: str, namespace: str, name: str) -> RolloutState:
        if answer.status != 200:
            raise fault_of(self._cluster.address, answer, what)
        try:
            document = strict_json.parse(answer.body, what="the answer", limit=MAX_ROLLOUT - 1)
        except Refused as error:
            raise malformed(error.problem) from None
        state = read_rollout(document)
        if (state.namespace, state.name) != (namespace, name):
            raise malformed(f"it is about {state.place}, and {namespace}/{name} was asked for")
        return state


def read_rollout(document: Any) -> RolloutState:
    """A Rollout's JSON. CouldNotDecide `canary.cluster_answer`, and `canary.rollout_unfit` without canary strategy."""
    if not isinstance(document, dict) or document.get("kind") != "Rollout":
        raise malformed("it is no Rollout")
    metadata, spec, status = (_object(document, key) for key in ("metadata", "spec", "status"))
    namespace, name = _text(metadata, "namespace"), _text(metadata, "name")
    strategy = _object(spec, "strategy")
    if "canary" not in strategy:
        raise CouldNotDecide(
            "canary.rollout_unfit",
            f"the Rollout {namespace}/{name} has the strategy {', '.join(strategy) or 'none'}",
            expected="the strategy canary",
            remedy="Give the Rollout canary steps with an endless `pause: {}`; docs/canary.md has an example.",
        )
    canary = _object(status, "canary")
    weights = _object(_object(canary, "weights"), "canary")
    template = _object(_object(spec, "template"), "spec")
    step = status.get("currentStepIndex")
    return RolloutState(
        namespace=namespace,
        name=name,
        uid=_text(metadata, "uid"),
        version=_text(metadata, "resourceVersion"),
        observed=_observed(metadata, spec, status),
        phase=_text(status, "phase"),
        message=_text(status, "message"),
        aborted=_flag(status, "abort"),
        promoting=_flag(status, "promoteFull"),
        held=_flag(spec, "paused"),
        pauses=tuple(_text(each, "reason") for each in _objects(status, "pauseConditions")),
        paused_since=min((_time(each, "startTime") for each in _objects(status, "pauseConditions")), default=None),
        step=None if step is None else _number(status, "currentStepIndex"),
        steps=tuple(_step(each) for each in _objects(_object(strategy, "canary"), "steps")),
        stable_hash=_text(status, "stableRS"),
        canary_hash=_text(status, "currentPodHash"),
        desired=_number(spec, "replicas") if spec.get("replicas") is not None else 1,
        pods=_number(status, "replicas"),
        canary_pods=_number(status, "updatedReplicas"),
        available=_number(status, "availableReplicas"),
        canary_weight=_number(weights, "weight") if weights else None,
        images=tuple(_images(template)),
    )


def _observed(metadata: dict[str, Any], spec: dict[str, Any], status: dict[str, Any]) -> bool:
    """As the kubectl plugin decides it (utils/rollout: GetRolloutPhase), but that doubt is a no."""
    # a text: the first versions of Argo Rollouts had a hash there
    if _text(status, "observedGeneration") != str(_number(metadata, "generation")):
        return False
    # a spec that is refused is observed too, while the template before it stays rolled out
    for each in _objects(status, "conditions"):
        if _text(each, "type") == _INVALID and _text(each, "status") == "True":
            return False
    # pauses that were cleared, and that the controller has not heard of
    if _flag(status, "controllerPause") and not status.get("pauseConditions"):
        return False
    wanted = _object(metadata, "annotations").get(_WORKLOAD_GENERATION)
    return "workloadRef" not in spec or wanted is None or _text(status, "workloadObservedGeneration") == wanted


def _step(entry: dict[str, Any]) -> Step:
    kind = next(iter(entry), "")
    if kind == "setWeight":
        return Step(kind, weight=_number(entry, kind))
    return Step(kind, endless=kind == "pause" and not _object(entry, kind).get("duration"))


def _images(template: dict[str, Any]) -> Iterator[str]:
    """Of every container, and of volumes that are images."""
    for kind in ("containers", "initContainers"):
        yield from (_text(each, "image") for each in _objects(template, kind))
    for volume in _objects(template, "volumes"):
        if "image" in volume:
            yield _text(_object(volume, "image"), "reference")


def _path(namespace: str, name: str) -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/{quote(namespace, safe='')}/rollouts/{quote(name, safe='')}"


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"{key} is no object")
    return value


def _objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise malformed(f"{key} is no list of objects")
    return value


def _text(parent: dict[str, Any], key: str) -> str:
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{key} is no text")
    return value


def _time(parent: dict[str, Any], key: str) -> datetime.datetime:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/: RFC 3339, UTC."""
    try:
        found = datetime.datetime.fromisoformat(_text(parent, key))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise malformed(f"{key} is no time")
    return found


def _number(parent: dict[str, Any], key: str) -> int:
    value = parent.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"{key} is no whole number")
    return value


def _flag(parent: dict[str, Any], key: str) -> bool:
    value = parent.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise malformed(f"{key} is neither true nor false")
    return value
