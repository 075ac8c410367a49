"""checkov, in an environment of its own, offline."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from aegis.startup import surroundings
from aegis.startup.environment import environment, python_of

ROOT = Path(__file__).resolve().parents[3]


def failed(folder: Path, variables: str) -> set[tuple[str, str]]:
    """What checkov finds in the Terraform files below a folder, each as check and resource.

    `variables` is the text of a tfvars file. Raises AssertionError where checkov could
    not read a file, or looked at nothing.
    """
    for overlay in (folder / "overlays").iterdir():
        (overlay / "terraform.tfvars").write_text(variables, encoding="utf-8")
    return _failed(folder, "terraform")


def failed_in_manifests(folder: Path) -> set[tuple[str, str]]:
    """What it finds in the objects of Kubernetes below a folder; as `failed`."""
    return _failed(folder, "kubernetes")


def _failed(folder: Path, framework: str) -> set[tuple[str, str]]:
    place = environment("checkov", ROOT, surroundings.cache_folder(os.environ))
    words = ["--framework", framework, "--skip-download", "--output", "json", "--compact", "--quiet"]
    ran = subprocess.run(
        [python_of(place), place / "bin" / "checkov", "--directory", str(folder), *words],
        env={**os.environ, "LOG_LEVEL": "ERROR"}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    report = json.loads(ran.stdout)
    assert report["summary"]["parsing_errors"] == 0, ran.stdout
    assert report["summary"]["passed"] > 50, report["summary"]
    return {(found["check_id"], found["resource"]) for found in report["results"]["failed_checks"]}
