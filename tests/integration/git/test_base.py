"""The base of each event, in clones made as actions/checkout makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.core.base import Base, request, resolve_base
from aegis.core.errors import CouldNotDecide, UsageError
from tests.support.scan.gitrepo import GitRepo

NULL = "0" * 40


def resolve(
    repo: GitRepo,
    event: str | None = None,
    payload: object = None,
    sha: str | None = None,
    explicit: str | None = None,
    ref: str = "",
) -> Base:
    environment: Mapping[str, str] = {} if sha is None else {"GITHUB_SHA": sha, "GITHUB_REF": ref}
    return resolve_base(open_repository(repo.root)[0], request(event, payload, environment), explicit)


def checkout(origin: GitRepo, to: Path, ref: str, depth: int | None = 1) -> GitRepo:
    """What actions/checkout does: fetch one ref, by default with one commit, and detach HEAD at it."""
    clone = GitRepo.init(to)
    clone.git("remote", "add", "origin", f"file://{origin.root}")
    if depth is None:
        clone.git(
            "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/remotes/pull/*"
        )
    clone.git("fetch", "--quiet", "--no-tags", *([f"--depth={depth}"] if depth else []), "origin", ref)
    clone.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    return clone


@dataclass(frozen=True)
class PullRequest:
    """A pull request whose target moved on after the event's `base.sha` was noted."""

    origin: GitRepo
    fork_point: str
    noted: str
    tip: str
    head: str
    merge: str

    @property
    def payload(self) -> dict[str, Any]:
        return {"pull_request": {"base": {"sha": self.noted}, "head": {"sha": self.head}}}


@pytest.fixture
def pull(repo: GitRepo) -> PullRequest:
    fork_point = repo.commit({"a": "1"})
    repo.git("switch", "--quiet", "--create", "topic")
    repo.commit({"t": "1"})
    head = repo.commit({"t": "2"})
    repo.git("switch", "--quiet", "main")
    noted = repo.commit({"b": "1"})
    tip = repo.commit({"others": "import boto3"})
    repo.git("switch", "--quiet", "--detach")
    merge = repo.merge("topic")
    repo.git("update-ref", "refs/pull/1/merge", merge)
    repo.git("update-ref", "refs/pull/1/head", head)
    repo.git("switch", "--quiet", "main")
    return PullRequest(repo, fork_point, noted, tip, head, merge)


# --- pull requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, None])
def test_of_a_merge_commit_the_first_parent_is_the_base(pull: PullRequest, tmp_path: Path, depth: int | None) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge", depth)
    base = resolve(clone, "pull_request", pull.payload, pull.merge)
    assert (base.mode, base.commit, base.policy) == ("change", pull.tip, pull.tip)
    assert "first parent" in base.how
    changed = open_repository(clone.root)[0].changed(pull.tip)
    assert [change.path for change in changed] == ["t"], "the others' commit is not this change's"


@pytest.mark.parametrize("depth", [1, None])
def test_of_a_head_that_was_checked_out_it_is_the_merge_base_and_the_target_s_policy(
    pull: PullRequest, tmp_path: Path, depth: int | None
) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/head", depth)
    base = resolve(clone, "pull_request", pull.payload, pull.merge)
    assert (base.commit, base.policy) == (pull.fork_point, pull.noted)
    assert "merge base" in base.how
    assert pull.head in base.notices[0]


def test_a_merge_commit_of_the_author_s_own_is_not_believed(pull: PullRequest, tmp_path: Path) -> None:
    # Its first parent is a commit of the change: compared with that, the change would look empty.
    origin = pull.origin
    origin.git("switch", "--quiet", "--detach", pull.head)
    own = origin.merge(pull.noted)
    origin.git("update-ref", "refs/pull/1/head", own)
    payload = {"pull_request": {"base": {"sha": pull.noted}, "head": {"sha": own}}}
    clone = checkout(origin, tmp_path / "clone", "refs/pull/1/head")
    base = resolve(clone, "pull_request", payload, pull.merge)
    assert (base.commit, base.policy) == (pull.noted, pull.noted)


