"""The shipped example of a judged rollout in a cluster, with its judge: `k8s/argo-rollouts/example-rollout.yaml`.

Applied as it stands, and scraped by the configuration that we ship; then images are set, and the times of policy and
template are made shorter, as a user may. The judge and what the pods count run here: nothing runs in the cluster's
pods.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.cli.command import AEGIS, ROOT, environment
from tests.support.cluster.plane import ControlPlane, Document, awaited
from tests.support.cluster.workload import SURE, ClusterPrometheus, cluster_prometheus, workload

EXAMPLE: Final = ROOT / "k8s/argo-rollouts/example-rollout.yaml"
SCRAPING: Final = ROOT / "k8s/prometheus/scrape-config.yaml"
NAMESPACE: Final = "aegis"
NAME: Final = "aegis"
JUDGE: Final = "aegis-canary-judge.aegis.svc:8080"
SELECTOR: Final = "app.kubernetes.io/name=aegis,app.kubernetes.io/component=api"
PROBE_PORT: Final = 8081
SHIPPED: Final = "the example's own"
IMAGE: Final = "ghcr.io/org/aegis:{}@sha256:" + "0" * 64


@dataclass
class Example:
    """The example in the cluster."""

    cluster: ControlPlane
    prometheus: ClusterPrometheus
    folder: Path

    @property
    def status(self) -> Document:
        found: Document = self.cluster.rollout(NAMESPACE, NAME)["status"]
        return found

    def patch(self, kind: str, name: str, path: str, value: object) -> None:
        patch = json.dumps([{"op": "replace", "path": path, "value": value}])
        self.cluster.kubectl("patch", kind, name, "-n", NAMESPACE, "--type=json", "--patch", patch)

    def deploy(self, tag: str) -> None:
        """Returns when the rollout has begun."""
        before = self.status["currentPodHash"]
        self.patch("rollout", NAME, "/spec/template/spec/containers/0/image", IMAGE.format(tag))
        self.cluster.await_rollout(
            NAMESPACE, NAME, lambda: self.status["currentPodHash"] != before, lambda: str(self.status)
        )

    def await_phase(self, phase: str) -> Document:
        self.cluster.await_rollout(
            NAMESPACE,
            NAME,
            lambda: self.status.get("phase") == phase,
            lambda: f"not {phase}: {self.status}; {self.run()}",
        )
        return self.status

    def images(self) -> set[str]:
        """Tags of the pods that are there."""
        return {tag_of(each["spec"]["containers"][0]["image"]) for each in self.pods()}

    def pods(self) -> list[Document]:
        return self.cluster.get_all("pods", NAMESPACE, SELECTOR)

    def run(self) -> Document:
        """What became of the newest analysis."""
        runs = self.cluster.get_all("analysisruns", NAMESPACE)
        return max(
            runs, key=lambda each: int(each["metadata"]["annotations"]["rollout.argoproj.io/revision"]), default={}
        )

    def measured(self) -> list[Document]:
        """The measurements of the newest analysis."""
        results = self.run().get("status", {}).get("metricResults") or [{}]
        found: list[Document] = results[0].get("measurements", [])
        return found

    @contextmanager
    def judge(self, change: Callable[[Document], None] = lambda _: None) -> Iterator[None]:
        """The policy of the example's ConfigMap, with another address and shorter times.

        `change`: what else is other in its section `canary`.
        """
        policy = yaml.safe_load(self.cluster.get("configmap", "aegis-canary-policy", NAMESPACE)["data"]["aegis.yml"])
        policy["canary"]["prometheus"] |= {"url": self.prometheus.url, "scrape-interval": "1s"}
        policy["canary"] |= {"warm-up": "0s", "interval": "1s", "deadline": "5m"}
        policy["canary"] |= {"spread": 0, "cluster": 1, "alpha": SURE}
        change(policy["canary"])
        file = self.folder / "aegis.yml"
        file.write_text(yaml.safe_dump(policy))
        with (self.folder / "judge.log").open("ab") as log:
            process = subprocess.Popen(
                [*AEGIS, "canary", "serve", f"--policy={file}", f"--state={self.folder / 'states'}", "--port=0"],
                cwd=self.folder, env=environment(self.folder), stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("listening on "), (self.folder / "judge.log").read_text()
            self.cluster.network.lead(JUDGE, int(said.strip().rpartition(":")[2].rstrip("/")))
            yield
        finally:
            self.cluster.network.close(JUDGE)
            process.kill()
            process.communicate()


def shipped_job() -> Document:
    """How the shipped configuration scrapes the service, but for who finds the pods."""
    (job,) = [each for each in yaml.safe_load(SCRAPING.read_text())["scrape_configs"] if each["job_name"] == "aegis"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    return dict(job)


@contextmanager
def cluster_example(cluster: ControlPlane, folder: Path) -> Iterator[Example]:
    """Healthy in its first version, and without a judge."""
    cluster.await_ended(NAMESPACE)
    cluster.kubectl("apply", f"--filename={EXAMPLE}")
    (folder / "prometheus").mkdir()
    try:
        with (
            workload(cluster, NAMESPACE, SELECTOR.replace("=", "%3D").replace(",", "%2C"), PROBE_PORT) as pods,
            cluster_prometheus(folder / "prometheus", pods, shipped_job()) as server,
        ):
            made = Example(cluster, server, folder)
            awaited(lambda: "currentPodHash" in cluster.rollout(NAMESPACE, NAME).get("status", {}), cluster.logs)
            made.patch("analysistemplate", "aegis-canary", "/spec/metrics/0/interval", "1s")
            made.await_phase("Healthy")
            yield made
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE)


def tag_of(image: str) -> str:
    found = re.search(r":([^:@]+)@", image)
    return found[1] if found else SHIPPED


def said(measurement: Document) -> Any:
    """The judge's answer, which Argo keeps."""
    return json.loads(measurement["value"])
