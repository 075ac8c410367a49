"""The operator's monitors find what the example rollout starts: labels, ports and paths are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / "k8s"


def objects(name: str, kind: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
    return [one for one in documents if one and one["kind"] == kind]


def of(name: str, kind: str, called: str) -> dict[str, Any]:
    (found,) = [one for one in objects(name, kind) if one["metadata"]["name"] == called]
    return found


ROLLOUT = of("argo-rollouts/example-rollout.yaml", "Rollout", "aegis")
JUDGE = of("argo-rollouts/example-rollout.yaml", "Service", "aegis-canary-judge")
PODS = of("prometheus/pod-monitor.yaml", "PodMonitor", "aegis")
SERVICES = {one["metadata"]["name"]: one for one in objects("prometheus/service-monitor.yaml", "ServiceMonitor")}


def test_the_pods_of_the_rollout_are_scraped_at_their_probe_port() -> None:
    template = ROLLOUT["spec"]["template"]
    assert PODS["metadata"]["namespace"] == ROLLOUT["metadata"]["namespace"]
    assert PODS["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = PODS["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == 8081


def test_versions_can_be_told_apart() -> None:
    """Argo Rollouts and Deployments put a hash of the template on each pod; `aegis canary` compares by it."""
    assert PODS["spec"]["podTargetLabels"] == ["rollouts-pod-template-hash", "pod-template-hash"]


def test_the_judge_is_scraped_at_its_service() -> None:
    monitor = SERVICES["aegis-canary-judge"]
    assert monitor["metadata"]["namespace"] == JUDGE["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= JUDGE["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in JUDGE["spec"]["ports"]}


def test_argo_rollouts_is_scraped_where_its_release_puts_it() -> None:
    """Labels and port of the Service in its install.yaml (manifests/base/argo-rollouts-metrics-service.yaml)."""
    monitor = SERVICES["argo-rollouts"]
    assert monitor["metadata"]["namespace"] == "argo-rollouts"
    assert monitor["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "argo-rollouts-metrics"}
    assert monitor["spec"]["endpoints"][0]["port"] == "metrics"


@pytest.mark.parametrize("monitor", [PODS, *SERVICES.values()], ids=lambda one: str(one["metadata"]["name"]))
def test_a_scrape_ends_before_the_next_one_begins(monitor: dict[str, Any]) -> None:
    for endpoint in monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]:
        assert int(endpoint["scrapeTimeout"][:-1]) < int(endpoint["interval"][:-1]) == 15
        assert endpoint["path"] == "/metrics"
