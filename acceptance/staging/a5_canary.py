"""A5 in staging: an image that is known to be worse is rolled out, and taken back by the judge, not by a person.

This one writes: it sets the rollout's image, and puts it back at the end. The fault: the image that runs already, as a
new revision, which nobody has a reason to take back.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import Tools, section, staging_of  # noqa: E402
from aegis.acceptance.staging import Cluster  # noqa: E402

FAULTS = {"good-image": "a new revision of the image that runs already"}
_REVISION = "aegis-gates.dev/acceptance"
"""Annotation of the pods: makes a new revision of the same image."""
_LOOK = 5.0
"""Seconds between looks at the rollout."""


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe:
        cluster = section(staging_of(probe).cluster, "cluster")
        rollout = _Rollout(Tools(probe), cluster)
        before = rollout.read("before")
        if before["status"].get("phase") != "Healthy":
            raise RuntimeError(f"the rollout is {before['status'].get('phase')} before the probe begins")
        containers = before["spec"]["template"]["spec"]["containers"]
        names = [each["name"] for each in containers]
        place, image = names.index(cluster.container), containers[names.index(cluster.container)]["image"]
        put = image if probe.fault == "good-image" else section(cluster.degraded_image, "cluster.degraded_image")
        try:
            rollout.put(place, put, str(int(time.time())))
            after = rollout.settled(before["metadata"].get("generation", 0))
            _judge(probe, before, after)
        finally:
            rollout.put(place, image, None)


def _judge(probe: Probe, before: dict[str, Any], after: dict[str, Any]) -> None:
    status = after["status"]
    told = f"{status.get('phase')}: {status.get('message', '')}".strip()
    probe.facts |= {"aborted_at": status.get("abortedAt"), "message": status.get("message")}
    probe.check(
        "rolled-back-by-itself",
        status.get("abort") is True or status.get("phase") == "Degraded",
        told,
        reason="probe.not_rolled_back",
    )
    probe.check(
        "stable-version-kept",
        status.get("stableRS") == before["status"].get("stableRS"),
        f"stable ReplicaSet {before['status'].get('stableRS')} before, {status.get('stableRS')} after",
        reason="probe.not_rolled_back",
    )


class _Rollout:
    """One object, by kubectl and a context that is named."""

    def __init__(self, tools: Tools, cluster: Cluster) -> None:
        self._tools = tools
        self._base = ["kubectl", "--context", cluster.context, "-n", cluster.namespace]
        self._name = f"rollouts.argoproj.io/{cluster.rollout}"

    def read(self, name: str) -> dict[str, Any]:
        """Its present state."""
        found: dict[str, Any] = self._tools.json(name, [*self._base, "get", self._name, "-o", "json"])
        return found

    def put(self, place: int, image: str, revision: str | None) -> None:
        """Set the image of a container; `revision` None takes the annotation away again."""
        patch: list[dict[str, Any]] = [
            {"op": "replace", "path": f"/spec/template/spec/containers/{place}/image", "value": image}
        ]
        merge = {"spec": {"template": {"metadata": {"annotations": {_REVISION: revision}}}}}
        for kind, document in (("json", patch), ("merge", merge)):
            words = [*self._base, "patch", self._name, f"--type={kind}", "-p", json.dumps(document)]
            done = self._tools.run(f"patch-{kind}", words)
            if done.returncode != 0:
                raise RuntimeError(f"kubectl patch ended with exit code {done.returncode}: {done.stderr[-500:]}")

    def settled(self, generation: int) -> dict[str, Any]:
        """The state once the rollout of the change has ended; the engine's time limit ends a longer wait."""
        while True:
            found = self.read("during")
            status = found["status"]
            seen = (
                int(status.get("observedGeneration") or 0) >= int(found["metadata"].get("generation", 0)) > generation
            )
            if seen and status.get("phase") in ("Healthy", "Degraded"):
                return found
            time.sleep(_LOOK)


if __name__ == "__main__":
    main()
