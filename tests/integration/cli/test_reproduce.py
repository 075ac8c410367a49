"""The last line of every report is a command that gives the same answer."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.command import AEGIS, aegis, environment, verdict
from tests.support.scan.gitrepo import GitRepo


def reproduced(command: str, cwd: Path, tools: Path) -> int:
    """Run the command as a person would, in a shell."""
    tools.mkdir()
    shim = tools / "aegis"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(AEGIS)} "$@"\n')
    shim.chmod(0o755)
    own = environment(cwd)
    own["PATH"] = f"{tools}:{own['PATH']}"
    return subprocess.run(["sh", "-c", command], cwd=cwd, env=own, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    "folder",
    ["plain", "two words", "quote'd", 'double"d', "$(touch pwned)", "a;touch pwned", "-strict", "--", "caf\u00e9", "*"],
)
def test_an_odd_path_is_quoted(folder: str, repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({f"{folder}/a.py": "import boto3\n", "b.py": "import json\n"})
    done = aegis("scan", "--strict", "--output", tmp_path / "out", "--", folder, cwd=repo.root)
    assert done.code == 1
    command = verdict(tmp_path / "out")["reproduce"]
    assert done.out.endswith(f"reproduce: {command}\n")
    assert reproduced(command, repo.root, tmp_path / "tools") == 1
    assert not (repo.root / "pwned").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan",),
        ("scan", "--strict"),
        ("scan", "--strict", "--base", "HEAD~1"),
        ("scan", "--second-opinion"),
        ("scan", "--policy", "ci/strict.yml"),
        ("all",),
        ("all", "--policy", "ci/nothing.yml"),
    ],
    ids=" ".join,
)
def test_every_option_that_matters_is_in_it(arguments: tuple[str, ...], repo: GitRepo, tmp_path: Path) -> None:
    repo.commit(
        {
            "aegis.yml": "version: 1\nscan: {strict: false}\n",
            "ci/strict.yml": "version: 1\nscan: {strict: true}\n",
            "ci/nothing.yml": "version: 1\n",
            "requirements.txt": "boto3\n",
        }
    )
    repo.commit({"a.txt": "x\n"})
    first = aegis(*arguments, "--output", tmp_path / "out", cwd=repo.root)
    found = verdict(tmp_path / "out")
    command = found["reproduce"]
    assert "HEAD" not in command  # a name that means something else tomorrow
    assert reproduced(f"{command} --output {tmp_path / 'again'}", repo.root, tmp_path / "tools") == first.code
    again = verdict(tmp_path / "again")
    same = ("result", "reason", "decision", "findings", "policy", "reproduce")
    assert [again[key] for key in same] == [found[key] for key in same]


def test_a_base_that_is_not_there_is_in_it(repo: GitRepo, tmp_path: Path) -> None:
    """Without it the command would look at the whole repository, and say yes."""
    repo.commit({"a.txt": "x\n"})
    done = aegis("scan", "--base", "no such", "--output", tmp_path / "out", cwd=repo.root)
    assert done.code == 3
    command = verdict(tmp_path / "out")["reproduce"]
    assert command == "aegis scan . '--base=no such'"
    assert reproduced(command, repo.root, tmp_path / "tools") == 3


def test_on_github_it_checks_the_commit_out_first(repo: GitRepo, tmp_path: Path) -> None:
    sha = repo.commit({"aegis.yml": "version: 1\nscan:\n", "service/a.py": "import boto3\n"})
    done = aegis(
        "scan",
        "--github",
        cwd=tmp_path,
        GITHUB_WORKSPACE=str(repo.root),
        GITHUB_SHA=sha,
        AEGIS_INPUT_PATH="service",
        AEGIS_INPUT_OUTPUT="out",
        AEGIS_INPUT_UPLOAD="never",
    )
    assert done.code == 1
    command = verdict(repo.root / "out")["reproduce"]
    assert command == f"git checkout {sha} && aegis scan service --strict"
    assert reproduced(command, repo.root, tmp_path / "tools") == 1
