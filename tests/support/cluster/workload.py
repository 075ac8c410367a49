"""A service in the pods of a cluster: what its pods count, and a Prometheus that finds and scrapes them there.

The numbers are those of our API service, by its own counters. An image's tag says how a version fares: with `bad-8x`
at its end it fails eight times as often, any other as it should.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegis_multimodal_ai_system.metrics import Metrics
from tests.support.canary.prometheus import RealPrometheus
from tests.support.cluster.plane import ControlPlane, Document
from tests.support.network.ports import free_port

RATE: Final = 200.0
"""Requests a second that each pod answers."""
FAILING: Final = 0.01
"""Of a version that is as it should be."""
SURE: Final = 1e-6
"""`alpha` of a policy by which no good version is aborted by chance: the counts are as random as a service's."""
METHOD, ROUTE, OK, FAILED = "POST", "/v1/models/{name}", 200, 500
SCRAPE_CONFIG: Final[dict[str, Any]] = {
    "job_name": "pods",
    "relabel_configs": [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {
            "source_labels": ["__meta_kubernetes_pod_label_rollouts_pod_template_hash"],
            "target_label": "rollouts_pod_template_hash",
        },
    ],
}


class _Pod:
    """Counts as time goes on, whenever it is looked at."""

    def __init__(self, image: str, seed: int) -> None:
        worse = re.search(r"bad-([0-9.]+)x(@|$)", image)
        self._failing = FAILING * float(worse[1]) if worse else FAILING
        self._chance = np.random.default_rng(seed)
        self._counted, self._until = Metrics(()), time.monotonic()
        self._counted.answered(METHOD, ROUTE, OK, 0.05)
        self._counted.answered(METHOD, ROUTE, FAILED, 0.05)
        self._lock = threading.Lock()

    def text(self) -> bytes:
        """In Prometheus's format."""
        with self._lock:
            now = time.monotonic()
            requests = int(self._chance.poisson(RATE * (now - self._until)))
            failed = int(self._chance.binomial(requests, self._failing))
            self._until = now
            for number, seconds in enumerate(self._chance.lognormal(np.log(0.08), 0.7, requests)):
                self._counted.answered(METHOD, ROUTE, FAILED if number < failed else OK, float(seconds))
            return self._counted.render()


@dataclass
class Workload:
    """The pods of one namespace that a label selects, at one port."""

    cluster: ControlPlane
    namespace: str
    selector: str
    port: int = 8080
    url: str = ""
    pods: dict[str, tuple[str, _Pod]] = field(default_factory=dict)
    """By address, which another pod may have later: its UID, and what it counts."""

    _started: int = 0

    def targets(self) -> list[Document]:
        """As Prometheus's own discovery tells of pods
        (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod), by http_sd."""
        found = self.cluster.read(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={self.selector}")["items"]
        running = [each for each in found if each["status"].get("podIP")]
        for each in running:
            address = f"{each['status']['podIP']}:{self.port}"
            uid = each["metadata"]["uid"]
            if self.pods.get(address, ("",))[0] != uid:
                self._started += 1
                self.pods[address] = (uid, _Pod(each["spec"]["containers"][0]["image"], self._started))
                self.cluster.network.lead(address, int(self.url.rpartition(":")[2]))
        return [target for each in running for target in _targets(each)]


@contextmanager
def workload(cluster: ControlPlane, namespace: str, selector: str, port: int = 8080) -> Iterator[Workload]:
    """The pods' process, while the block runs: each pod's address leads to it."""
    made = Workload(cluster, namespace, selector, port)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "")
            if self.path == "/targets":
                self._say(json.dumps(made.targets()).encode(), "application/json")
            elif self.path == "/metrics" and host in made.pods:
                self._say(made.pods[host][1].text(), "text/plain; version=0.0.4")
            else:
                self.send_error(404)

        def _say(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # whoever asked may have ended
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
            for address in made.pods:
                cluster.network.close(address)


@dataclass
class ClusterPrometheus(RealPrometheus):
    """One that scrapes pods; its build has no discovery of Kubernetes, so that is bridged by http_sd."""

    found: Workload | None = None
    config: Mapping[str, Any] = field(default_factory=lambda: SCRAPE_CONFIG)
    """Of one job, without its discovery."""

    def scrape_configs(self) -> list[dict[str, Any]]:
        assert self.found is not None
        discovery = {"http_sd_configs": [{"url": f"{self.found.url}/targets", "refresh_interval": "1s"}]}
        every = {"scrape_interval": f"{self.scrape_milliseconds}ms", "scrape_timeout": f"{self.scrape_milliseconds}ms"}
        return [{**self.config, **every, **discovery, "proxy_url": self.found.cluster.network.url}]


@contextmanager
def cluster_prometheus(
    folder: Path, found: Workload, config: Mapping[str, Any] = SCRAPE_CONFIG
) -> Iterator[ClusterPrometheus]:
    """A server until the block ends."""
    server = ClusterPrometheus(folder, free_port(), scrape_milliseconds=500, found=found, config=config)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _targets(pod: Document) -> list[Document]:
    """One for each port of its container."""
    metadata, container = pod["metadata"], pod["spec"]["containers"][0]
    owner = (metadata.get("ownerReferences") or [{}])[0]
    ready = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}.get("Ready", "Unknown")
    labels = {
        "namespace": metadata["namespace"],
        "pod_name": metadata["name"],
        "pod_uid": metadata["uid"],
        "pod_ip": pod["status"]["podIP"],
        "pod_phase": pod["status"]["phase"],
        "pod_ready": ready.lower(),
        "pod_node_name": pod["spec"].get("nodeName", ""),
        "pod_controller_kind": owner.get("kind", ""),
        "pod_controller_name": owner.get("name", ""),
        "pod_container_name": container["name"],
        "pod_container_image": container["image"],
        "pod_container_init": "false",
    }
    for kind in ("label", "annotation"):
        for name, value in (metadata.get(f"{kind}s") or {}).items():
            safe = re.sub(r"[^a-zA-Z0-9_]", "_", name)
            labels |= {f"pod_{kind}_{safe}": value, f"pod_{kind}present_{safe}": "true"}
    found = []
    for port in container.get("ports", ()):
        number = str(port["containerPort"])
        of_port = {
            "pod_container_port_name": port.get("name", ""),
            "pod_container_port_number": number,
            "pod_container_port_protocol": port.get("protocol", "TCP"),
        }
        told = {f"__meta_kubernetes_{name}": value for name, value in (labels | of_port).items()}
        found.append({"targets": [f"{pod['status']['podIP']}:{number}"], "labels": told})
    return found
