"""The cluster of these tests is what it says: a real one whose server proves who it is."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from aegis.adapters.kubernetes.api import cluster_of
from aegis.adapters.kubernetes.rights import missing_rights, of_proxy, of_rollout
from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from tests.support.cluster.plane import PATIENCE, ControlPlane, awaited
from tests.support.cluster.shop import NAME, WATCHER, rollout


def test_all_tests_of_it_are_in_one_process(cluster: ControlPlane, request: pytest.FixtureRequest) -> None:
    assert [each.args for each in request.node.iter_markers("xdist_group")] == [("cluster",)]
    assert request.node.nodeid.endswith("@cluster") or not request.config.getoption("loadgroup", default=False)


def test_its_server_is_known_by_its_authority_and_by_no_other(cluster: ControlPlane) -> None:
    (entry,) = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"]
    assert set(entry["cluster"]) == {"server", "certificate-authority"}
    handler = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.build_opener(urllib.request.ProxyHandler({}), handler).open(cluster.url, timeout=PATIENCE)


def test_a_rollout_becomes_healthy_and_its_pods_are_ready(cluster: ControlPlane, namespace: str) -> None:
    cluster.apply(rollout(), namespace=namespace)
    rollouts = KubernetesRollouts(cluster_of({}, kubeconfig=cluster.kubeconfig))
    awaited(lambda: rollouts.get(namespace, NAME).phase == "Healthy", lambda: str(rollouts.get(namespace, NAME)))
    seen = rollouts.get(namespace, NAME)
    assert (seen.available, seen.canary_pods, seen.rolling_out, seen.observed) == (5, 5, False, True)
    addresses = {each["status"]["podIP"] for each in cluster.get_all("pods", namespace)}
    assert len(addresses) == 5


def test_rights_are_those_that_a_role_gives(cluster: ControlPlane, namespace: str) -> None:
    of_acting, of_looking = of_rollout(namespace, NAME, acting=True), of_rollout(namespace, NAME, acting=False)
    prometheus = of_proxy(namespace, "http:prometheus:9090")

    def lacks(kubeconfig: Path) -> tuple[object, ...]:
        return missing_rights(cluster_of({}, kubeconfig=kubeconfig), (*of_acting, *prometheus))

    assert lacks(cluster.kubeconfig) == ()
    watcher = cluster.kubeconfig_of(namespace, "watcher", WATCHER)
    awaited(lambda: lacks(watcher) == prometheus, lambda: str(lacks(watcher)))  # the server reads roles a moment later
    onlooker = cluster.kubeconfig_of(namespace, "onlooker", WATCHER[:1])
    of_nobody = (*(right for right in of_acting if right not in of_looking), *prometheus)
    awaited(lambda: lacks(onlooker) == of_nobody, lambda: str(lacks(onlooker)))
