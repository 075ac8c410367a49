"""What GitHub says about the run: pure functions over the environment and the event's payload.

Anyone can set an environment variable or send a payload, and act leaves some out, so whatever does not look like what
it should be is unknown, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.verdict import Source

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_COMMIT = re.compile(r"(?!0+$)[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""Not the null commit, which GitHub sends as `before` of a new branch."""
_WORD = re.compile(r"[A-Za-z0-9_\[\]-]{1,100}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_SERVER = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_REF = re.compile(r"refs/(?:heads|tags|pull)/[^\x00-\x20\x7f~^:?*\[\\]+")

DEPENDABOT = "dependabot[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """The facts of a pull request that decide what a gate may use."""

    number: int | None
    base: str | None
    """The commit at the tip of the target branch when the event was sent; it may be stale."""
    head: str | None
    fork: bool
    """From another repository (or one that was deleted): no secrets, no id-token, a read-only token."""
    dependabot: bool
    """Started by Dependabot: no Actions secrets and a read-only token, as for a fork. A person who pushes to
    Dependabot's branch starts a run of their own; one who starts Dependabot's run again does not."""

    @property
    def restricted(self) -> bool:
        """GitHub gives this run neither secrets nor a token that can write."""
        return self.fork or self.dependabot


def source_from_environment(env: Mapping[str, str], event: object) -> Source:
    """Where and for whom the gate runs. `event` is the parsed file that GITHUB_EVENT_PATH names, or None."""
    attempt = _matching(_NUMBER, env.get("GITHUB_RUN_ATTEMPT"))
    return Source(
        repository=_matching(_REPOSITORY, env.get("GITHUB_REPOSITORY")),
        commit=_matching(_COMMIT, env.get("GITHUB_SHA")),
        base=base_commit(env, event),
        event=_matching(_WORD, env.get("GITHUB_EVENT_NAME")),
        run_url=_run_url(env),
        run_attempt=int(attempt) if attempt else None,
        actor=_matching(_WORD, env.get("GITHUB_ACTOR")),
    )


def base_commit(env: Mapping[str, str], event: object) -> str | None:
    """What this change is compared with, as the event tells it."""
    at = {
        "pull_request": ("pull_request", "base", "sha"),
        "pull_request_target": ("pull_request", "base", "sha"),
        "merge_group": ("merge_group", "base_sha"),
        "push": ("before",),
    }.get(env.get("GITHUB_EVENT_NAME", ""))
    return _matching(_COMMIT, _at(event, *at)) if at else None


def pull_request(env: Mapping[str, str], event: object) -> PullRequest | None:
    """The pull request that this run is for; None for any other event."""
    if env.get("GITHUB_EVENT_NAME") not in {"pull_request", "pull_request_target"}:
        return None
    number = _at(event, "pull_request", "number")
    head = _matching(_REPOSITORY, _at(event, "pull_request", "head", "repo", "full_name"))
    own = _matching(_REPOSITORY, env.get("GITHUB_REPOSITORY"))
    return PullRequest(
        number=number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None,
        base=_matching(_COMMIT, _at(event, "pull_request", "base", "sha")),
        head=_matching(_COMMIT, _at(event, "pull_request", "head", "sha")),
        # The repository of a deleted fork is null: what cannot be shown to be our own counts as a fork.
        fork=head is None or own is None or head.lower() != own.lower(),
        dependabot=env.get("GITHUB_ACTOR") == DEPENDABOT,
    )


def ref(env: Mapping[str, str]) -> str | None:
    """The full ref of the run."""
    return _matching(_REF, env.get("GITHUB_REF"))


def _run_url(env: Mapping[str, str]) -> str | None:
    server = _matching(_SERVER, env.get("GITHUB_SERVER_URL"))
    repository = _matching(_REPOSITORY, env.get("GITHUB_REPOSITORY"))
    run = _matching(_NUMBER, env.get("GITHUB_RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _at(event: object, *keys: str) -> Any:
    for key in keys:
        if not isinstance(event, dict):
            return None
        event = event.get(key)
    return event
