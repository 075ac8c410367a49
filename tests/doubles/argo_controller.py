"""What the controller of Argo Rollouts does with a Rollout, one reconciliation at a time.

Written from https://argo-rollouts.readthedocs.io/en/stable/ (specification, canary, rollback): no traffic router, so
the share of the pods is the share of the traffic.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

Document = dict[str, Any]
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}


def hash_of(image: str) -> str:
    """The pod template's hash."""
    return hashlib.sha256(image.encode()).hexdigest()[:10]


def rollout(
    namespace: str = "shop", name: str = "api", *, stable: str = "api:v1", canary: str = "api:v2", replicas: int = 5
) -> Document:
    """A Rollout that stands at its first endless pause, one pod of five being the canary."""
    spec: Document = {
        "replicas": replicas,
        "template": {"spec": {"containers": [{"name": "api", "image": canary}]}},
        "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
        "status": {
            "observedGeneration": "1",
            "phase": "Paused",
            "message": "CanaryPauseStep",
            "currentPodHash": hash_of(canary),
            "stableRS": hash_of(stable),
            "currentStepHash": _hash_of_steps(spec),
            "currentStepIndex": 1,
            "controllerPause": True,
            "pauseConditions": [dict(PAUSE)],
            "replicas": replicas,
            "updatedReplicas": 1,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        },
    }


def _hash_of_steps(spec: Document) -> str:
    return hashlib.sha256(json.dumps(spec["strategy"]["canary"]["steps"]).encode()).hexdigest()[:10]


def reconcile(document: Document) -> None:
    """One step nearer to what is wished for."""
    status, spec = document["status"], document["spec"]
    generation = str(document["metadata"]["generation"])
    if status["observedGeneration"] != generation:
        _take_spec(document, generation)
    elif spec.get("paused"):
        status |= {"phase": "Paused", "message": "manually paused"}
    elif status.get("promoteFull"):
        _promote(status, spec)
    elif status.get("abort"):
        _abort(status, spec)
    elif status["phase"] == "Degraded":
        status |= {"phase": "Progressing", "message": "more replicas need to be updated", "currentStepIndex": 0}
    elif status.get("controllerPause") and not status.get("pauseConditions"):
        status |= {"controllerPause": False, "currentStepIndex": status["currentStepIndex"] + 1, "phase": "Progressing"}
    elif status["currentPodHash"] != status["stableRS"]:
        _step(status, spec)


def _take_spec(document: Document, generation: str) -> None:
    status = document["status"]
    status["observedGeneration"] = generation
    found = hash_of(document["spec"]["template"]["spec"]["containers"][0]["image"])
    steps = _hash_of_steps(document["spec"])
    if (found, steps) == (status["currentPodHash"], status["currentStepHash"]):
        return
    status |= {"currentPodHash": found, "currentStepHash": steps}
    for name in ("abort", "promoteFull", "pauseConditions", "controllerPause"):
        status.pop(name, None)
    if found == status["stableRS"]:
        status |= {"phase": "Healthy", "message": "", "updatedReplicas": status["replicas"], "currentStepIndex": 4}
    else:
        status |= {"phase": "Progressing", "message": "", "updatedReplicas": 0, "currentStepIndex": 0}


def _abort(status: Document, spec: Document) -> None:
    for name in ("pauseConditions", "controllerPause"):
        status.pop(name, None)
    status |= {"phase": "Degraded", "message": "RolloutAborted: Rollout aborted update to revision 2"}
    status["currentStepIndex"] = 0
    status["availableReplicas"] = status["replicas"] - min(1, status["updatedReplicas"])
    if status["updatedReplicas"]:
        status["updatedReplicas"] -= 1
    else:
        status |= {"replicas": spec["replicas"], "availableReplicas": spec["replicas"]}


def _promote(status: Document, spec: Document) -> None:
    for name in ("pauseConditions", "controllerPause"):
        status.pop(name, None)
    status |= {"phase": "Progressing", "message": "old replicas are pending termination"}
    if status["updatedReplicas"] < spec["replicas"]:
        status["updatedReplicas"] += 2
        return
    status.pop("promoteFull")
    status |= {"updatedReplicas": spec["replicas"], "stableRS": status["currentPodHash"]}
    status |= {"phase": "Healthy", "message": "", "currentStepIndex": len(spec["strategy"]["canary"]["steps"])}


def _step(status: Document, spec: Document) -> None:
    steps = spec["strategy"]["canary"]["steps"]
    at = status["currentStepIndex"]
    if at >= len(steps):
        status["promoteFull"] = True
        _promote(status, spec)
    elif "setWeight" in steps[at]:
        status["updatedReplicas"] = spec["replicas"] * steps[at]["setWeight"] // 100
        status["currentStepIndex"] = at + 1
    elif not status.get("pauseConditions"):
        status |= {"pauseConditions": [dict(PAUSE)], "controllerPause": True}
        status |= {"phase": "Paused", "message": "CanaryPauseStep"}
