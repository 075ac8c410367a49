"""Which policy a command of `aegis backup` follows, and how it proves to a cloud who it is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_POLICY = Path("aegis.yml")
_MOST_JOBS = 64


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Which policy; without a repository, since a CronJob has none."""
    parser.add_argument(
        "--policy", metavar="FILE", type=Path, help="the policy (default: what AEGIS_POLICY names, else aegis.yml)"
    )


def add_database_argument(parser: argparse.ArgumentParser) -> None:
    """Which database of the policy."""
    parser.add_argument(
        "--database", metavar="NAME", help="the database's name in the policy (default: the only one there is)"
    )


def jobs(text: str) -> int:
    """A number of sessions, as an argument has it."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:4]) <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text[:40]!a} is no number from 1 to {_MOST_JOBS}")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """The wishes, before the policy has had its word."""

    policy: Path = DEFAULT_POLICY
    """The file as it lies there: whoever runs these commands could run others as well."""
    named: bool = False
    """Whether somebody has named it, so that it must be there."""
    github: bool = False
    """Whether a workflow asks, which proves who it is by its OIDC token."""
    role: str | None = None
    """ARN of the role to assume, where the policy names none."""
    region: str | None = None
    oci_client_id: str = field(default="", repr=False)
    oci_client_secret: str = field(default="", repr=False)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environ: Mapping[str, str]) -> BackupOptions:
        """Of the command line; what a workflow keeps as variables or secrets comes from the environment."""
        return cls(
            policy=arguments.policy or Path(environ.get("AEGIS_POLICY") or DEFAULT_POLICY),
            named=bool(arguments.policy or environ.get("AEGIS_POLICY")),
            github=environ.get("GITHUB_ACTIONS") == "true",
            role=environ.get("AWS_ROLE_TO_ASSUME") or None,
            region=environ.get("AWS_REGION") or None,
            oci_client_id=environ.get("OCI_CLIENT_ID", ""),
            oci_client_secret=environ.get("OCI_CLIENT_SECRET", ""),
        )
