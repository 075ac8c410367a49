"""A service that is rolled out in a cluster, its Prometheus, a policy in a repository, and `aegis canary` for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.cli.command import AEGIS, environment
from tests.support.cluster.plane import ControlPlane, Document, awaited
from tests.support.cluster.workload import ClusterPrometheus, Workload, cluster_prometheus, workload
from tests.support.scan.gitrepo import GitRepo

NAME: Final = "api"
STEPS: Final[Sequence[Mapping[str, Any]]] = ({"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}})
GOOD, BETTER, BAD = "example.test/api:good", "example.test/api:better", "example.test/api:bad-8x"
WATCHER: Final = (
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get"]},
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts/status"], "verbs": ["patch"]},
)
"""The rights that docs/canary.md asks for."""


@dataclass
class ClusterShop:
    """All of it."""

    cluster: ControlPlane
    namespace: str
    pods: Workload
    prometheus: ClusterPrometheus
    folder: Path
    """Of the repository."""

    @property
    def rollout(self) -> Document:
        """As the API server has it."""
        return self.cluster.rollout(self.namespace, NAME)

    @property
    def status(self) -> Document:
        """What its controller says."""
        found: Document = self.rollout.get("status", {})
        return found

    def deploy(self, image: str) -> None:
        """Another version; returns when the controller has seen it."""
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        self.cluster.kubectl(
            "patch", "rollout", NAME, "-n", self.namespace, "--type=json", "--patch", json.dumps(patch)
        )
        self.await_observed()

    def await_observed(self) -> None:
        """Until the status is of this very spec."""

        def seen() -> bool:
            found = self.rollout
            return bool(str(found["metadata"]["generation"]) == found.get("status", {}).get("observedGeneration"))

        self.cluster.await_rollout(self.namespace, NAME, seen, lambda: f"not observed: {self.status}")

    def await_phase(self, phase: str, message: str = "") -> Document:
        """Until the controller says so of this very spec."""
        self.await_observed()

        def reached() -> bool:
            found = self.status
            return found.get("phase") == phase and message in found.get("message", "")

        self.cluster.await_rollout(self.namespace, NAME, reached, lambda: f"not {phase}: {self.status}")
        return self.status

    def paused(self, image: str) -> Document:
        """The status with a version of this image in the middle of its steps."""
        self.deploy(image)
        return self.await_phase("Paused", "CanaryPauseStep")

    def images(self) -> list[str]:
        """Of the pods that are there."""
        found = self.cluster.get_all("pods", self.namespace, f"app={NAME}")
        return sorted(each["spec"]["containers"][0]["image"] for each in found)

    def await_images(self, *expected: str) -> None:
        """Until its pods have these; one that ends is there a moment longer than the Rollout counts it."""
        awaited(lambda: self.images() == sorted(expected), lambda: str(self.images()))

    def policy(self, more: str = "", *, estimated: bool = False, alpha: float | None = None, **prometheus: Any) -> None:
        """Commit one: looks at each second.

        `estimated`: spread and clusters are by default, else they are known. `alpha`: SURE where a good version must
        not be aborted by chance; None: the default.
        """
        document: Document = {
            "prometheus": {"url": self.prometheus.url, "scrape-interval": "1s", **prometheus},
            "rollout": {
                "namespace": self.namespace,
                "name": NAME,
                "hash-label": "rollouts_pod_template_hash",
            },
            "metrics": [{"preset": "aegis"}],
            "interval": "1s",
            "deadline": "5m",
        }
        if not estimated:
            document |= {"spread": 0, "cluster": 1}
        if alpha is not None:
            document["alpha"] = alpha
        text = yaml.safe_dump({"version": 1, "canary": document}) + more
        repository = GitRepo.init(self.folder)
        repository.write({"aegis.yml": text})
        repository.git("add", ".")
        repository.git("commit", "--quiet", "--message=policy")

    def command(self, *words: str, kubeconfig: Path | None = None) -> list[str]:
        """`aegis canary …` of this repository."""
        config = kubeconfig or self.cluster.kubeconfig
        return [*AEGIS, "canary", *words, f"--kubeconfig={config}"]

    def watch(self, *words: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The whole command, to its end. Its verdict, as JSON, is on standard output."""
        state = [f"--path={self.folder}", f"--state={self.folder / 'state.json'}", "--format=json"]
        return subprocess.run(
            self.command("watch", *state, *words, kubeconfig=kubeconfig),
            cwd=self.folder,
            env=environment(self.folder),
            capture_output=True,
            text=True,
            timeout=400,
        )


def rollout(image: str = GOOD, steps: Sequence[Mapping[str, Any]] = STEPS, replicas: int = 5) -> Document:
    """The service's."""
    labels = {"app": NAME}
    container = {"name": NAME, "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "strategy": {"canary": {"steps": [dict(step) for step in steps]}},
        },
    }


@contextmanager
def cluster_shop(cluster: ControlPlane, namespace: str, folder: Path) -> Iterator[ClusterShop]:
    """The service in a good version, Healthy and scraped."""
    cluster.apply(rollout(), namespace=namespace)
    (folder / "prometheus").mkdir()
    (folder / "repository").mkdir()
    with (
        workload(cluster, namespace, f"app%3D{NAME}") as pods,
        cluster_prometheus(folder / "prometheus", pods) as server,
    ):
        made = ClusterShop(cluster, namespace, pods, server, folder / "repository")
        made.await_phase("Healthy")
        made.policy()
        yield made
