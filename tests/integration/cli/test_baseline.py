"""`--write-baseline`: where the policy names a file of the repository, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.command import aegis
from tests.support.scan.gitrepo import GitRepo

USES = {"a.py": "import boto3\n", "sub/b.py": "import boto3\nimport google.cloud.storage\n"}


def policy(baseline: str | None) -> str:
    return "version: 1\nscan:\n" + ("" if baseline is None else f"  baseline: {json.dumps(baseline)}\n")


def test_it_lets_through_what_is_there_and_nothing_more(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy(".aegis/base.json")})
    done = aegis("scan", "--write-baseline", cwd=repo.root)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{repo.root}/.aegis/base.json: 3 uses\n"
    repo.commit()
    assert aegis("scan", "--strict", cwd=repo.root).code == 0
    repo.commit({"z.py": "import boto3\n"})
    assert aegis("scan", "--strict", cwd=repo.root).code == 1


def test_a_second_one_may_be_smaller_and_says_the_same_again(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy("base.json")})
    aegis("scan", "--write-baseline", cwd=repo.root)
    repo.commit()
    first = (repo.root / "base.json").read_bytes()
    assert aegis("scan", "--write-baseline", cwd=repo.root).code == 0
    assert (repo.root / "base.json").read_bytes() == first
    repo.commit({"a.py": "import json\n"})
    assert "scan.baseline_stale" in aegis("scan", cwd=repo.root).out
    assert aegis("scan", "--write-baseline", cwd=repo.root).code == 0
    repo.commit()
    assert aegis("scan", "--strict", cwd=repo.root).code == 0


def test_a_broken_one_is_written_anew(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy("base.json"), "base.json": "{"})
    assert aegis("scan", cwd=repo.root).code == 2
    assert aegis("scan", "--write-baseline", cwd=repo.root).code == 0
    assert aegis("scan", "--strict", cwd=repo.root).code == 0


def test_without_the_key_it_says_which_one_is_missing(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy(None)})
    aegis("scan", "--write-baseline", cwd=repo.root).refused(2, "names no baseline", "`scan.baseline: PATH`")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "a/../../outside.json",
        "/tmp/outside.json",
        ".git/hooks/post-checkout",
        ".GIT/config",
        "sub/.git/config",
        "folder",
        "link.json",
        "linked/base.json",
        "a\nb.json",
        ".",
    ],
)
def test_a_policy_cannot_have_another_file_written(name: str, repo: GitRepo) -> None:
    outside = repo.root.parent / "outside"
    outside.mkdir()
    (repo.root / "link.json").symlink_to(outside / "target.json")
    (repo.root / "linked").symlink_to(outside)
    repo.commit({**USES, "folder/x": "x", "aegis.yml": policy(name)})
    config = (repo.root / ".git" / "config").read_bytes()
    aegis("scan", "--write-baseline", cwd=repo.root).refused(2, "scan.baseline_invalid", "inside the repository")
    assert list(outside.iterdir()) == []
    assert not (repo.root.parent / "outside.json").exists()
    assert not Path("/tmp/outside.json").exists()
    assert not (repo.root / ".git" / "hooks" / "post-checkout").exists()
    assert (repo.root / ".git" / "config").read_bytes() == config


def test_a_part_of_the_repository_would_lose_the_rest(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy("base.json")})
    aegis("scan", "sub", "--write-baseline", cwd=repo.root).refused(2, "core.wrong_usage", "the folder 'sub'")
    aegis("scan", "--write-baseline", "--base", "HEAD", cwd=repo.root).refused(2, "core.wrong_usage", "'HEAD'")
    assert not (repo.root / "base.json").exists()


def test_a_place_that_cannot_be_written_is_told(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy("a.py/base.json")})
    aegis("scan", "--write-baseline", cwd=repo.root).refused(3, "core.output_unwritable", "a.py/base.json")


def test_no_answer_writes_nothing(repo: GitRepo) -> None:
    repo.commit({**USES, "aegis.yml": policy("base.json")})
    done = aegis("scan", "--write-baseline", cwd=repo.root, AEGIS_SEMGREP_CORE="/nonexistent")
    done.refused(3, "scan.engine_missing")
    assert not (repo.root / "base.json").exists()
