"""`aegis init` in an empty repository, then its workflows run: green as they are, red when a fault is planted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.actions.conftest import DIRTY
from tests.support.actions import events
from tests.support.actions.act import ROOT, Act, commit, git
from tests.support.programs.gomod import program

ACTIONLINT = "1.7.12"
ARTIFACTS = (
    "--artifact", "ranking=s3://models/ranking/", "--artifact", "words=oci://ns/models/words.json",
    "--oci-domain", "https://idcs-1.identity.oraclecloud.com", "--oci-region", "eu-frankfurt-1",
)  # fmt: skip
OTHERS = (
    "--backup-store", "s3://backups/postgresql/", "--database", "shop",
    "--prometheus", "https://prometheus.example.org", "--rollout", "shop/web", "--terraform",
)  # fmt: skip
EVERY = ("--gates", "scan,verify,canary,backup-check", *ARTIFACTS, *OTHERS)


def init(repository: Path, *arguments: str) -> str:
    """As the README says for a machine without an installed Aegis: by the start-up, with the locked packages."""
    start = str(ROOT / "src" / "aegis" / "startup" / "main.py")
    done = subprocess.run(
        [sys.executable, "-I", start, "tool", "scaffold", "init", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def empty(folder: Path) -> Path:
    """A repository in which nothing but a service is."""
    commit(folder, {"src/shop/service.py": '"""Scores."""\n\nimport json\n\nprint(json.dumps({}))\n'})
    return folder


@pytest.fixture
def act(tmp_path: Path, exported: Path, uv_folder: Path) -> Act:
    """A bare runner."""
    work = tmp_path / "runner"
    work.mkdir()
    return Act(exported, work, (uv_folder,))


@pytest.mark.parametrize("form", ["each", "one"])
def test_the_generated_workflow_is_green_and_red_with_a_fault(form: str, tmp_path: Path, act: Act) -> None:
    repository = empty(tmp_path / "shop")
    init(repository, "--gates", "scan", "--workflows", form, "--owner", "@octo/platform")
    commit(repository, {}, "Set up by aegis init")
    event = events.pull_request(repository, {"README.md": "A shop.\n"})
    well = act.run(repository, event.name, event.payload)
    assert well.green, well.log[-4000:]
    git(repository, "checkout", "-q", "main")
    git(repository, "branch", "-q", "-D", "change")
    event = events.pull_request(repository, DIRTY)
    broken = act.run(repository, event.name, event.payload)
    assert not broken.green
    assert [(note.file, note.title.partition(":")[0]) for note in broken.errors()] == [
        ("src/shop/service.py", "scan.runtime")
    ]


CONFIGURATIONS = {
    "scan": ("--gates", "scan"),
    "one": ("--gates", "scan,verify", "--workflows", "one", *ARTIFACTS[:2]),
    "kept": ("--gates", "scan,verify", "--workflows", "one", *ARTIFACTS[:2], "--evidence", "s3://octo/evidence/"),
    "keyed": ("--gates", "verify", "--key", "env:COSIGN_PUB_KEY", *ARTIFACTS),
    "every": EVERY,
    "odd names": (*EVERY, "--branch", "1.0", "--environment", "on", "--ref", "e" * 40, "--ref-version", "v1.2.3"),
}


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_every_generated_workflow_passes_actionlint(name: str, tmp_path: Path) -> None:
    repository = empty(tmp_path / "shop")
    init(repository, *CONFIGURATIONS[name])
    lint = program(ROOT / "tests" / "e2e" / "tools" / "actionlint", ACTIONLINT)
    workflows = sorted((repository / ".github" / "workflows").iterdir())
    command: list[str | Path] = [lint, "-shellcheck=", "-pyflakes=", "-no-color", "-oneline", *workflows]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")
