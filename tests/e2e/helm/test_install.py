"""The runbook's line on a real API server: install, upgrade, rollback, uninstall, with the chart as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.command import aegis
from tests.support.cluster.plane import ControlPlane, awaited
from tests.support.infra.chart_values import (
    AWS,
    BACKUP,
    BACKUP_DIGEST,
    CHART,
    DIGEST,
    EVERYTHING,
    OPERATORS,
    Values,
    laid,
)
from tests.support.programs.gomod import module
from tests.support.programs.helm import chart_digest, helm
from tests.unit.scaffold.test_outputs import AWS as OUTPUTS
from tests.unit.scaffold.test_outputs import printed

OTHER_DIGEST = f"sha256:{'3' * 64}"
RESTRICTED = ("pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/enforce-version=latest")
KINDS = "deployment,rollout,service,configmap,serviceaccount,hpa,pdb,networkpolicy,cronjob,job"
LINE = ("upgrade", "--install", "aegis", "./helm", "-n", "aegis", "-f", "helm/values.aws.yaml")
"""Of the runbook, word for word."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout's folder with the chart, and the answer of a Terraform that was applied."""
    shutil.copytree(CHART, tmp_path / "helm")
    (tmp_path / "outputs.json").write_bytes(printed(OUTPUTS))
    return tmp_path


@pytest.fixture
def aegis_namespace(cluster: ControlPlane) -> Iterator[str]:
    """The namespace of the runbook, as docs/infra.md makes it."""
    awaited(lambda: cluster.try_kubectl("create", "namespace", "aegis").returncode == 0, lambda: "aegis is still there")
    try:
        cluster.kubectl("label", "namespace", "aegis", *RESTRICTED)
        yield "aegis"
    finally:
        cluster.kubectl("delete", "namespace", "aegis", "--wait=false")  # whoever makes it again waits for its end


def render(place: Path, digest: str) -> None:
    done = aegis(
        *("render", "values", "--from", "outputs.json", "--to", "helm/values.aws.yaml"),
        *("--image-digest", digest, "--backup-image-digest", BACKUP_DIGEST),
        cwd=place,
    )
    assert done.code == 0, done.err


def run(cluster: ControlPlane, *arguments: str | Path, cwd: Path) -> str:
    done = helm(*arguments, kubeconfig=cluster.kubeconfig, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def image(workload: dict[str, Any]) -> str:
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


def written(folder: Path, values: Values) -> Path:
    file = folder / "more.yaml"
    file.write_text(json.dumps(values))
    return file


def ready(cluster: ControlPlane, namespace: str, kind: str, count: int) -> None:
    """Until so many pods of the newest version are ready."""

    def is_so() -> bool:
        found = cluster.get(kind, "aegis", namespace)
        status = found.get("status", {})
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return False
        return [status.get(key) for key in ("updatedReplicas", "availableReplicas", "replicas")] == [count] * 3

    awaited(is_so, lambda: json.dumps(cluster.get(kind, "aegis", namespace).get("status")))


def test_the_runbooks_line_installs_upgrades_goes_back_and_leaves_nothing(
    cluster: ControlPlane, place: Path, aegis_namespace: str
) -> None:
    before = chart_digest(place / "helm")
    refused = helm(*LINE, kubeconfig=cluster.kubeconfig, cwd=place)
    assert refused.returncode != 0, "values that nothing has filled were taken"
    render(place, DIGEST)
    told = run(cluster, *LINE, cwd=place)
    assert OUTPUTS["bucket_name"] in told
    assert "aegis-audit (audit.key)" in told
    ready(cluster, "aegis", "deployment", 2)  # admitted where only the restricted standard is; scaled to the least
    first = cluster.get("deployment", "aegis", "aegis")
    assert image(first).endswith(DIGEST)

    run(cluster, *LINE, cwd=place)
    same = cluster.get("deployment", "aegis", "aegis")
    assert same["metadata"]["generation"] == first["metadata"]["generation"], "the same values changed something"

    render(place, OTHER_DIGEST)
    run(cluster, *LINE, cwd=place)
    ready(cluster, "aegis", "deployment", 2)
    assert image(cluster.get("deployment", "aegis", "aegis")).endswith(OTHER_DIGEST)

    run(cluster, "rollback", "aegis", "1", "-n", "aegis", cwd=place)
    ready(cluster, "aegis", "deployment", 2)
    assert image(cluster.get("deployment", "aegis", "aegis")) == image(first)
    assert chart_digest(place / "helm") == before == chart_digest()

    run(cluster, "uninstall", "aegis", "-n", "aegis", cwd=place)

    def left() -> list[str]:
        found = cluster.get_all(KINDS, "aegis", "app.kubernetes.io/instance=aegis")
        return [each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]]

    awaited(lambda: not left(), lambda: str(left()))  # a timer may just have made a job, which goes a moment later


