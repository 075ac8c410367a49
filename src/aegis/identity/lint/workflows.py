"""Rules for workflows whose jobs may ask for tokens: 17 to 20."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from aegis.core.errors import UsageError
from aegis.identity.lint.finding import LintFinding, Severity

_SHA = re.compile(r"@[0-9a-f]{40}$")
_FORGE = ("actions/", "github/")
"""Owners whose actions come from GitHub itself."""
_CLOUDS = {
    "aws-actions/": "AWS",
    "google-github-actions/": "Google Cloud",
    "azure/": "Azure",
    "oracle-actions/": "OCI",
    "gtrevorrow/": "OCI",
    "hashicorp/vault-action": "Vault",
}
_AEGIS_VERIFY = re.compile(r"[^/]+/aegis(?:/actions/verify)?@")
_HEAD = re.compile(r"github\.event\.(?:pull_request\.head|workflow_run\.head)|github\.head_ref")

Found = Iterator[tuple[Severity, str, str]]
"""Severity, message and fix."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job, seen as what matters here."""

    name: str
    triggers: frozenset[str]
    granted_above: bool
    """The workflow, not the job, grants the token."""
    steps: tuple[Mapping[str, Any], ...]

    def uses(self) -> list[tuple[int, str, Mapping[str, Any]]]:
        """Steps that run an action: place, action, inputs."""
        found: list[tuple[int, str, Mapping[str, Any]]] = []
        for place, step in enumerate(self.steps):
            uses, inputs = step.get("uses"), step.get("with")
            if isinstance(uses, str):
                found.append((place, uses, inputs if isinstance(inputs, dict) else {}))
        return found

    def checkouts(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Steps that fetch a repository."""
        return [(place, inputs) for place, uses, inputs in self.uses() if uses.lower().startswith("actions/checkout@")]


def lint_workflow(text: str | bytes, *, name: str) -> list[LintFinding]:
    """All findings in a workflow. `UsageError` where it cannot be read."""
    return [
        LintFinding(rule, severity, name, f"job {job.name}", message, fix)
        for job in _jobs(text, name)
        for rule, check in _RULES.items()
        for severity, message, fix in check(job)
    ]


def exposed_token(job: Job) -> Found:
    """17: code of the change can ask for tokens."""
    if job.granted_above:
        yield (
            Severity.WARNING,
            "`id-token: write` stands at the top of the workflow, so every job may ask for tokens",
            "Move it to the permissions of the job that needs it.",
        )
    checkouts = job.checkouts()
    if job.triggers & {"pull_request_target", "workflow_run"} and any(
        isinstance(ref := inputs.get("ref"), str) and _HEAD.search(ref) for _, inputs in checkouts
    ):
        yield (
            Severity.ERROR,
            "it checks out the head of a pull request with the rights of the base: a fork gets tokens",
            "Use `pull_request`; for forks, have a maintainer start the check by `workflow_dispatch`.",
        )
    first = min((place for place, _ in checkouts), default=None)
    if first is not None and any(_runs_own_code(step) for step in job.steps[first + 1 :]):
        yield (
            Severity.WARNING,
            "it runs code of the checkout in a job that may ask for tokens",
            "Build and test in another job; here only pinned actions.",
        )


def persisted_credentials(job: Job) -> Found:
    """18: the repository's token stays in .git/config."""
    for _, inputs in job.checkouts():
        if inputs.get("persist-credentials") not in (False, "false"):
            yield (
                Severity.WARNING,
                "actions/checkout leaves its token in the work tree for every later step",
                "Set `persist-credentials: false`.",
            )


def shared_audience(job: Job) -> Found:
    """19: one token opens two clouds."""
    clouds: dict[str, str] = {}
    for _, uses, inputs in job.uses():
        cloud, audience = _cloud(uses), inputs.get("audience", inputs.get("jwtGithubAudience"))
        if cloud is None or not isinstance(audience, str):
            continue
        if clouds.setdefault(audience, cloud) != cloud:
            yield (
                Severity.ERROR,
                f"{clouds[audience]} and {cloud} get tokens for the same audience {audience!r}",
                "Use an audience of its own for each: otherwise each can replay the other's tokens.",
            )


def untrusted_before(job: Job) -> Found:
    """20: a step that anybody can change runs before the one that signs in."""
    signs_in = [place for place, uses, _ in job.uses() if _cloud(uses) or _AEGIS_VERIFY.match(uses)]
    for place, uses, _ in job.uses():
        pinned = _SHA.search(uses) or uses.lower().startswith(_FORGE) or uses.startswith(("./", "$/"))
        if not pinned and place < max(signs_in, default=-1):
            yield (
                Severity.WARNING,
                f"{uses!r} runs before the step that signs in, and is pinned to no commit",
                "Pin it by its 40-digit commit, or move it into a job without `id-token: write`.",
            )


_RULES: dict[str, Callable[[Job], Found]] = {
    "exposed-token": exposed_token,
    "persisted-credentials": persisted_credentials,
    "shared-audience": shared_audience,
    "untrusted-before": untrusted_before,
}


def _runs_own_code(step: Mapping[str, Any]) -> bool:
    uses = step.get("uses")
    return isinstance(step.get("run"), str) or (isinstance(uses, str) and uses.startswith(("./", "$/")))


def _cloud(uses: str) -> str | None:
    return next((cloud for start, cloud in _CLOUDS.items() if uses.lower().startswith(start)), None)


def _jobs(text: str | bytes, name: str) -> Iterator[Job]:
    """The jobs that may ask for tokens."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(name, f"it is no YAML: {type(error).__name__}") from error
    jobs = document.get("jobs") if isinstance(document, dict) else None
    if not isinstance(jobs, dict):
        raise _unreadable(name, "it has no jobs")
    # YAML 1.1 reads the key `on` as a truth value.
    triggers = frozenset(_names(document.get("on", document.get(True))))
    for job_name, job in jobs.items():
        if not isinstance(job, dict):
            raise _unreadable(name, f"job {str(job_name)[:50]!r} is no mapping")
        own = job.get("permissions")
        granted_above = own is None and _grants(document.get("permissions"))
        if granted_above or _grants(own):
            steps = job.get("steps")
            steps = tuple(one for one in steps if isinstance(one, dict)) if isinstance(steps, list) else ()
            yield Job(str(job_name)[:100], triggers, granted_above, steps)


def _grants(permissions: object) -> bool:
    return permissions == "write-all" or (isinstance(permissions, dict) and permissions.get("id-token") == "write")


def _names(value: object) -> list[str]:
    values = list(value) if isinstance(value, list | dict) else [value]
    return [one for one in values if isinstance(one, str)]


def _unreadable(name: str, problem: str) -> UsageError:
    return UsageError(
        "verify.trust_policy_invalid",
        f"{name}: {problem}",
        expected="a GitHub workflow",
        remedy="Pass the path of a file in .github/workflows.",
    )
