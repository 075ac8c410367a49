"""Tier 0: refuse a wrong configuration before anything is downloaded.

GitHub does not enforce `required: true` nor the values of an input, and it starts an action on any event. All of that
is looked at here, with the standard library alone, in about 0.1 s of CPU.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aegis.startup.problem import MISCONFIGURED, StartupProblem

MINIMUM_PYTHON = (3, 11)
INPUTS = {
    "scan": ("path", "strict", "base", "policy", "output", "upload", "index-url", "github-token"),
    "verify": (
        *("path", "base", "policy", "output", "upload", "index-url", "github-token", "shard", "shards", "cloud"),
        *("aws-role-to-assume", "aws-region", "cosign-pub-key", "oci-client-id", "oci-client-secret"),
    ),
    "canary": (
        *("path", "base", "policy", "output", "index-url", "github-token", "mode", "act", "state", "without-state"),
        *("kubeconfig", "context", "weight", "image", "aws-role-to-assume", "aws-region", "cosign-pub-key"),
    ),
    "backup-check": (
        *("path", "base", "policy", "output", "upload", "index-url", "github-token"),
        *("mode", "database", "max-age", "tier", "cloud"),
        *("aws-role-to-assume", "aws-region", "cosign-pub-key", "oci-client-id", "oci-client-secret"),
    ),
    "all": (
        *("task", "gate", "verdicts", "base", "policy", "output", "upload", "index-url", "github-token", "cloud"),
        *("aws-role-to-assume", "aws-region", "cosign-pub-key", "oci-client-id", "oci-client-secret"),
    ),
}
"""The inputs of each action, as in its action.yml (a test keeps them equal)."""
CHOICES = {
    "strict": ("true", "false"),
    "upload": ("auto", "never"),
    "cloud": ("aws", "oci"),
    "tier": ("", "sample", "data", "proof", "full"),
    "act": ("true", "false"),
    "without-state": ("refuse", "begin"),
    "task": ("judge", "list", "merge"),
    "gate": ("", "scan", "verify", "canary", "backup-check"),
}
MODES = {"backup-check": ("check", "verify", "run"), "canary": ("watch", "judge", "preflight")}
"""The values of the input `mode`, by action."""
_SECRET = ("github-token", "oci-client-id", "oci-client-secret")
_SEVERAL_LINES = ("cosign-pub-key",)
"""A PEM block has line ends."""


@dataclass(frozen=True)
class Facts:
    """What the surroundings say about this run."""

    event: str
    from_fork: bool
    dependabot: bool

    @property
    def read_only(self) -> bool:
        """GitHub gives such a run neither secrets nor a token that may write.

        https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
        """
        return self.from_fork or self.dependabot


def check(gate: str, environ: Mapping[str, str]) -> Facts:
    """Everything that can be known without an install; raises `StartupProblem` on the first thing that is wrong."""
    check_python()
    for name in INPUTS[gate]:
        _check_input(name, read_input(name, environ), choices_of(gate, name))
    facts = _facts(environ)
    if facts.event == "pull_request_target":
        raise _wrong(
            "The event is `pull_request_target`, which runs with the base branch's rights and checks the base out.",
            expected="pull_request, push, merge_group, workflow_dispatch or schedule",
            remedy="Use `on: pull_request`; forks are judged there too.",
        )
    _check_workspace(environ)
    return facts


def read_input(name: str, environ: Mapping[str, str]) -> str:
    """An input as our own action.yml maps it; never GitHub's `INPUT_*`, which composites do not get."""
    return environ.get(f"AEGIS_INPUT_{name.upper().replace('-', '_')}", "")


def check_python() -> None:
    """Raise `StartupProblem` if this interpreter is too old for what is installed."""
    if sys.version_info[:2] < MINIMUM_PYTHON:
        raise _wrong(
            f"`python3` is Python {sys.version_info[0]}.{sys.version_info[1]}.",
            expected="Python 3.11 or newer",
            remedy="Put `actions/setup-python` before this step; on a laptop, `make PYTHON=python3.12 venv`.",
        )


def choices_of(gate: str, name: str) -> tuple[str, ...]:
    """The values that an input of an action may have; none for one that is any text."""
    return MODES.get(gate, ()) if name == "mode" else CHOICES.get(name, ())


