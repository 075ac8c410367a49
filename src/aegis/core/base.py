"""The base of a change: which commit it is compared with, and whose policy judges it.

`request` reads what the event says (pure); `resolve_base` finds it in the clone. They can differ, so both are kept:

`commit`  what the work tree is compared with: what is in it already is not new
`policy`  whose policy is in force: the target's own state, never an older one that the author of a change could choose

event                                   commit                                  policy
--------------------------------------  --------------------------------------  --------------------------------
pull_request, merge commit checked out  its first parent                        the same
pull_request, anything else             merge base of HEAD and target's tip     the target's tip
merge_group                             `base_sha`                              the same
push                                    `before`; if forced, its merge base     `before`
push of a new branch                    merge base with the default branch      the default branch
`--base REV`                            merge base of HEAD and REV              the event's own, else REV
others, no event                        none: the whole repository              GITHUB_SHA if HEAD is another

Of a push to another branch than the default one, and of a run on one, this policy is one that whoever pushes there has
chosen: that is told, since only a run for the pull request or the merge group judges by the target's.

The `base.sha` of a pull request's payload is as old as the event: the first parent of the merge commit is what GitHub
merged into, so nobody else's commits count as this change's. A commit that a shallow clone lacks is fetched; if that
fails, the answer is CouldNotDecide `core.shallow`, never a comparison with something else. Neither is anything compared
when the change is not what is checked out (`pull_request_target` without a `ref`): it would always look clean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.repository import Repository

PULL_REQUEST_EVENTS = frozenset(
    {"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"}
)
DEPTHS = (50, 500, 5000)
"""Commits of history fetched, step by step, to find a merge base: most branches need the first, few the last."""

_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NULL = re.compile(r"0+")
_BRANCH = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]+")

Kind = Literal["pull-request", "merge-group", "push", "new-branch", "whole"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the event says about the base."""

    kind: Kind
    event: str
    """The event's name, or `none`."""
    target: str | None = None
    """The commit that the change goes onto, as the event names it; of a new branch, the default branch's name."""
    head: str | None = None
    """The change's own last commit, as the event names it."""
    checkout: str | None = None
    """GITHUB_SHA: what the event wants to be checked out."""
    forced: bool | None = None
    """Of a push: whether history was rewritten. None where the event does not say."""
    why: str = ""
    """Why the whole repository is looked at."""
    beside: str | None = None
    """What the run is on, where that is not the default branch, in words."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a run compares with; printed in every run."""

    mode: Literal["change", "whole"]
    commit: str | None
    """None in a run over the whole repository."""
    policy: str | None
    """The commit whose policy is in force; None: the work tree's own."""
    how: str
    """One sentence: how the base was found."""
    notices: tuple[str, ...] = ()


def request(event: str | None, payload: object, environment: Mapping[str, str]) -> Request:
    """What an event says about the base. Raises CouldNotDecide for a payload that is not what the event sends."""
    asked = _request(event, payload, environment)
    ref, default = environment.get("GITHUB_REF"), _at(payload, "repository", "default_branch")
    if asked.kind in ("pull-request", "merge-group") or not ref or not default or ref == f"refs/heads/{default}":
        return asked
    return replace(asked, beside=f"{ref} is not the default branch, {default}")


def _request(event: str | None, payload: object, environment: Mapping[str, str]) -> Request:
    checkout = environment.get("GITHUB_SHA") or None
    if checkout is not None:
        checkout = _oid(checkout, "GITHUB_SHA")
    if event in PULL_REQUEST_EVENTS:
        target = _oid(_at(payload, "pull_request", "base", "sha"), "pull_request.base.sha")
        head = _oid(_at(payload, "pull_request", "head", "sha"), "pull_request.head.sha")
        return Request("pull-request", event, target, head, checkout)
    if event == "merge_group":
        target = _oid(_at(payload, "merge_group", "base_sha"), "merge_group.base_sha")
        return Request("merge-group", event, target, checkout=checkout)
    if event == "push":
        return _push(payload, checkout)
    why = f"the event {event} is about no change" if event else "no change is named"
    return Request("whole", event or "none", checkout=checkout, why=why)


