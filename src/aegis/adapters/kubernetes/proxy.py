"""A service inside the cluster, asked through the API server: for a Prometheus that cannot be reached from outside.

https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls.
The cluster's credentials end at the API server; none of ours reaches the service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aegis.adapters.http.call import RETRIED, Answer
from aegis.adapters.kubernetes.api import Cluster
from aegis.adapters.kubernetes.faults import fault_of
from aegis.core.errors import UsageError

_HOST: Final = re.compile(r"([a-z0-9-]{1,63})\.([a-z0-9-]{1,63})\.svc(?:\.cluster\.local)?")


class ServiceProxy:
    """One service of a cluster."""

    def __init__(self, cluster: Cluster, url: str) -> None:
        """`url` is the one inside the cluster, e.g. `http://prometheus.monitoring.svc:9090`.

        Raises UsageError `canary.service_unclear` for another one.
        """
        parts = urlsplit(url)
        found = _HOST.fullmatch(parts.hostname or "")
        if found is None or parts.scheme not in {"http", "https"}:
            raise UsageError(
                "canary.service_unclear",
                f"canary.prometheus.url is {url!r}, and it is to be asked through the API server",
                expected="http://SERVICE.NAMESPACE.svc:PORT, as its clients inside the cluster write it",
                remedy="Name the service; kubectl get services --all-namespaces lists them.",
            )
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        self._cluster, self.namespace = cluster, found[2]
        self.service = f"{parts.scheme}:{found[1]}:{port}"
        """As paths and Roles name it."""

    def send(self, path: str, headers: Mapping[str, str], limit: int) -> tuple[str, Answer | None]:
        """GET of a path with its query; the service's own answer, or why there was none.

        Of the body `limit` bytes are read. Raises CouldNotDecide where the API server itself says no.
        """
        whole = f"/api/v1/namespaces/{self.namespace}/services/{self.service}/proxy{path}"
        problem, answer = self._cluster.try_once("GET", whole, headers=headers, limit=limit)
        # the API server speaks in documents of this kind, a Prometheus never does
        if answer is not None and answer.status != 200 and answer.json().get("kind") == "Status":
            if answer.status in RETRIED or answer.status == 404:
                return f"the API server says: {answer.said}", None
            raise fault_of(
                self._cluster.address, answer, f"for the service {self.service} in the namespace {self.namespace}"
            )
        return problem, answer