def _check_input(name: str, value: str, choices: tuple[str, ...]) -> None:
    shown = "(hidden)" if name in _SECRET else repr(value)
    if choices:
        if value not in choices:
            raise _wrong(
                f"The input `{name}` is {shown}.",
                expected=" or ".join(f"`{choice}`" for choice in choices if choice),
                remedy=f"Correct `with: {name}:` in the workflow, or leave it out.",
            )
        return
    if any(not character.isprintable() for character in _one_line(name, value)):
        raise _wrong(
            f"The input `{name}` holds a control character: {shown}.",
            expected="one line of printable text",
            remedy=f"Correct `with: {name}:` in the workflow.",
        )
    if name == "base" and value.startswith("-"):
        raise _wrong(
            f"The input `base` is {shown}.",
            expected="a commit, branch or tag",
            remedy="Correct `with: base:` in the workflow, or leave it out: the event tells the base.",
        )
    if name == "weight" and value and not _is_share(value):
        raise _wrong(
            f"The input `weight` is {shown}.",
            expected="per cent between 0 and 100, e.g. `5`",
            remedy="Correct `with: weight:` in the workflow, or leave it out.",
        )
    if name == "index-url" and value:
        _check_index(value)


def _is_share(value: str) -> bool:
    try:
        return 0 < float(value) < 100
    except ValueError:
        return False


def _one_line(name: str, value: str) -> str:
    return value.replace("\r", "").replace("\n", "") if name in _SEVERAL_LINES else value


def _check_index(value: str) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and bool(parts.hostname)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:
        good, shown = False, "(not a URL)"
    if not good:
        raise _wrong(
            f"The input `index-url` is {shown!r}.",
            expected="the http(s) URL of a Python package index (PEP 503)",
            remedy="Correct `with: index-url:` in the workflow, or leave it out to use the public index.",
        )


def _facts(environ: Mapping[str, str]) -> Facts:
    payload = _payload(environ.get("GITHUB_EVENT_PATH", ""))
    head = _dig(payload, "pull_request", "head", "repo")
    base = _dig(payload, "pull_request", "base", "repo", "full_name")
    # a head whose repository was deleted is null: such a fork is a fork too
    from_fork = isinstance(payload.get("pull_request"), dict) and (
        not isinstance(head, dict) or bool(head.get("fork")) or head.get("full_name") != base
    )
    return Facts(
        event=environ.get("GITHUB_EVENT_NAME", ""),
        from_fork=from_fork,
        dependabot=environ.get("GITHUB_ACTOR") == "dependabot[bot]",
    )


def _payload(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as broken:
        raise _no_payload(f"{type(broken).__name__} at {path!r}") from broken
    if not isinstance(found, dict):
        raise _no_payload(f"a {type(found).__name__} at {path!r}")
    return found


def _no_payload(problem: str) -> StartupProblem:
    return StartupProblem(
        "core.wrong_usage",
        f"The event's payload cannot be read: {problem}.",
        expected="the JSON object that GITHUB_EVENT_PATH names",
        remedy="Run the job again; if GITHUB_EVENT_PATH is set by the workflow itself, take that out.",
    )


def _dig(found: Any, *keys: str) -> Any:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _check_workspace(environ: Mapping[str, str]) -> None:
    workspace = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd())
    place = workspace / (read_input("path", environ) or ".")
    if not place.is_dir():
        raise _wrong(
            f"The input `path` names {str(place)!r}, which is no folder.",
            expected="a folder of the checked-out repository",
            remedy="Correct `with: path:`, or put `actions/checkout` before this step.",
        )
    resolved = place.resolve()
    if not any((folder / ".git").exists() for folder in (resolved, *resolved.parents)):
        raise _wrong(
            f"There is no git repository at {str(place)!r}.",
            expected="a checked-out repository: the gates read what git tracks",
            remedy="Put `actions/checkout` with `fetch-depth: 0` before this step.",
        )


def _wrong(problem: str, *, expected: str, remedy: str) -> StartupProblem:
    return StartupProblem("core.wrong_usage", problem, expected=expected, remedy=remedy, exit_code=MISCONFIGURED)