def test_a_merge_commit_that_is_not_github_s_is_not_believed(pull: PullRequest, tmp_path: Path) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge", None)
    assert resolve(clone, "pull_request", pull.payload, pull.head).commit == pull.noted


def test_a_merge_commit_of_another_head_is_not_believed(pull: PullRequest, tmp_path: Path) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge", None)
    payload = {"pull_request": {"base": {"sha": pull.noted}, "head": {"sha": pull.fork_point}}}
    assert resolve(clone, "pull_request", payload, pull.merge).commit == pull.noted


@pytest.mark.parametrize("depth", [1, None])
def test_a_checkout_without_the_change_is_refused(pull: PullRequest, tmp_path: Path, depth: int | None) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/heads/main", depth)
    with pytest.raises(CouldNotDecide, match=pull.head) as raised:
        resolve(clone, "pull_request_target", pull.payload, pull.tip)
    assert raised.value.code == "core.not_checked_out"


def test_a_shallow_clone_that_cannot_be_deepened_is_no_pass(pull: PullRequest, tmp_path: Path) -> None:
    for number, ref in enumerate(("refs/pull/1/merge", "refs/pull/1/head")):
        clone = checkout(pull.origin, tmp_path / f"clone{number}", ref)
        clone.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
        with pytest.raises(CouldNotDecide) as raised:
            resolve(clone, "pull_request", pull.payload, pull.merge)
        assert raised.value.code == "core.shallow"


def test_a_rebased_pull_request_is_compared_with_where_it_stands_now(pull: PullRequest, tmp_path: Path) -> None:
    origin = pull.origin
    origin.git("switch", "--quiet", "topic")
    origin.git("rebase", "--quiet", "main")
    head = origin.sha()
    origin.git("update-ref", "refs/pull/1/head", head)
    payload = {"pull_request": {"base": {"sha": pull.tip}, "head": {"sha": head}}}
    clone = checkout(origin, tmp_path / "clone", "refs/pull/1/head")
    base = resolve(clone, "pull_request", payload, pull.merge)
    assert (base.commit, base.policy) == (pull.tip, pull.tip)


def test_a_fork_s_pull_request_is_resolved_from_the_target_s_repository(pull: PullRequest, tmp_path: Path) -> None:
    # GitHub keeps the merge commit in the target's repository: the fork itself is never asked.
    fork = pull.origin.clone(tmp_path / "fork")
    fork.git("switch", "--quiet", "--create", "theirs", pull.fork_point)
    head = fork.commit({"f": "1"})
    pull.origin.git("fetch", "--quiet", f"file://{fork.root}", f"{head}:refs/pull/2/head")
    pull.origin.git("switch", "--quiet", "--detach", pull.tip)
    merge = pull.origin.merge(head)
    pull.origin.git("update-ref", "refs/pull/2/merge", merge)
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/2/merge")
    payload = {"pull_request": {"base": {"sha": pull.noted}, "head": {"sha": head, "repo": None}}}
    assert resolve(clone, "pull_request", payload, merge).commit == pull.tip


def test_unborn_head_has_nothing_to_compare_with(repo: GitRepo) -> None:
    payload = {"pull_request": {"base": {"sha": "a" * 40}, "head": {"sha": "b" * 40}}}
    with pytest.raises(CouldNotDecide, match="no commit yet"):
        resolve(repo, "pull_request", payload)


# --- merge queue -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, None])
def test_a_merge_group_is_compared_with_its_base(pull: PullRequest, tmp_path: Path, depth: int | None) -> None:
    pull.origin.git("update-ref", "refs/heads/gh-readonly-queue/main/pr-1", pull.merge)
    clone = checkout(pull.origin, tmp_path / "clone", "refs/heads/gh-readonly-queue/main/pr-1", depth)
    payload = {"merge_group": {"base_sha": pull.tip, "head_sha": pull.merge}}
    base = resolve(clone, "merge_group", payload, pull.merge)
    assert (base.mode, base.commit, base.policy) == ("change", pull.tip, pull.tip)


