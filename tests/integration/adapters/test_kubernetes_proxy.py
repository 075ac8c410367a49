"""A Prometheus that only the cluster can reach, asked through its API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.adapters.kubernetes.proxy import ServiceProxy
from aegis.adapters.prometheus.server import server_of
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.policy import Prometheus
from aegis.core.ports.metrics import Metrics
from tests.doubles.kubernetes_api import Api, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig

INSIDE = "http://prometheus.monitoring.svc:9090/base"
CLOCK = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [7.5, "7.5"]}}).encode()


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api()) as api:
        api.services["monitoring", "http:prometheus:9090"] = lambda _: (200, CLOCK)
        yield api


def prometheus(api: Api, folder: Path, *, tenant: str | None = None) -> Metrics:
    environ = {"KUBECONFIG": str(kubeconfig(folder, api))}
    return server_of(Prometheus(url=INSIDE, via="api-server", tenant=tenant), environ=environ, mask=lambda _: None)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises((CouldNotDecide, UsageError)) as caught:
        call()
    assert "a-token" not in str(caught.value)
    return caught.value.code


def test_a_query_goes_to_the_service(api: Api, tmp_path: Path) -> None:
    paths: list[str] = []

    def service(path: str) -> tuple[int, bytes]:
        paths.append(path)
        return 200, CLOCK

    api.services["monitoring", "http:prometheus:9090"] = service
    assert prometheus(api, tmp_path).now() == 7.5
    assert paths == ["/base/api/v1/query?partial_response=false&query=time%28%29&timeout=15s"]
    assert api.asked[0].path.startswith("/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy/base/")


def test_samples_come_through(api: Api, tmp_path: Path) -> None:
    series = {"metric": {"__name__": "up", "pod": "a"}, "values": [[6.0, "1"], [7.0, "2"]]}
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}}).encode()
    api.services["monitoring", "http:prometheus:9090"] = lambda _: (200, body)
    [found] = prometheus(api, tmp_path).samples('up{a="b c"}', 60, 7.5)
    assert found.samples == ((6.0, 1.0), (7.0, 2.0))


def test_the_tenant_is_named(api: Api, tmp_path: Path) -> None:
    prometheus(api, tmp_path, tenant="shop").now()
    assert api.asked[0].headers["x-scope-orgid"] == "shop"


def test_without_the_right_it_is_told(api: Api, tmp_path: Path) -> None:
    api.users["a-token"] = frozenset({"get rollouts"})
    assert code_of(prometheus(api, tmp_path).now) == "canary.cluster_forbidden"


def test_a_token_that_is_not_known_is_told(api: Api, tmp_path: Path) -> None:
    api.users.clear()
    assert code_of(prometheus(api, tmp_path).now) == "canary.cluster_login"


def test_a_service_without_a_pod_is_told(api: Api, tmp_path: Path) -> None:
    api.services["monitoring", "http:prometheus:9090"] = None
    server = prometheus(api, tmp_path)
    with pytest.raises(CouldNotDecide, match="no endpoints available") as caught:
        server.now()
    assert caught.value.code == "canary.prometheus_unavailable"


def test_a_service_that_is_not_there_is_told(api: Api, tmp_path: Path) -> None:
    api.services.clear()
    server = prometheus(api, tmp_path)
    with pytest.raises(CouldNotDecide, match='services "prometheus" not found') as caught:
        server.now()
    assert caught.value.code == "canary.prometheus_unavailable"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, b"forbidden", "canary.prometheus_refused"),
        (500, b"", "canary.prometheus_unavailable"),
        (302, b"", "canary.prometheus_unavailable"),
        (200, b"<html>", "canary.answer_malformed"),
        (422, b'{"status": "error", "errorType": "execution", "error": "no"}', "canary.query_refused"),
    ],
    ids=["forbidden", "trouble", "redirect", "page", "query"],
)
def test_what_prometheus_itself_says_stays_its_own(
    api: Api, tmp_path: Path, status: int, body: bytes, code: str
) -> None:
    api.services["monitoring", "http:prometheus:9090"] = lambda _: (status, body)
    assert code_of(prometheus(api, tmp_path).now) == code


def test_no_cluster_is_told_before_the_first_look(tmp_path: Path) -> None:
    policy = Prometheus(url=INSIDE, via="api-server")
    environ = {"HOME": str(tmp_path)}
    assert code_of(lambda: server_of(policy, environ=environ, mask=lambda _: None)) == "canary.cluster_configuration"


@pytest.mark.parametrize(
    "url",
    [
        "https://prometheus.example.test",
        "http://127.0.0.1:9090",
        "http://prometheus.svc:9090",
        "http://a.b.svc.evil.test",
    ],
)
def test_an_address_that_is_no_service_is_told(api: Api, tmp_path: Path, url: str) -> None:
    cluster = cluster_at(kubeconfig(tmp_path, api))
    assert code_of(lambda: ServiceProxy(cluster, url)) == "canary.service_unclear"


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("http://prometheus.monitoring.svc", "http:prometheus:80"),
        ("https://prometheus.monitoring.svc.cluster.local", "https:prometheus:443"),
        ("https://prometheus.monitoring.svc:9091/x", "https:prometheus:9091"),
    ],
)
def test_a_service_is_named_as_paths_and_roles_name_it(api: Api, tmp_path: Path, url: str, service: str) -> None:
    proxy = ServiceProxy(cluster_at(kubeconfig(tmp_path, api)), url)
    assert (proxy.namespace, proxy.service) == ("monitoring", service)
