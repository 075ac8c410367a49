from __future__ import annotations

from pathlib import Path

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.repository import Repository
from tests.support.scan.gitrepo import GitRepo


def opened(repo: GitRepo) -> Repository:
    return open_repository(repo.root)[0]


def test_a_revision_is_resolved_to_its_commit(repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    second = repo.commit({"a": "2"})
    repo.git("tag", "--annotate", "--message=x", "v1", first)
    found = opened(repo)
    assert found.resolve("v1") == first
    assert found.resolve("HEAD~1") == first
    assert found.resolve(second[:10]) == second
    assert found.head() == second


@pytest.mark.parametrize(
    "rev",
    [
        "",
        "-",
        "--upload-pack=touch x",
        "-h",
        "nowhere",
        "f" * 40,
        "0" * 40,
        "HEAD:a",
        "HEAD^{tree}",
        "a\0b",
        "HEAD\n",
        "é",
    ],
)
def test_what_names_no_commit_is_told_with_its_value(repo: GitRepo, rev: str) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(CouldNotDecide) as raised:
        opened(repo).resolve(rev)
    assert raised.value.code == "core.base_not_found"
    assert repr(rev) in raised.value.problem
    assert not opened(repo).has_commit(rev)


def test_a_short_name_is_no_full_id(repo: GitRepo) -> None:
    commit = repo.commit({"a": "1"})
    assert opened(repo).has_commit(commit)
    assert not opened(repo).has_commit(commit[:12])
    assert not opened(repo).has_commit("HEAD")


def test_history_of_a_merge(repo: GitRepo) -> None:
    root = repo.commit({"a": "1"})
    repo.git("switch", "--quiet", "--create", "topic")
    topic = repo.commit({"b": "1"})
    repo.git("switch", "--quiet", "main")
    main = repo.commit({"c": "1"})
    merged = repo.merge("topic")
    found = opened(repo)
    assert found.parents(merged) == (main, topic)
    assert found.parents(root) == ()
    assert found.merge_bases(main, topic) == (root,)
    assert found.is_ancestor(root, merged)
    assert found.is_ancestor(merged, merged)
    assert not found.is_ancestor(merged, root)
    assert not found.is_ancestor(main, topic)


def test_criss_cross_history_has_several_bases(repo: GitRepo) -> None:
    repo.commit({"a": "1"})
    repo.git("branch", "topic")
    one = repo.commit({"b": "1"})
    repo.git("switch", "--quiet", "topic")
    two = repo.commit({"c": "1"})
    repo.merge("main")
    repo.git("switch", "--quiet", "main")
    repo.merge(two)
    assert set(opened(repo).merge_bases("main", "topic")) == {one, two}
    assert opened(repo).merge_bases("main", "topic")[0] == two, "the newest comes first"


def test_histories_that_share_nothing_have_no_base(repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    repo.git("switch", "--quiet", "--orphan", "other")
    second = repo.commit({"b": "1"})
    assert opened(repo).merge_bases(first, second) == ()


def test_a_message_that_looks_like_a_header_names_no_parent(repo: GitRepo) -> None:
    commit = repo.commit({"a": "1"}, message=f"x\n\nparent {'1' * 40}")
    assert opened(repo).parents(commit) == ()


def test_a_shallow_clone_knows_its_parents_and_can_be_deepened(repo: GitRepo, tmp_path: Path) -> None:
    commits = [repo.commit({"a": str(number)}) for number in range(6)]
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    found = opened(clone)
    assert found.is_shallow()
    assert not opened(repo).is_shallow()
    assert found.parents(commits[5]) == (commits[4],)
    assert not found.has_commit(commits[4])
    found.deepen([commits[4]])
    assert found.show(commits[4], "a") == b"4"
    assert not found.has_commit(commits[3])
    found.deepen([commits[5]], 4)
    assert found.merge_bases(commits[5], commits[2]) == (commits[2],)


def test_deepening_leaves_branches_and_the_work_tree_alone(repo: GitRepo, tmp_path: Path) -> None:
    first = repo.commit({"a": "1"})
    repo.git("tag", "v1")
    repo.commit({"a": "2"})
    clone = repo.clone(tmp_path / "clone", "--depth=1", "--no-tags")
    refs = clone.git("for-each-ref")
    opened(clone).deepen([first])
    assert clone.git("for-each-ref") == refs
    assert clone.git("status", "--porcelain") == ""
    assert not (clone.root / ".git" / "FETCH_HEAD").exists()


def test_a_commit_that_the_remote_does_not_have_cannot_be_fetched(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    with pytest.raises(CouldNotDecide, match="f" * 40) as raised:
        opened(clone).deepen(["f" * 40])
    assert raised.value.code == "core.shallow"
    assert "fetch-depth: 0" in raised.value.remedy


def test_a_remote_that_is_gone_or_missing_is_told(repo: GitRepo, tmp_path: Path) -> None:
    first = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    clone.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    with pytest.raises(CouldNotDecide, match="fetching it failed") as raised:
        opened(clone).deepen([first])
    assert raised.value.code == "core.shallow"
    clone.git("remote", "remove", "origin")
    with pytest.raises(CouldNotDecide, match="fetching it failed"):
        opened(clone).deepen([first])


@pytest.mark.parametrize("rev", ["--upload-pack=touch x", "main", "+main:main", "HEAD", ""])
def test_only_full_ids_are_fetched(repo: GitRepo, rev: str) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(CouldNotDecide) as raised:
        opened(repo).deepen([rev])
    assert raised.value.code == "core.base_not_found"


def test_fetching_runs_no_hook(repo: GitRepo, tmp_path: Path) -> None:
    first = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    hook = clone.root / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    opened(clone).deepen([first])
    assert not (tmp_path / "started").exists()
