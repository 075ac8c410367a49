"""The scenes of pages whose commands need more than a package index of Python: a fixture `scene_NAME` each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import cluster_programs
from tests.support.cluster.plane import ControlPlane
from tests.support.pages.page_reader import Reader
from tests.support.pages.pages import ROOT
from tests.support.pages.published import published
from tests.support.programs.kubeconform import crd_files


@pytest.fixture
def scene_quickstart(tmp_path: Path) -> Reader:
    """A newcomer: an empty folder, and an empty home folder."""
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    # what pip fetched before is not fetched again; and a mirror that this machine has is used here too
    kept = {name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ}
    cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    return Reader(folder, home, {**published(tmp_path), **kept, "PIP_CACHE_DIR": cache})


@pytest.fixture
def scene_cluster(cluster: ControlPlane, tmp_path: Path) -> Iterator[Reader]:
    """A checkout beside a cluster whose operators' kinds are there, and in which there is no namespace `aegis` yet."""
    cluster.add_kinds(
        *crd_files("external-secrets.io", ["ExternalSecret", "SecretStore"]),
        *crd_files("monitoring.coreos.com", ["PodMonitor", "PrometheusRule", "ServiceMonitor"]),
    )
    cluster.await_ended("aegis")
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    (folder / "k8s").symlink_to(ROOT / "k8s")
    for name in ("password", "cosign.pub", "ca.pem"):
        (folder / name).write_text("of this test\n")
    programs = (cluster_programs.kubectl().parent, Path(sys.executable).parent)
    environ = {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "KUBECONFIG": str(cluster.kubeconfig),
    }
    try:
        yield Reader(folder, home, environ)
    finally:
        cluster.kubectl("delete", "namespace", "aegis", "--ignore-not-found", "--wait=false")
