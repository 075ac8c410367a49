"""GitHub's event payloads, cut to what the gates read, over commits that really are in the repository.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.actions.act import commit, git

REPOSITORY = {"full_name": "octo/shop", "fork": False, "default_branch": "main"}
FORK = {"full_name": "eve/shop", "fork": True, "default_branch": "main"}


@dataclass(frozen=True)
class Event:
    """An event's name and payload."""

    name: str
    payload: Mapping[str, Any]


def pull_request(folder: Path, files: Mapping[str, str | bytes], *, fork: bool = False) -> Event:
    """Commit the files on a branch and check out its merge with main, as actions/checkout does."""
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "-b", "change")
    head = commit(folder, files)
    git(folder, "checkout", "-q", "--detach", base)
    git(folder, "merge", "-q", "--no-ff", "-m", f"Merge {head} into {base}", head)
    of_head = FORK if fork else REPOSITORY
    change = {
        "number": 7,
        "base": {"ref": "main", "sha": base, "repo": REPOSITORY},
        "head": {"ref": "change", "sha": head, "repo": of_head},
    }
    return Event("pull_request", {"number": 7, "repository": REPOSITORY, "pull_request": change})


def push(folder: Path, files: Mapping[str, str | bytes]) -> Event:
    """Commit the files on the branch that is checked out."""
    before = git(folder, "rev-parse", "HEAD")
    after = commit(folder, files)
    facts = {"ref": "refs/heads/main", "before": before, "after": after, "forced": False}
    return Event("push", {"repository": REPOSITORY, **facts})


def merge_group(folder: Path, files: Mapping[str, str | bytes]) -> Event:
    """Commit the files as the merge queue does, on a branch of its own."""
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "-q", "-b", "gh-readonly-queue/main/pr-7")
    head = commit(folder, files)
    group = {"base_sha": base, "head_sha": head, "base_ref": "refs/heads/main"}
    return Event("merge_group", {"repository": REPOSITORY, "action": "checks_requested", "merge_group": group})


def schedule() -> Event:
    """A run by the clock, about no change."""
    return Event("schedule", {"repository": REPOSITORY, "schedule": "23 4 * * 1"})
