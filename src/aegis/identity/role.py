"""An IAM role by its ARN, and the name under which a run appears in CloudTrail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegis.core.errors import UsageError

_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12}):role/"
    r"(?P<path>(?:[!-.0-~]+/)*)(?P<name>[A-Za-z0-9_+=,.@-]{1,64})"
)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"""
_SESSION = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
"""`RoleSessionName` of STS's API reference, in ASCII."""
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and what its ARN says about it."""

    arn: str
    partition: str
    """`aws`, `aws-cn`, `aws-us-gov`, …"""
    account: str
    name: str
    """Without its path, as it stands in the ARN of a session."""


def parse_role(arn: str) -> Role:
    """The role of an ARN. `UsageError` with `verify.role_invalid`."""
    found = _ARN.fullmatch(arn) if len(arn) <= 2048 else None
    if found is None:
        raise UsageError(
            "verify.role_invalid",
            f"the role is {arn[:200]!r}",
            expected="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/aegis-verify",
            remedy="Correct `verify.aws.role`, or the input or variable that names the role.",
        )
    return Role(arn, found["partition"], found["account"], found["name"])


def session_name(gate: str, run_id: str | None, attempt: str | None) -> str:
    """`aegis-GATE-RUN-ATTEMPT`, so that CloudTrail leads to the run; `aegis-GATE-local` outside a workflow."""
    on_github = bool(_NUMBER.fullmatch(run_id or "") and _NUMBER.fullmatch(attempt or ""))
    name = f"aegis-{gate}-{run_id}-{attempt}" if on_github else f"aegis-{gate}-local"
    if not _SESSION.fullmatch(name):
        raise ValueError(f"no session name of STS: {name!r}")  # `gate` is ours
    return name