def test_a_merge_group_whose_base_is_nowhere_is_no_pass(pull: PullRequest, tmp_path: Path) -> None:
    payload = {"merge_group": {"base_sha": "f" * 40}}
    for depth, code in ((1, "core.shallow"), (None, "core.base_not_found")):
        clone = checkout(pull.origin, tmp_path / f"clone{depth}", "refs/pull/1/merge", depth)
        with pytest.raises(CouldNotDecide, match="f" * 40) as raised:
            resolve(clone, "merge_group", payload, pull.merge)
        assert raised.value.code == code


# --- push ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, None])
@pytest.mark.parametrize("forced", [False, None])
def test_a_push_is_compared_with_the_commit_before_it(
    repo: GitRepo, tmp_path: Path, depth: int | None, forced: bool | None
) -> None:
    before = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    after = repo.commit({"a": "3"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main", depth)
    payload = {"before": before, "after": after, "forced": forced}
    base = resolve(clone, "push", payload, after)
    assert (base.mode, base.commit, base.policy) == ("change", before, before)
    assert "the commit before the push" in base.how


def test_github_s_word_that_a_push_was_not_forced_saves_fetching_history(repo: GitRepo, tmp_path: Path) -> None:
    before = repo.commit({"a": "1"})
    repo.commit({"a": "2"})
    after = repo.commit({"a": "3"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main")
    open_repository(clone.root)[0].deepen([before])
    clone.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert resolve(clone, "push", {"before": before, "forced": False}, after).commit == before


@pytest.mark.parametrize("depth", [1, None])
@pytest.mark.parametrize("forced", [True, None])
def test_a_forced_push_is_compared_with_the_merge_base(
    repo: GitRepo, tmp_path: Path, depth: int | None, forced: bool | None
) -> None:
    common = repo.commit({"a": "1"})
    before = repo.commit({"a": "2"})
    repo.git("branch", "kept", before)
    repo.git("reset", "--quiet", "--hard", common)
    after = repo.commit({"b": "1"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main", depth)
    base = resolve(clone, "push", {"before": before, "forced": forced}, after)
    assert (base.mode, base.commit, base.policy) == ("change", common, before)
    assert "rewrote history" in base.how


def test_a_forced_push_that_says_it_is_none_is_found_out_where_history_is_known(repo: GitRepo) -> None:
    common = repo.commit({"a": "1"})
    before = repo.commit({"a": "2"})
    repo.git("reset", "--quiet", "--hard", common)
    after = repo.commit({"b": "1"})
    assert resolve(repo, "push", {"before": before, "forced": False}, after).commit == common


@pytest.mark.parametrize("depth", [1, None])
def test_after_a_forced_push_over_a_lost_commit_everything_is_looked_at(
    repo: GitRepo, tmp_path: Path, depth: int | None
) -> None:
    after = repo.commit({"a": "1"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main", depth)
    base = resolve(clone, "push", {"before": "f" * 40, "forced": True}, after)
    assert (base.mode, base.commit) == ("whole", None)
    assert "f" * 40 in base.how


@pytest.mark.parametrize("depth", [1, None])
def test_an_ordinary_push_over_a_lost_commit_is_no_pass(repo: GitRepo, tmp_path: Path, depth: int | None) -> None:
    repo.commit({"a": "0"})
    after = repo.commit({"a": "1"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main", depth)
    with pytest.raises(CouldNotDecide) as raised:
        resolve(clone, "push", {"before": "f" * 40, "forced": False}, after)
    assert raised.value.code == ("core.shallow" if depth else "core.base_not_found")


def test_a_new_branch_is_compared_with_the_default_branch(repo: GitRepo, tmp_path: Path) -> None:
    common = repo.commit({"a": "1"})
    repo.git("switch", "--quiet", "--create", "topic")
    after = repo.commit({"b": "1"})
    repo.git("switch", "--quiet", "main")
    tip = repo.commit({"c": "1"})
    payload = {"before": NULL, "ref": "refs/heads/topic", "repository": {"default_branch": "main"}}
    clone = checkout(repo, tmp_path / "full", "refs/heads/topic", None)
    base = resolve(clone, "push", payload, after)
    assert (base.mode, base.commit, base.policy) == ("change", common, tip)
    shallow = checkout(repo, tmp_path / "shallow", "refs/heads/topic")
    assert resolve(shallow, "push", payload, after).mode == "whole"


def beside(branch: str, before: str) -> dict[str, Any]:
    return {"before": before, "forced": False, "ref": branch, "repository": {"default_branch": "main"}}


@pytest.mark.parametrize("explicit", [False, True])
def test_whose_policy_judges_a_push_beside_the_default_branch_is_told(repo: GitRepo, explicit: bool) -> None:
    repo.commit({"aegis.yml": "strict"})
    repo.git("switch", "--quiet", "--create", "topic")
    before = repo.commit({"aegis.yml": "mine"})
    after = repo.commit({"a": "1"})
    named = before if explicit else None
    for ref, told in (("refs/heads/topic", True), ("refs/heads/main", False)):
        base = resolve(repo, "push", beside(ref, before), after, named, ref)
        assert (base.commit, base.policy) == (before, before)
        assert [
            f"{ref} is not the default branch, main: the policy in force is its own" in each for each in base.notices
        ] == [True] * told


def test_of_a_new_branch_it_is_told_only_where_the_default_branch_is_not_there(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"aegis.yml": "strict"})
    repo.git("switch", "--quiet", "--create", "topic")
    after = repo.commit({"aegis.yml": "mine"})
    for depth, policy in ((None, repo.sha("main")), (1, None)):
        clone = checkout(repo, tmp_path / f"clone{depth}", "refs/heads/topic", depth)
        base = resolve(clone, "push", beside("refs/heads/topic", NULL), after, ref="refs/heads/topic")
        assert base.policy == policy
        assert ["its own" in notice for notice in base.notices] == [True] * (policy is None)


@pytest.mark.parametrize("ref", ["refs/heads/topic", "refs/tags/v1"])
@pytest.mark.parametrize("event", ["workflow_dispatch", "release"])
def test_of_a_run_beside_the_default_branch_it_is_told(repo: GitRepo, event: str, ref: str) -> None:
    head = repo.commit({"aegis.yml": "mine"})
    payload = {"repository": {"default_branch": "main"}}
    (notice,) = resolve(repo, event, payload, head, ref=ref).notices
    assert notice.startswith(f"{ref} is not the default branch, main: the policy in force is its own")
    assert resolve(repo, event, payload, head, ref="refs/heads/main").notices == ()


def test_of_a_pull_request_nothing_is_told(pull: PullRequest, tmp_path: Path) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge")
    payload = {**pull.payload, "repository": {"default_branch": "main"}}
    base = resolve(clone, "pull_request", payload, pull.merge, ref="refs/pull/1/merge")
    assert (base.policy, base.notices) == (pull.tip, ())


# --- no base, and a base that was named ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["workflow_dispatch", "schedule", None])
def test_without_a_change_everything_is_looked_at(repo: GitRepo, event: str | None) -> None:
    head = repo.commit({"a": "1"})
    base = resolve(repo, event, {}, head)
    assert (base.mode, base.commit, base.policy, base.notices) == ("whole", None, None, ())


def test_before_the_first_commit_everything_is_looked_at(repo: GitRepo) -> None:
    assert resolve(repo).mode == "whole"


@pytest.mark.parametrize("depth", [1, None])
def test_code_that_is_not_the_event_s_cannot_judge_itself(pull: PullRequest, tmp_path: Path, depth: int | None) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/head", depth)
    base = resolve(clone, "workflow_run", {}, pull.tip)
    assert (base.mode, base.policy) == ("whole", pull.tip)
    assert pull.tip in base.notices[0]


@pytest.mark.parametrize("depth", [1, None])
def test_a_clone_of_another_repository_has_its_own_policy(repo: GitRepo, tmp_path: Path, depth: int | None) -> None:
    repo.commit({"a": "0"})
    repo.commit({"a": "1"})
    clone = checkout(repo, tmp_path / "clone", "refs/heads/main", depth)
    base = resolve(clone, "schedule", {}, "f" * 40)
    assert (base.mode, base.policy) == ("whole", None)
    assert "f" * 40 in base.notices[0]


def test_a_named_base_is_met_at_the_merge_base(pull: PullRequest) -> None:
    pull.origin.git("switch", "--quiet", "topic")
    base = resolve(pull.origin, explicit="main")
    assert (base.mode, base.commit, base.policy) == ("change", pull.fork_point, pull.tip)
    assert "--base main" in base.how


def test_a_named_base_does_not_choose_the_policy_of_a_pull_request(pull: PullRequest, tmp_path: Path) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge", None)
    base = resolve(clone, "pull_request", pull.payload, pull.merge, explicit=pull.fork_point)
    assert (base.commit, base.policy) == (pull.fork_point, pull.tip)


def test_a_named_commit_is_fetched_into_a_shallow_clone(pull: PullRequest, tmp_path: Path) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/head")
    assert resolve(clone, explicit=pull.tip).commit == pull.fork_point


@pytest.mark.parametrize("newer", ["merge", "head"])
def test_a_named_base_cannot_leave_a_part_of_the_change_out(pull: PullRequest, tmp_path: Path, newer: str) -> None:
    clone = checkout(pull.origin, tmp_path / "clone", "refs/pull/1/merge", None)
    with pytest.raises(UsageError, match="newer than the event's own base") as caught:
        resolve(clone, "pull_request", pull.payload, pull.merge, explicit=getattr(pull, newer))
    assert caught.value.code == "core.policy_loosened"


@pytest.mark.parametrize("explicit", ["nowhere", "", "--all", "f" * 40])
def test_a_named_base_that_is_not_there_is_told(repo: GitRepo, explicit: str) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(CouldNotDecide) as raised:
        resolve(repo, explicit=explicit)
    assert raised.value.code == "core.base_not_found"


def test_a_named_base_of_another_history_is_told(repo: GitRepo) -> None:
    other = repo.commit({"a": "1"})
    repo.git("switch", "--quiet", "--orphan", "new")
    repo.commit({"b": "1"})
    with pytest.raises(CouldNotDecide, match="no common history"):
        resolve(repo, explicit=other)


def test_of_criss_cross_history_the_newest_base_is_taken(repo: GitRepo) -> None:
    repo.commit({"a": "1"})
    repo.git("branch", "topic")
    repo.commit({"b": "1"})
    repo.git("switch", "--quiet", "topic")
    newest = repo.commit({"c": "1"})
    repo.merge("main")
    repo.git("switch", "--quiet", "main")
    repo.merge(newest)
    assert resolve(repo, explicit="topic").commit == newest


def test_history_beyond_the_first_step_is_fetched_step_by_step(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.core.base.DEPTHS", (2, 4))
    common = repo.commit({"a": "1"})
    repo.git("branch", "topic")
    tips = [repo.commit({"a": str(number)}) for number in range(3)]
    repo.git("switch", "--quiet", "topic")
    repo.commit({"t": "1"})
    near = checkout(repo, tmp_path / "near", "refs/heads/topic")
    assert resolve(near, explicit=tips[-1]).commit == common
    monkeypatch.setattr("aegis.core.base.DEPTHS", (2, 3))
    far = checkout(repo, tmp_path / "far", "refs/heads/topic")
    with pytest.raises(CouldNotDecide, match="within 3 commits") as raised:
        resolve(far, explicit=tips[-1])
    assert raised.value.code == "core.shallow"
