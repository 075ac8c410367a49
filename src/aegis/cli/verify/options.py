"""What a verification was asked for, by arguments and environment or by the action's inputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aegis.cli.surroundings import read_input

FORMATS = ("text", "json", "sarif", "markdown")
SHARD = "shard.json"
"""What a shard writes into its output folder."""


def add_repository_arguments(parser: argparse.ArgumentParser) -> None:
    """Which repository and whose policy."""
    parser.add_argument("--path", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument("--base", metavar="REV", help="take policy, keys and lock from the merge base with REV")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")


def shard_files(folder: Path) -> tuple[Path, ...]:
    """Every shard's file below a folder into which artifacts were downloaded."""
    return tuple(sorted(folder.rglob(SHARD)))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """The wishes, before the policy has had its word."""

    path: str = "."
    base: str | None = None
    policy: str | None = None
    output: Path | None = None
    upload: bool = False
    github: bool = False
    named_only: bool = False
    """Run only if the policy names the gate."""
    shard: str | None = None
    """`i/N`."""
    shards: tuple[Path, ...] | None = None
    """Files of all shards, to be merged."""
    role: str | None = None
    """ARN of the role to assume, where the policy names none."""
    region: str | None = None
    cosign_pub_key: str | None = None
    oci_client_id: str = field(default="", repr=False)
    oci_client_secret: str = field(default="", repr=False)
    progress: Callable[[int, int], None] | None = None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environ: Mapping[str, str]) -> VerifyOptions:
        """Of the command line; what a workflow keeps as variables or secrets comes from the environment."""
        return cls(
            path=arguments.path,
            base=arguments.base,
            policy=arguments.policy,
            output=arguments.output,
            shard=getattr(arguments, "shard", None),
            role=environ.get("AWS_ROLE_TO_ASSUME") or None,
            region=environ.get("AWS_REGION") or None,
            cosign_pub_key=environ.get("COSIGN_PUB_KEY") or None,
            oci_client_id=environ.get("OCI_CLIENT_ID", ""),
            oci_client_secret=environ.get("OCI_CLIENT_SECRET", ""),
        )

    @classmethod
    def from_inputs(cls, environ: Mapping[str, str]) -> VerifyOptions:
        """Of the action's inputs; start-up has checked their values."""
        workspace = environ.get("GITHUB_WORKSPACE") or "."
        output, shards = read_input("output", environ), read_input("shards", environ)
        return cls(
            path=str(Path(workspace) / (read_input("path", environ) or ".")),
            base=read_input("base", environ) or None,
            policy=read_input("policy", environ) or None,
            output=Path(workspace) / output if output else None,
            upload=read_input("upload", environ) != "never",
            github=True,
            shard=read_input("shard", environ) or None,
            shards=shard_files(Path(workspace) / shards) if shards else None,
            role=read_input("aws-role-to-assume", environ) or None,
            region=read_input("aws-region", environ) or None,
            cosign_pub_key=read_input("cosign-pub-key", environ) or None,
            oci_client_id=read_input("oci-client-id", environ),
            oci_client_secret=read_input("oci-client-secret", environ),
        )
