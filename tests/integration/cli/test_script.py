"""The runbook's script: the same answer as `aegis scan`, from any folder, with nothing of that folder imported."""

from __future__ import annotations

import venv
from pathlib import Path

from tests.integration.cli.command import aegis, script, verdict
from tests.support.scan.gitrepo import GitRepo

SCAN = "scan_cloud_sdk_usage.py"
TRAP = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\nraise SystemExit(0)\n"
NAMES = ("yaml", "msgspec", "aegis", "json", "sitecustomize", "usercustomize", "argparse", "rich")


def test_it_answers_like_the_command(repo: GitRepo) -> None:
    repo.commit({"a.py": "import boto3\n", "requirements.txt": "boto3\n"})
    for arguments in ([], ["--strict"], ["--strict", "--migration"]):
        one, other = script(SCAN, *arguments, cwd=repo.root), aegis("scan", *arguments, cwd=repo.root)
        assert (one.code, one.out, one.err) == (other.code, other.out, other.err)


def test_from_another_folder(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import boto3\n"})
    done = script(SCAN, "--strict", str(repo.root), "--output", "out", cwd=tmp_path)
    assert done.code == 1
    assert verdict(tmp_path / "out")["findings"][0]["rule"] == "scan.runtime"


def test_nothing_of_the_repository_is_imported(repo: GitRepo) -> None:
    repo.commit({"a.py": "import boto3\n", **{f"{name}.py": TRAP for name in NAMES}})
    done = script(SCAN, "--strict", cwd=repo.root)
    assert (done.code, done.err) == (1, "")
    assert [path.name for path in repo.root.glob("*.imported")] == []


def test_a_python_without_the_requirements_is_told_what_to_do(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import json\n"})
    venv.create(tmp_path / "bare", with_pip=False)
    done = script(SCAN, "--strict", cwd=repo.root, python=str(tmp_path / "bare" / "bin" / "python"))
    done.refused(3, "core.package_missing", "make venv")
