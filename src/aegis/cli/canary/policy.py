"""The policy of the commands that judge nothing: the section `canary` of a file as it lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aegis.core.errors import UsageError
from aegis.core.policy import CanaryPolicy


def read_policy(file: Path, environ: Mapping[str, str]) -> CanaryPolicy:
    """Checked. Raises UsageError; CouldNotDecide where what it extends cannot be fetched."""
    return read_with_mode(file, environ)[0]


def read_with_mode(file: Path, environ: Mapping[str, str]) -> tuple[CanaryPolicy, str]:
    """The section, checked, and the mode of the whole policy. Raises as `read_policy`."""
    from aegis.adapters.git.policy import PolicyRepository
    from aegis.cli.files import read_file
    from aegis.core.policy_in_force import load_policy
    from aegis.gates.canary.check import check_policy

    policy = load_policy(read_file(file), str(file), PolicyRepository(environ).fetch).policy
    if policy.canary is None:
        raise no_section(str(file), str(file))
    check_policy(policy.canary, file=str(file))
    return policy.canary, policy.mode


def no_section(origin: str, file: str) -> UsageError:
    """The error for a policy that says nothing of rollouts."""
    return UsageError(
        "core.policy_missing",
        f"the policy ({origin}) has no section `canary`",
        expected=f"`canary:` with prometheus, rollout and metrics in {file}",
        remedy="add the section, e.g. by `aegis init --gates …`",
    )