def resolve_base(repository: Repository, asked: Request, explicit: str | None = None) -> Base:
    """Find the base in the clone; fetch what a shallow one lacks.

    `explicit` is the user's `--base`. Where the event has a base of its own it may only move the comparison back, and
    the policy stays the target's.
    """
    if explicit is not None:
        return _explicit(repository, asked, explicit)
    base = _resolved(repository, asked)
    if asked.beside is None or (asked.kind == "new-branch" and base.policy is not None):
        return base
    notice = (
        f"{asked.beside}: the policy in force is its own, which whoever pushes there may have changed; "
        "what is merged is judged by a run for the pull request"
    )
    return replace(base, notices=(*base.notices, notice))


def _resolved(repository: Repository, asked: Request) -> Base:
    if asked.kind != "whole":
        _refuse_other_checkout(repository, asked)
    match asked.kind:
        case "pull-request":
            return _pull_request(repository, asked)
        case "merge-group":
            commit = _present(repository, asked.target)
            return Base("change", commit, commit, f"merge_group: compared with its base_sha {commit}")
        case "push":
            return _pushed(repository, asked)
        case "new-branch":
            return _new_branch(repository, asked)
        case "whole":
            return _whole(repository, asked, f"whole repository: {asked.why}")


def _push(payload: object, checkout: str | None) -> Request:
    if not isinstance(payload, dict):
        raise _malformed("the payload", payload, "an object")
    if payload.get("deleted") is True:
        return Request("whole", "push", checkout=checkout, why="the push deleted a branch")
    if not isinstance(payload.get("ref", ""), str) or not str(payload.get("ref", "")).startswith("refs/tags/"):
        return _branch_push(payload, checkout)
    return Request("whole", "push", checkout=checkout, why="a tag was pushed")


def _branch_push(payload: Mapping[str, Any], checkout: str | None) -> Request:
    before = payload.get("before")
    forced = payload.get("forced")
    if forced is not None and not isinstance(forced, bool):
        raise _malformed("forced", forced, "true or false")
    if not (isinstance(before, str) and _NULL.fullmatch(before) and len(before) in (40, 64)):
        return Request("push", "push", _oid(before, "before"), checkout=checkout, forced=forced)
    default = _at(payload, "repository", "default_branch")
    if not isinstance(default, str) or not _BRANCH.fullmatch(default):
        raise _malformed("repository.default_branch", default, "a branch's name")
    if payload.get("ref") == f"refs/heads/{default}":
        return Request("whole", "push", checkout=checkout, why="the default branch is new")
    return Request("new-branch", "push", default, checkout=checkout)


def _explicit(repository: Repository, asked: Request, explicit: str) -> Base:
    target = _present(repository, explicit) if _OID.fullmatch(explicit) else repository.resolve(explicit)
    commit = _common(repository, target)
    policy: str | None = target
    notices: tuple[str, ...] = ()
    if asked.kind in ("pull-request", "merge-group", "push"):
        own = resolve_base(repository, asked)
        policy = own.policy
        notices = own.notices if asked.kind == "push" else ()
        if own.commit is not None and not repository.is_ancestor(commit, own.commit):
            raise UsageError(
                "core.policy_loosened",
                f"--base {explicit} leads to {commit}, which is newer than the event's own base {own.commit}",
                expected="a base at or before the event's own, so that nothing of the change is left out",
                remedy="leave `base` out: the event tells it",
            )
    how = f"--base {explicit}: compared with the merge base {commit} of HEAD and it"
    return Base("change", commit, policy, how, notices)


def _refuse_other_checkout(repository: Repository, asked: Request) -> None:
    wanted = asked.head or asked.checkout
    head = _head(repository)
    if wanted is None or wanted == head or wanted in repository.parents(head):
        return
    if not repository.has_commit(wanted) or not repository.is_ancestor(wanted, head):
        raise CouldNotDecide(
            "core.not_checked_out",
            f"HEAD is {head}, which does not contain {wanted}, the change that the event {asked.event} is about",
            expected="a checkout of the change",
            remedy="leave `ref` out of actions/checkout, or set it to the change's own commit",
        )


def _pull_request(repository: Repository, asked: Request) -> Base:
    head = _head(repository)
    parents = repository.parents(head)
    merged = head == asked.checkout and len(parents) == 2 and parents[1] == asked.head
    if merged:
        first = _present(repository, parents[0])
        return Base(
            "change", first, first, f"{asked.event}: compared with the first parent {first} of the merge commit"
        )
    target = _present(repository, asked.target)
    commit = _common(repository, target)
    notice = (
        f"HEAD {head} is not the merge commit of this pull request, so it is compared with the merge base of HEAD and "
        "the target as it was when the event was sent; with the default checkout the comparison is exact"
    )
    return Base(
        "change",
        commit,
        target,
        f"{asked.event}: compared with the merge base {commit} of HEAD and {target}",
        (notice,),
    )


