"""The policy of `aegis backup`'s commands: the section `backup-check` of a file, with what it extends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis.cli.files import read_file
from aegis.core.errors import UsageError
from aegis.core.policy import BackedUp, BackupCheckPolicy
from aegis.gates.backup_check.check import check_policy


@dataclass(frozen=True, slots=True)
class Policed:
    """A policy and where it stands."""

    policy: BackupCheckPolicy
    file: str
    """For messages."""
    root: Path
    """The folder of the file: of relative stores, keys and trusted roots."""


def read_policy(file: Path, environ: Mapping[str, str]) -> Policed:
    """The file as it lies there. Raises UsageError; CouldNotDecide where what it extends cannot be fetched."""
    from aegis.adapters.git.policy import PolicyRepository
    from aegis.core.policy_in_force import load_policy

    in_force = load_policy(read_file(file), str(file), PolicyRepository(environ).fetch)
    policy = in_force.policy.backup_check
    if policy is None:
        raise UsageError(
            "core.policy_missing",
            f"{str(file)!r} has no section `backup-check`",
            expected="`backup-check:` with a store and its databases",
            remedy="add the section, e.g. by `aegis init --gates …`, or name another file by --policy",
        )
    check_policy(policy, file=str(file))
    return Policed(policy, str(file), file.absolute().parent)


def database_of(policed: Policed, name: str | None) -> BackedUp:
    """The database of this name; without one, the only one there is. Raises UsageError."""
    databases = policed.policy.databases
    found = [each for each in databases if name in {None, each.name}]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        "core.wrong_usage",
        f"{policed.file} names {len(databases)} databases" + (f", and none is {name[:200]!r}" if name else ""),
        expected=f"--database with one of {', '.join(each.name for each in databases) or '(none)'}",
        remedy="name the database as the policy does",
    )
