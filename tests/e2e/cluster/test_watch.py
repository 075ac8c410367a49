"""`aegis canary watch` on a real cluster: what is worse is rolled back by itself, and what is good is promoted."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.command import environment
from tests.support.cluster.plane import PATIENCE, ControlPlane
from tests.support.cluster.rollbacks import rollback
from tests.support.cluster.shop import BAD, BETTER, GOOD, NAME, WATCHER, ClusterShop, cluster_shop
from tests.support.cluster.workload import SURE


@pytest.fixture
def shop(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[ClusterShop]:
    with cluster_shop(cluster, namespace, tmp_path) as made:
        yield made


@pytest.fixture
def watcher(cluster: ControlPlane, namespace: str) -> Path:
    """Of an account with the documented rights."""
    return cluster.kubeconfig_of(namespace, "watcher", WATCHER)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The verdict."""
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_degraded_version_is_rolled_back_by_itself(shop: ClusterShop, watcher: Path) -> None:
    shop.policy(estimated=True)  # as who writes a policy leaves it
    stable = shop.paused(BAD)["stableRS"]
    done = shop.watch(kubeconfig=watcher)
    verdict = told(done)
    assert (verdict["decision"], done.returncode) == ("abort", 1), done.stderr
    status = shop.status
    assert (status["abort"], status["phase"], status["stableRS"]) == (True, "Degraded", stable)
    shop.await_images(*[GOOD] * 5)
    assert f"{shop.namespace}/{NAME} was aborted: 5 pods take requests" in verdict["notices"][0]
    assert "git revert" in done.stdout


def test_a_good_version_is_promoted_to_the_end(shop: ClusterShop, watcher: Path) -> None:
    shop.policy(estimated=True, alpha=SURE)  # but for that, as who writes a policy leaves it
    canary = shop.paused(BETTER)["currentPodHash"]
    done = shop.watch(kubeconfig=watcher)
    assert (told(done)["decision"], done.returncode) == ("promote", 0), done.stderr
    status = shop.status
    assert (status["phase"], status["stableRS"]) == ("Healthy", canary)
    shop.await_images(*[BETTER] * 5)


def test_a_rollout_holds_when_its_watch_is_killed_and_the_next_watch_goes_on(shop: ClusterShop, watcher: Path) -> None:
    shop.policy(alpha=SURE)
    before = shop.paused(BETTER)
    words = [f"--path={shop.folder}", f"--state={shop.folder / 'state.json'}", "--format=json"]
    process = subprocess.Popen(
        shop.command("watch", *words, kubeconfig=watcher), cwd=shop.folder, env=environment(shop.folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline().startswith("continue: ")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = json.loads((shop.folder / "state.json").read_text())
    held = shop.status
    assert (held["phase"], held["currentStepIndex"], held["stableRS"]) == ("Paused", 1, before["stableRS"])
    done = shop.watch(kubeconfig=watcher)
    assert told(done)["decision"] == "promote", done.stderr
    assert json.loads((shop.folder / "state.json").read_text())["state"]["start"] == kept["state"]["start"]


def test_a_version_that_is_retried_after_its_abort_gets_no_second_chance(shop: ClusterShop, watcher: Path) -> None:
    shop.paused(BAD)
    assert told(shop.watch(kubeconfig=watcher))["decision"] == "abort"
    shop.cluster.kubectl(
        "patch", "rollout", NAME, "-n", shop.namespace, "--subresource=status", "--type=merge",
        "--patch", '{"status": {"abort": false}}',
    )  # fmt: skip
    shop.await_phase("Paused", "CanaryPauseStep")
    done = shop.watch(kubeconfig=watcher)
    assert (told(done)["decision"], done.returncode) == ("abort", 1)
    assert shop.status["phase"] == "Degraded"
    shop.await_images(*[GOOD] * 5)


def test_who_may_only_look_is_told_before_and_after(shop: ClusterShop) -> None:
    onlooker = shop.cluster.kubeconfig_of(shop.namespace, "onlooker", WATCHER[:1])
    shop.paused(BAD)
    ready = subprocess.run(
        shop.command("preflight", "--format=json", kubeconfig=onlooker),
        cwd=shop.folder, env=environment(shop.folder), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (ready.returncode, json.loads(ready.stdout)[1]["code"]) == (3, "canary.cluster_forbidden"), ready.stderr
    done = shop.watch(kubeconfig=onlooker)
    assert (told(done)["decision"], done.returncode) == ("abort", 1), done.stderr
    assert "canary.cluster_forbidden" in done.stdout
    assert (shop.status["phase"], shop.status.get("abort")) == ("Paused", None)


def test_a_private_prometheus_is_asked_through_the_api_server(shop: ClusterShop) -> None:
    labels, containers = {"app": "prometheus"}, [{"name": "prometheus", "image": "example.test/prometheus"}]
    shop.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "prometheus"},
            "spec": {"selector": labels, "ports": [{"name": "web", "port": 9090}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "prometheus-0", "labels": labels},
            "spec": {"containers": containers},
        },
        namespace=shop.namespace,
    )
    shop.cluster.await_condition(f"/api/v1/namespaces/{shop.namespace}/pods", "Ready")
    address = f"{shop.cluster.get('pod', 'prometheus-0', shop.namespace)['status']['podIP']}:9090"
    shop.cluster.network.lead(address, shop.prometheus.port)
    proxy = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]}
    inside = [*WATCHER, {**proxy, "resourceNames": ["http:prometheus:9090"]}]
    watcher = shop.cluster.kubeconfig_of(shop.namespace, "watcher", inside)
    shop.policy(url=f"http://prometheus.{shop.namespace}.svc:9090", via="api-server")
    shop.paused(BAD)
    done = shop.watch(kubeconfig=watcher)
    assert (told(done)["decision"], done.returncode) == ("abort", 1), done.stderr
    assert address in shop.cluster.network.asked
    shop.await_images(*[GOOD] * 5)


def test_rollbacks_one_after_another_end_alike(shop: ClusterShop) -> None:
    """How fast they are is for `benchmarks/canary_cluster.py` to say, on a machine with no other work."""
    done = [rollback(shop, f"number-{number}") for number in range(2)]
    print(*done, sep="\n")
    shop.await_images(*[GOOD] * 5)
