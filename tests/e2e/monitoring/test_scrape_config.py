"""The shipped scrape configuration in a real Prometheus: which pods become targets, and with which labels.

Debian's build finds no pods by itself, so the labels that Kubernetes' discovery gives
(https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod) come from a file.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.canary.prometheus import READY_SECONDS, RealPrometheus
from tests.support.network.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
SHIPPED: list[dict[str, Any]] = yaml.safe_load((ROOT / "k8s/prometheus/scrape-config.yaml").read_text("utf-8"))[
    "scrape_configs"
]
EXAMPLE = {
    (each["kind"], each["metadata"]["name"]): each
    for each in yaml.safe_load_all((ROOT / "k8s/argo-rollouts/example-rollout.yaml").read_text("utf-8"))
}


@dataclass
class Shipped(RealPrometheus):
    """With the shipped jobs, whose pods stand in the file."""

    def scrape_configs(self) -> list[dict[str, Any]]:
        """As they are, but for how pods are found."""
        found_in = [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]
        return [
            {key: value for key, value in job.items() if key != "kubernetes_sd_configs"} | {"file_sd_configs": found_in}
            for job in SHIPPED
        ]


def pod(workload: Mapping[str, Any], name: str, port: str, **more: str) -> tuple[int, dict[str, str]]:
    """A pod's container port as Kubernetes' discovery tells of it; the number is one that nobody listens at."""
    labels = {f"__meta_kubernetes_pod_label_{_sane(key)}": text for key, text in _labels(workload).items()}
    own = {
        "__meta_kubernetes_namespace": "aegis",
        "__meta_kubernetes_pod_name": name,
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_container_port_name": port,
    }
    return free_port(), labels | own | more


def _labels(workload: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def _sane(key: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in key)


ROLLOUT, JUDGE = EXAMPLE["Rollout", "aegis"], EXAMPLE["Deployment", "aegis-canary-judge"]
CONTROLLER = {"spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/name": "argo-rollouts"}}}}}
HASH = {"__meta_kubernetes_pod_label_rollouts_pod_template_hash": "6d7f8c9b5d"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Shipped]:
    made = Shipped(tmp_path, free_port())
    made.scrape([])
    made.start()
    try:
        yield made
    finally:
        made.kill()


def targets(server: Shipped) -> dict[str, list[dict[str, Any]]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{server.url}/api/v1/targets", timeout=60) as answer:
        found: dict[str, list[dict[str, Any]]] = json.load(answer)["data"]
    return found


def test_pods_of_service_judge_and_controller_are_targets_and_no_other_port_is(server: Shipped) -> None:
    told = [
        pod(ROLLOUT, "aegis-6d7f8c9b5d-abcde", "probe", **HASH),
        pod(ROLLOUT, "aegis-6d7f8c9b5d-abcde", "api", **HASH),
        pod(ROLLOUT, "aegis-6d7f8c9b5d-ended", "probe", **HASH, __meta_kubernetes_pod_phase="Failed"),
        pod(JUDGE, "aegis-canary-judge-7c9d8f6b4c-abcde", "judge"),
        pod(CONTROLLER, "argo-rollouts-5f7d8c9b6d-abcde", "metrics"),
        pod(CONTROLLER, "argo-rollouts-5f7d8c9b6d-abcde", "healthz"),
        pod({"spec": {"template": {"metadata": {"labels": {}}}}}, "another", "probe"),
    ]
    server.scrape(told)
    end = time.monotonic() + READY_SECONDS
    while len(targets(server)["activeTargets"]) < 3:
        assert time.monotonic() < end, targets(server)
        time.sleep(0.1)
    seen = targets(server)
    assert len(seen["droppedTargets"]) == len(SHIPPED) * len(told) - 3
    labels = {each["labels"]["job"]: each["labels"] for each in seen["activeTargets"]}
    assert len(seen["activeTargets"]) == 3
    instances = {name: f"127.0.0.1:{told[at][0]}" for name, at in (("aegis", 0), ("judge", 3), ("argo", 4))}
    assert labels["aegis"] == {
        "job": "aegis",
        "instance": instances["aegis"],
        "namespace": "aegis",
        "pod": "aegis-6d7f8c9b5d-abcde",
        "rollouts_pod_template_hash": "6d7f8c9b5d",
    }
    assert labels["aegis-canary-judge"] == {
        "job": "aegis-canary-judge",
        "instance": instances["judge"],
        "namespace": "aegis",
        "pod": "aegis-canary-judge-7c9d8f6b4c-abcde",
    }
    assert labels["argo-rollouts"] == {"job": "argo-rollouts", "instance": instances["argo"]}


def test_what_a_real_prometheus_here_cannot_check() -> None:
    policy = yaml.safe_load(EXAMPLE["ConfigMap", "aegis-canary-policy"]["data"]["aegis.yml"])["canary"]
    for job in SHIPPED:
        # its whole configuration: the account of the pod, all namespaces
        assert job["kubernetes_sd_configs"] == [{"role": "pod"}]
        assert job["scrape_interval"] == policy["prometheus"]["scrape-interval"]
    ports = {each["name"] for each in ROLLOUT["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert ports == {"api", "probe"}
    assert [each["name"] for each in JUDGE["spec"]["template"]["spec"]["containers"][0]["ports"]] == ["judge"]
