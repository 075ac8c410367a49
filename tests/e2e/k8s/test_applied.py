"""Every object in k8s/ before a real API server, which checks what schemas cannot say: rules in CEL, selectors.

Nothing is left there: `--dry-run=server` goes the whole way but the last step. Unknown fields are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.k8s.test_manifests import FILES
from tests.support.cluster.plane import ControlPlane
from tests.support.programs.kubeconform import crd_files
from tests.support.programs.kubeconform import judge as valid

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def kinds(cluster: ControlPlane) -> ControlPlane:
    """With the kinds of External Secrets and of the Prometheus operator beside Argo's."""
    cluster.add_kinds(
        *crd_files("external-secrets.io", ["ExternalSecret", "SecretStore"]),
        *crd_files("monitoring.coreos.com", ["PodMonitor", "PrometheusRule", "ServiceMonitor"]),
    )
    return cluster


def applied(cluster: ControlPlane, namespace: str, documents: list[dict[str, Any]]) -> str:
    """What is wrong with them, as kubectl tells it; empty if nothing is."""
    for one in documents:
        one["metadata"]["namespace"] = namespace
    done = cluster.try_kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(documents)
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def objects(file: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((ROOT / file).read_text("utf-8"))
    return [one for one in documents if one and one["kind"] != "Namespace"]


@pytest.mark.parametrize("file", FILES)
def test_an_api_server_takes_it(kinds: ControlPlane, namespace: str, file: str) -> None:
    assert applied(kinds, namespace, objects(file)) == ""


def test_an_api_server_refuses_what_schemas_take(kinds: ControlPlane, namespace: str) -> None:
    (judge,) = [one for one in objects("k8s/argo-rollouts/example-rollout.yaml") if one["kind"] == "Deployment"]
    judge["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "another"}
    assert valid(yaml.safe_dump(judge)) == []
    assert "`selector` does not match template `labels`" in applied(kinds, namespace, [judge])


def test_an_api_server_refuses_an_unknown_field(kinds: ControlPlane, namespace: str) -> None:
    (monitor,) = objects("k8s/prometheus/pod-monitor.yaml")
    monitor["spec"]["podMetricsEndpoint"] = []
    assert "unknown field" in applied(kinds, namespace, [monitor])
