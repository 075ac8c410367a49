"""Go modules of a pinned hash (go.sum's h1), by the `go` of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs.kept import kept

_PINNED: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def module(spec: str) -> Path:
    """The unpacked folder of a module, as `path@version`, in Go's own cache."""
    with tempfile.TemporaryDirectory() as elsewhere:
        # Outside any module, so that no go.mod decides what is fetched.
        ran = subprocess.run(
            ["go", "mod", "download", "-json", spec],
            cwd=elsewhere, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
    assert ran.returncode == 0, f"go mod download {spec}: {ran.stdout}{ran.stderr}"
    answer = json.loads(ran.stdout)
    assert answer["Sum"] == _PINNED[spec], f"{spec} has the hash {answer['Sum']}, expected {_PINNED[spec]}"
    return Path(answer["Dir"])


def tool(folder: Path) -> Path:
    """The program built from a folder with a go.mod that needs nothing but the standard library."""
    told = subprocess.run(["go", "version"], capture_output=True, text=True, check=True, timeout=300).stdout
    version = told.split()[2]
    stamp = max(int(file.stat().st_mtime_ns) for file in folder.iterdir())
    return kept(f"go/{folder.name}-{version}-{stamp}", lambda scratch: _built(folder, scratch / "program"))


def program(folder: Path, version: str, *, seconds: int = 1800, files_of: Sequence[str] = ()) -> Path:
    """The program of other people that a folder pins by go.mod and go.sum, built by the folder's own `build`.

    A `build` may make a folder of programs. `seconds`: for all of it, on a machine with other work. `files_of`: modules
    whose other files it copies; `go list` names the folder of one only where it has been fetched.
    """

    def built(scratch: Path) -> Path:
        target = scratch / folder.name
        environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
        if files_of:
            subprocess.run(
                ["go", "mod", "download", *files_of], cwd=folder, env=environment, check=True, timeout=seconds
            )
        subprocess.run(["./build", str(target)], cwd=folder, env=environment, check=True, timeout=seconds)
        return target

    return kept(f"go/{folder.name}-{version}", built)


def _built(folder: Path, program: Path) -> Path:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=folder, env=environment, check=True, timeout=1800)
    return program
