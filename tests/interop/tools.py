"""The services, built once from the modules that `tools/` pins; what was built is looked at before it is used."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.programs.gomod import program

_FOLDER = Path(__file__).parent / "tools"
_MODULES = {
    "fulcio": ("github.com/sigstore/fulcio", "1.8.8"),
    "rekor": ("github.com/sigstore/rekor-tiles/v2", "2.3.0"),
    "timestamp-authority": ("github.com/sigstore/timestamp-authority/v2", "2.1.2"),
}


def service(name: str) -> Path:
    """The program of a service, of exactly the version that is pinned."""
    path, version = _MODULES[name]
    built = program(_FOLDER / name, version)
    told = _go("version", "-m", str(built), folder=_FOLDER / name)
    modules = [line.split()[1:3] for line in told.splitlines() if line.startswith("\tmod\t")]
    assert modules == [[path, f"v{version}"]], told
    return built


def source(name: str) -> Path:
    """The unpacked module of a service, in Go's own cache: go.sum says what is in it."""
    path, version = _MODULES[name]
    folder = _go("list", "-m", "-f", "{{.Dir}}", path, folder=_FOLDER / name).strip()
    assert folder.endswith(f"@v{version}"), folder
    return Path(folder)


def _go(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    ran = subprocess.run(
        ["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return ran.stdout