def _pushed(repository: Repository, asked: Request) -> Base:
    try:
        before = _present(repository, asked.target)
    except CouldNotDecide:
        if not asked.forced:
            raise
        # After a forced push nobody may have the old commit any more: then everything is looked at.
        return _whole(
            repository, asked, f"whole repository: {asked.target} was overwritten by a forced push and is gone"
        )
    # In a shallow clone ancestry can't be seen; GitHub's own word counts there.
    straight = asked.forced is False if repository.is_shallow() else repository.is_ancestor(before, _head(repository))
    commit = before if straight else _common(repository, before)
    if commit == before:
        return Base("change", before, before, f"push: compared with {before}, the commit before the push")
    how = f"push that rewrote history: compared with the merge base {commit} of HEAD and {before}"
    return Base("change", commit, before, how)


def _new_branch(repository: Repository, asked: Request) -> Base:
    branch = f"refs/remotes/origin/{asked.target}"
    try:
        tip = repository.resolve(branch)
        commit = _common(repository, tip)
    except CouldNotDecide as error:
        if error.code not in ("core.base_not_found", "core.shallow"):
            raise
        return _whole(repository, asked, f"whole repository: a new branch, and {branch} is not in this clone")
    return Base(
        "change", commit, tip, f"push of a new branch: compared with the merge base {commit} of HEAD and {branch}"
    )


def _whole(repository: Repository, asked: Request, how: str) -> Base:
    """No comparison. Where HEAD is not what the event is for (`workflow_run` on a fork's code), it can't judge itself.

    A clone of another repository does not have GITHUB_SHA; it has nothing but its own policy, which is told.
    """
    head = repository.head()
    if head is None or asked.checkout is None or asked.checkout == head:
        return Base("whole", None, None, how)
    try:
        policy = _present(repository, asked.checkout)
    except CouldNotDecide as error:
        notice = f"HEAD {head} is not GITHUB_SHA {asked.checkout}, which this clone does not have: {error.problem}"
        return Base("whole", None, None, how, (f"{notice}; the policy is the work tree's own",))
    return Base("whole", None, policy, how, (f"HEAD is not GITHUB_SHA {policy}, whose policy is in force",))


def _head(repository: Repository) -> str:
    head = repository.head()
    if head is None:
        raise CouldNotDecide(
            "core.base_not_found",
            "HEAD has no commit yet, so there is nothing to compare with",
            expected="a branch with at least one commit",
            remedy="commit first, or scan the whole repository (no `--base`)",
        )
    return head


def _present(repository: Repository, commit: str | None) -> str:
    """A commit of the event, fetched if a shallow clone lacks it."""
    if commit is None:
        raise _malformed("the base", commit, "a commit's full id")
    if repository.has_commit(commit):
        return commit
    if repository.is_shallow():
        repository.deepen([commit])
    return repository.resolve(commit)


def _common(repository: Repository, target: str) -> str:
    """The merge base of HEAD and a commit; of several (criss-cross merges) git's first, the newest."""
    head = _head(repository)
    found = repository.merge_bases(head, target)
    for depth in DEPTHS if not found and repository.is_shallow() else ():
        repository.deepen([head, target], depth)
        found = repository.merge_bases(head, target)
        if found or not repository.is_shallow():
            break
    if found:
        return found[0]
    if repository.is_shallow():
        raise CouldNotDecide(
            "core.shallow",
            f"no common commit of HEAD {head} and {target} within {DEPTHS[-1]} commits",
            expected="a clone with the history down to the point where both parted",
            remedy="set `fetch-depth: 0` in actions/checkout",
        )
    raise CouldNotDecide(
        "core.base_not_found",
        f"HEAD {head} and {target} have no common history",
        expected="two commits of one history",
        remedy="name a base that this branch was started from",
    )


def _at(payload: object, *keys: str) -> object:
    value = payload
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _oid(value: object, name: str) -> str:
    if not isinstance(value, str) or not _OID.fullmatch(value) or _NULL.fullmatch(value):
        raise _malformed(name, value, "a commit's full id: 40 or 64 hexadecimal digits, not all zero")
    return value


def _malformed(name: str, value: object, expected: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.base_not_found",
        f"the event's `{name}` is {value!r:.100}",
        expected=expected,
        remedy="run it in a workflow of the event that GITHUB_EVENT_NAME names, or name the base with `--base`",
    )
