"""A cluster of a test with one rollout in it, and a kubeconfig for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from aegis.adapters.http.call import Clock
from aegis.adapters.kubernetes.api import Cluster
from aegis.adapters.kubernetes.login import configuration
from tests.doubles.kubernetes_api import Api

AT_ONCE = Clock(sleep=lambda _: None, jitter=lambda: 0.5)
"""Nobody waits between tries."""


def kubeconfig(
    folder: Path,
    api: Api,
    *,
    user: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    name: str = "kubeconfig",
) -> Path:
    """A file for it. `user`: who asks; by default a known token."""
    file = folder / name
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "there", "user": "somebody"}}],
        "clusters": [{"name": "there", "cluster": {"server": api.url, **(cluster or {})}}],
        "users": [{"name": "somebody", "user": dict({"token": "a-token"} if user is None else user)}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def cluster_at(file: Path, *, timeout: float = 60.0, clock: Clock = AT_ONCE) -> Cluster:
    """The cluster of a kubeconfig."""
    return Cluster(lambda: configuration({}, kubeconfig=file), clock=clock, timeout=timeout)