def test_a_rollout_waits_for_whoever_judges_and_goes_back(
    cluster: ControlPlane, place: Path, aegis_namespace: str
) -> None:
    more = written(place, {"workload": {"kind": "Rollout"}})
    render(place, DIGEST)
    run(cluster, *LINE, "-f", more, cwd=place)

    def phase() -> str:
        return str(cluster.rollout("aegis", "aegis").get("status", {}).get("phase"))

    cluster.await_rollout("aegis", "aegis", lambda: phase() == "Healthy", phase)
    stable = cluster.rollout("aegis", "aegis")["status"]["stableRS"]
    render(place, OTHER_DIGEST)
    run(cluster, *LINE, "-f", more, cwd=place)

    def paused() -> bool:
        status = cluster.rollout("aegis", "aegis")["status"]
        return bool(status.get("phase") == "Paused" and status["currentPodHash"] != stable)

    cluster.await_rollout("aegis", "aegis", paused, lambda: json.dumps(cluster.rollout("aegis", "aegis")["status"]))
    status = cluster.rollout("aegis", "aegis")["status"]
    assert status["stableRS"] == stable
    assert status["currentStepIndex"] == 1
    assert [each["reason"] for each in status["pauseConditions"]] == ["CanaryPauseStep"]
    pods = cluster.get_all("pods", "aegis", f"rollouts-pod-template-hash={status['currentPodHash']}")
    assert [pod["metadata"]["labels"]["role"] for pod in pods] == ["canary"]

    run(cluster, "rollback", "aegis", "1", "-n", "aegis", cwd=place)

    def is_back() -> bool:
        return phase() == "Healthy" and cluster.rollout("aegis", "aegis")["status"]["currentPodHash"] == stable

    cluster.await_rollout("aegis", "aegis", is_back, phase)


def test_an_api_server_with_the_operators_kinds_takes_everything(
    cluster: ControlPlane, place: Path, namespace: str
) -> None:
    external = module("github.com/external-secrets/external-secrets@v1.3.2") / "config/crds/bases"
    prometheus = (
        module("github.com/prometheus-operator/prometheus-operator@v0.85.0") / "example/prometheus-operator-crd"
    )
    cluster.add_kinds(
        external / "external-secrets.io_externalsecrets.yaml",
        prometheus / "monitoring.coreos.com_servicemonitors.yaml",
        prometheus / "monitoring.coreos.com_prometheusrules.yaml",
    )
    cluster.kubectl("label", "namespace", namespace, *RESTRICTED)
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(priority))
    values = written(place, laid(AWS, BACKUP, OPERATORS, EVERYTHING))
    run(cluster, "install", "aegis", "./helm", "-n", namespace, "-f", values, cwd=place)
    for kind, count in {"externalsecret": 4, "servicemonitor": 1, "prometheusrule": 1, "cronjob": 3, "job": 1}.items():
        found = cluster.get_all(kind, namespace)
        # without the jobs of a timer whose minute it just is
        assert len([each for each in found if "ownerReferences" not in each["metadata"]]) == count, kind

    def admitted() -> bool:
        """A pod of each, which the namespace lets in only if it is restricted; a timer's are made by hand."""
        components = {
            pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in cluster.get_all("pods", namespace)
        }
        return components == {"api", "migration", "backup", "restore"}

    for timer in ("aegis-backup", "aegis-restore-validation", "aegis-backup-check"):
        cluster.kubectl("create", "job", f"--from=cronjob/{timer}", f"now-{timer}", "-n", namespace)
    awaited(admitted, lambda: cluster.kubectl("get", "events", "-n", namespace))
    run(cluster, "uninstall", "aegis", "-n", namespace, cwd=place)


def test_a_pod_that_may_more_is_refused_in_that_namespace(cluster: ControlPlane, namespace: str) -> None:
    """What the namespace's label is worth, so that the pods above were admitted for a reason."""
    cluster.kubectl("label", "namespace", namespace, *RESTRICTED)
    asked = ("run", "root", "--image=busybox", "-n", namespace, "--dry-run=server")
    # the label is seen a moment after it was set
    awaited(
        lambda: "violates PodSecurity" in cluster.try_kubectl(*asked).stderr,
        lambda: cluster.try_kubectl(*asked).stdout,
    )
    assert cluster.try_kubectl(*asked).returncode != 0
