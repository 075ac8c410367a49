from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.acceptance.repository import Criteria, aegis
from tests.support.scan.gitrepo import HERMETIC

ROOT = Path(__file__).resolve().parents[3]
Acceptance = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def criteria(tmp_path: Path) -> Criteria:
    """A repository whose criteria a test writes."""
    return Criteria(tmp_path / "repository")


def environment() -> dict[str, str]:
    """What the command is started with."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, **HERMETIC, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def environ() -> dict[str, str]:
    """The same."""
    return environment()


@pytest.fixture
def acceptance(criteria: Criteria, tmp_path: Path, environ: dict[str, str]) -> Acceptance:
    """Runs the command on the repository; the evidence is in `tmp_path / "evidence"`."""

    def run(*words: str, where: Path | None = None, **changes: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            aegis(*words), cwd=where or criteria.root, env={**environ, **changes.pop("env", {})},
            capture_output=True, text=True, timeout=300, check=False, **changes,
        )  # fmt: skip

    return run
