"""What a check of backups was asked for, by arguments and environment or by the action's inputs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args

from aegis.cli.surroundings import read_input
from aegis.core.errors import UsageError
from aegis.core.policy import Tier

Word = TypeVar("Word", bound=str)

CheckMode = Literal["check", "verify", "run"]
"""`check` looks at what is there; `verify` restores the newest backup first; `run` takes one first."""
MODES: Final[tuple[CheckMode, ...]] = get_args(CheckMode)
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
FORMATS: Final = ("text", "json", "sarif", "markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCheckOptions:
    """The wishes, before the policy has had its word."""

    path: str = "."
    base: str | None = None
    policy: str | None = None
    output: Path | None = None
    upload: bool = False
    github: bool = False
    named_only: bool = False
    """Run only if the policy names the gate."""
    mode: CheckMode = "check"
    database: str | None = None
    """Only this one of the policy's."""
    max_age: str | None = None
    """A shorter limit than the policy's."""
    tier: Tier | None = None
    """A higher one than the policy's."""
    role: str | None = None
    """ARN of the role to assume, where the policy names none."""
    region: str | None = None
    cosign_pub_key: str | None = None
    oci_client_id: str = field(default="", repr=False)
    oci_client_secret: str = field(default="", repr=False)
    identity_file: Path | None = None
    """age identities, for backups that are encrypted."""
    database_url_file: Path | None = None
    """The address of the database, for `run`."""

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environ: Mapping[str, str]) -> BackupCheckOptions:
        """Of the command line; what a workflow keeps as variables or secrets comes from the environment."""
        return cls(
            path=arguments.path,
            base=arguments.base,
            policy=arguments.policy,
            output=arguments.output,
            mode=getattr(arguments, "mode", "check"),
            database=getattr(arguments, "database", None),
            max_age=getattr(arguments, "max_age", None),
            tier=getattr(arguments, "tier", None),
            role=environ.get("AWS_ROLE_TO_ASSUME") or None,
            region=environ.get("AWS_REGION") or None,
            cosign_pub_key=environ.get("COSIGN_PUB_KEY") or None,
            oci_client_id=environ.get("OCI_CLIENT_ID", ""),
            oci_client_secret=environ.get("OCI_CLIENT_SECRET", ""),
            identity_file=getattr(arguments, "identity_file", None),
            database_url_file=getattr(arguments, "database_url_file", None),
        )

    @classmethod
    def from_inputs(cls, environ: Mapping[str, str]) -> BackupCheckOptions:
        """Of the action's inputs. Raises UsageError for a mode or tier that there is not."""
        workspace = environ.get("GITHUB_WORKSPACE") or "."
        output = read_input("output", environ)
        return cls(
            path=str(Path(workspace) / (read_input("path", environ) or ".")),
            base=read_input("base", environ) or None,
            policy=read_input("policy", environ) or None,
            output=Path(workspace) / output if output else None,
            upload=read_input("upload", environ) != "never",
            github=True,
            mode=_one_of("mode", MODES, environ) or "check",
            database=read_input("database", environ) or None,
            max_age=read_input("max-age", environ) or None,
            tier=_one_of("tier", TIERS, environ),
            role=read_input("aws-role-to-assume", environ) or None,
            region=read_input("aws-region", environ) or None,
            cosign_pub_key=read_input("cosign-pub-key", environ) or None,
            oci_client_id=read_input("oci-client-id", environ),
            oci_client_secret=read_input("oci-client-secret", environ),
        )


def _one_of(name: str, words: tuple[Word, ...], environ: Mapping[str, str]) -> Word | None:
    given = read_input(name, environ)
    if not given:
        return None
    for word in words:
        if given == word:
            return word
    raise UsageError(
        "core.wrong_usage",
        f"the input {name!r} is {given[:40]!r}",
        expected=f"one of {', '.join(words)}",
        remedy=f"correct the input {name!r}",
    )
