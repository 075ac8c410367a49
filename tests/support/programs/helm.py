"""helm, built from its pinned module, on the chart of this repository."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.infra.chart_values import CHART, Values
from tests.support.programs import gomod

VERSION: Final = "3.22.0"
ROOT: Final = CHART.parent
Document = dict[str, Any]


@cache
def program() -> Path:
    """The binary."""
    return gomod.program(ROOT / "tests/e2e/tools/helm", VERSION, seconds=1200)


def helm(*arguments: str | Path, kubeconfig: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command as it ends, in the repository's root, with no settings of this machine."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(kubeconfig or "/nonexistent")}
        command = [str(program()), *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=900, check=False)


def template(values: Values, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values over the chart's own."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file)
        file.flush()
        return helm("template", "aegis", CHART, "--namespace", "aegis", "--values", file.name, *arguments)


def rendered(values: Values, *arguments: str) -> list[Document]:
    """The objects of a chart that renders."""
    done = template(values, *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def chart_digest(chart: Path = CHART) -> str:
    """Of the chart as it would be packed: names and bytes of its files, without the values of deployments."""
    found = hashlib.sha256()
    for file in sorted(path for path in chart.rglob("*") if path.is_file() and not path.match("values.*.yaml")):
        content = file.read_bytes()
        found.update(f"{file.relative_to(chart).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()
