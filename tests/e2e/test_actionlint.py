"""actionlint on every workflow of this repository and of what a consumer gets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.programs.gomod import program

ROOT = Path(__file__).parents[2]
VERSION = "1.7.12"
WORKFLOWS = sorted([*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("examples/consumer/.github/workflows/*.yml")])


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return program(ROOT / "tests" / "e2e" / "tools" / "actionlint", VERSION)


SELF = r'specifying action "\$/[a-z/-]*" in invalid format'
"""GitHub's self-repository form of `uses`, which this version does not know
(https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/)."""


def run(actionlint: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # Without shellcheck and pyflakes from PATH: which of them a machine has must not decide.
    quiet = ("-shellcheck=", "-pyflakes=", "-no-color", "-oneline", "-ignore", SELF)
    return subprocess.run([actionlint, *quiet, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_the_version_is_the_pinned_one(actionlint: Path) -> None:
    assert f"v{VERSION}" in run(actionlint, "-version").stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_workflow_is_clean(actionlint: Path, workflow: Path) -> None:
    done = run(actionlint, workflow)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_wrong_workflow_is_found(actionlint: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{use: x}]}}\n")
    assert run(actionlint, tmp_path / "bad.yml").returncode == 1
