"""The tight trust policy for one job of one repository: what `aegis credentials trust` prints.

It asks for the audience, the repository by id, its subject in both of GitHub's forms, the environment or ref, and the
workflow. So a fork, a pull request, another branch, a renamed repository or one that took over its name, another
workflow or environment, and a token for another cloud are all refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import UsageError
from aegis.identity.subject import both_forms, context_of
from aegis.identity.trust_evaluation import ACTION

ISSUER = "token.actions.githubusercontent.com"
_NAME = r"[A-Za-z0-9_.-]{1,100}"
_REPOSITORY = re.compile(f"{_NAME}/{_NAME}")
_ID = re.compile(r"[1-9][0-9]{0,18}")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_./ -]{1,255}")
_REF = re.compile(r"refs/(?:heads/[\w./-]+|tags/[\w./-]+\*?|pull/\*/merge)", re.ASCII)
_WORKFLOW = re.compile(r"\.github/workflows/[\w.-]+\.ya?ml", re.ASCII)
_REUSABLE = re.compile(rf"{_NAME}/{_NAME}/\.github/workflows/[\w.-]+\.ya?ml@(?:[0-9a-f]{{40}}|refs/[\w./-]+)", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedJob:
    """The job that is trusted. Raises `UsageError` where a part is not what it should be."""

    repository: str
    """`OWNER/NAME`."""
    owner_id: str
    repository_id: str
    workflow: str
    """`.github/workflows/FILE` of the repository, or `OWNER/NAME/.github/workflows/FILE@SHA` of a reusable one."""
    environment: str | None = None
    refs: tuple[str, ...] = ()
    """Full refs; `refs/pull/*/merge` for pull requests, `refs/tags/v*` for tags. None: any, with an environment."""
    audience: str = "sts.amazonaws.com"

    def __post_init__(self) -> None:
        """Check each part."""
        for name, value, pattern, example in (
            ("repository", self.repository, _REPOSITORY, "OWNER/NAME"),
            ("owner id", self.owner_id, _ID, "a number, as `gh api repos/OWNER/NAME --jq .owner.id` prints"),
            ("repository id", self.repository_id, _ID, "a number, as `gh api repos/OWNER/NAME --jq .id` prints"),
        ):
            if not pattern.fullmatch(value):
                raise _wrong(name, value, example)
        if not (_WORKFLOW.fullmatch(self.workflow) or _REUSABLE.fullmatch(self.workflow)):
            raise _wrong(
                "workflow", self.workflow, ".github/workflows/FILE.yml, or OWNER/NAME/.github/workflows/FILE.yml@SHA"
            )
        if self.environment is not None and not _ENVIRONMENT.fullmatch(self.environment):
            raise _wrong("environment", self.environment, "letters, digits and -_./ only")
        for ref in self.refs:
            if not _REF.fullmatch(ref):
                raise _wrong("ref", ref, "refs/heads/NAME, refs/tags/NAME, refs/tags/v* or refs/pull/*/merge")
        if self.environment is None and not self.refs:
            raise _wrong("place", "any", "an environment, a ref, or both")


def aws_trust_policy(job: TrustedJob, *, account: str, partition: str = "aws") -> dict[str, Any]:
    """The trust policy of an IAM role in an account, as a JSON document."""
    if not _ACCOUNT.fullmatch(account):
        raise _wrong("account", account, "the 12 digits of an AWS account")
    conditions: dict[str, dict[str, Any]] = {}
    for claim, values in _wanted(job).items():
        operator = "StringLike" if any("*" in value for value in values) else "StringEquals"
        conditions.setdefault(operator, {})[f"{ISSUER}:{claim}"] = values[0] if len(values) == 1 else values
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AegisVerify",
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{ISSUER}"},
                "Action": ACTION,
                "Condition": dict(sorted(conditions.items())),
            }
        ],
    }


def _wanted(job: TrustedJob) -> dict[str, list[str]]:
    """Each claim and the values that it may have."""
    owner, _, name = job.repository.partition("/")
    contexts = dict.fromkeys(context_of(ref, job.environment) for ref in job.refs or (None,))
    wanted = {
        "aud": [job.audience],
        "sub": [
            form for context in contexts for form in both_forms(owner, name, job.owner_id, job.repository_id, context)
        ],
        "repository_id": [job.repository_id],
        "job_workflow_ref": _workflow_refs(job),
    }
    if job.environment is not None:
        wanted["environment"] = [job.environment]
    if job.refs:
        wanted["ref"] = list(job.refs)
    return wanted


def _workflow_refs(job: TrustedJob) -> list[str]:
    """A workflow of the repository itself runs at the ref of the run."""
    if _REUSABLE.fullmatch(job.workflow):
        return [job.workflow]
    return [f"{job.repository}/{job.workflow}@{ref}" for ref in job.refs or ("*",)]


def _wrong(what: str, value: str, expected: str) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"the {what} is {value[:200]!r}",
        expected=expected,
        remedy="Correct the argument; `aegis credentials trust --help` explains each.",
    )
