"""What may be released, and what the workflow that does it holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release import IMAGES, ReleaseError, check, digests, tell
from tests.support.gitrepo import GitRepo

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def git(root: Path, *words: str) -> None:
    GitRepo(root).git(*words)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A commit of main, with version 1.4.0 and its section, tagged."""
    (tmp_path / "src" / "aegis").mkdir(parents=True)
    (tmp_path / "src" / "aegis" / "__init__.py").write_text('"""Aegis."""\n\n__version__ = "1.4.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.4.0] - 2026-11-26\n")
    GitRepo.init(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(tmp_path, "tag", "v1.4.0")
    git(tmp_path, "tag", "v1")
    return tmp_path


def test_a_version_of_main_is_released(checkout: Path) -> None:
    for name in ("v1.3.9", "v0.99.0", "v2.0.0", "v10.0.0", "vacation"):  # of other majors, older, or no version at all
        git(checkout, "tag", name)
    assert check("v1.4.0", checkout) == "1.4.0"


@pytest.mark.parametrize("tag", ["1.4.0", "v1.4", "v1.4.0-rc1", "v01.4.0", "v1.4.0\n", "", "v1", "v1.4.0;id"])
def test_what_is_no_version_is_refused(checkout: Path, tag: str) -> None:
    with pytest.raises(ReleaseError, match=r"expected v1\.2\.3"):
        check(tag, checkout)


def test_another_version_than_the_code_says_is_refused(checkout: Path) -> None:
    with pytest.raises(ReleaseError, match=r"the tag is v1\.4\.1, and the version of src/aegis/__init__\.py 1\.4\.0"):
        check("v1.4.1", checkout)


def test_a_version_without_its_changes_is_refused(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n## [1.4.01]\n")
    with pytest.raises(ReleaseError, match=r"no section \[1\.4\.0\]"):
        check("v1.4.0", checkout)


def test_a_commit_that_was_not_reviewed_is_refused(checkout: Path) -> None:
    git(checkout, "commit", "-q", "--allow-empty", "-m", "on no branch")
    with pytest.raises(ReleaseError, match="not on main"):
        check("v1.4.0", checkout)


def test_a_checkout_that_has_no_main_is_refused(checkout: Path) -> None:
    git(checkout, "update-ref", "-d", "refs/remotes/origin/main")
    with pytest.raises(ReleaseError, match="not on main"):
        check("v1.4.0", checkout)


@pytest.mark.parametrize("newer", ["v1.4.1", "v1.10.0"])
def test_the_moving_tag_never_goes_back(checkout: Path, newer: str) -> None:
    git(checkout, "tag", newer)
    with pytest.raises(ReleaseError, match=f"older than {re.escape(newer)}"):
        check("v1.4.0", checkout)


def digest_of(name: str) -> str:
    return "sha256:" + f"{IMAGES.index(name):064x}"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    for name in IMAGES:
        (tmp_path / f"{name}.digest").write_text(f"{digest_of(name)}\n")
    return tmp_path


def test_the_digests_are_told_with_the_commands_that_take_them(told: Path) -> None:
    text = tell(digests(told), "ghcr.io/org")
    for name in IMAGES:
        assert f"| `{name}` | `ghcr.io/org/{name}@{digest_of(name)}` |" in text
    assert f"--to helm/values.oci.yaml \\\n  --image-digest {digest_of('aegis-oci')} \\\n" in text
    assert f"  --backup-image-digest {digest_of('aegis-backup')}\n" in text


def test_an_image_that_was_not_built_is_missed(told: Path) -> None:
    (told / "aegis-judge.digest").unlink()
    with pytest.raises(ReleaseError, match="no digest of aegis-judge"):
        digests(told)


def test_an_image_that_nobody_knows_is_refused(told: Path) -> None:
    (told / "miner.digest").write_text(digest_of("aegis"))
    with pytest.raises(ReleaseError, match="a digest of miner"):
        digests(told)


@pytest.mark.parametrize("wrong", ["", "null", "sha256:12", "sha256:" + "A" * 64, digest_of("aegis") + " `id`"])
def test_what_is_no_digest_is_refused(told: Path, wrong: str) -> None:
    (told / "aegis.digest").write_text(wrong)
    with pytest.raises(ReleaseError, match="the digest of aegis is"):
        digests(told)


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
    return found


def test_the_workflow_builds_every_image_and_the_dockerfile_knows_them() -> None:
    matrix = jobs()["image"]["strategy"]["matrix"]["include"]
    assert sorted(one["image"] for one in matrix) == sorted(IMAGES)
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    for one in matrix:
        assert re.search(rf"(?m)^FROM \S+ AS {one['target']}$", dockerfile)
        stage = dockerfile[dockerfile.index(f"AS {one['target']}-packages\n") :]
        found = re.search(r"COPY (locks/\S+) packages\.txt", stage)
        assert found
        assert (ROOT / found[1].replace("${CLOUD}", one["cloud"])).is_file()


def test_what_builds_the_wheel_holds_no_right_and_only_a_person_lets_the_rest_go_on() -> None:
    found = jobs()
    assert found["check"]["permissions"] == found["wheel"]["permissions"] == {"contents": "read"}
    writers = [name for name, job in found.items() if job["permissions"].get("contents") == "write"]
    assert writers == ["publish"]
    assert found["publish"]["environment"] == "release"
    assert found["publish"]["needs"] == ["wheel", "image"]
    assert found["wheel"]["needs"] == found["image"]["needs"] == "check"


def test_an_image_gets_the_versions_name_only_when_all_of_them_are_there() -> None:
    names = [step["name"] for step in jobs()["publish"]["steps"]]
    ordered = ["Tell what will be published", "Sign the wheel", "Name the images", "Release", "Move the major version"]
    assert [name for name in names if name in ordered] == ordered
    (build,) = [step for step in jobs()["image"]["steps"] if step.get("id") == "build"]
    assert "push-by-digest=true" in build["run"]
    assert "--tag" not in build["run"]
