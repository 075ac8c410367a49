"""What a scan was asked for, by arguments or by the action's inputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis.cli.surroundings import read_input


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """The wishes, before the policy has had its word."""

    path: str = "."
    strict: bool = False
    lenient: bool = False
    """Not strict was asked for by name, which is more than strictness not being asked for."""
    base: str | None = None
    policy: str | None = None
    output: Path | None = None
    upload: bool = False
    second_opinion: bool = False
    write_baseline: bool = False
    github: bool = False
    named_only: bool = False
    """Run only if the policy names the gate."""
    progress: Callable[[int, int], None] | None = None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> ScanOptions:
        """Of the command line."""
        return cls(
            path=arguments.path,
            strict=arguments.strict,
            base=arguments.base,
            policy=arguments.policy,
            output=arguments.output,
            second_opinion=arguments.second_opinion,
            write_baseline=arguments.write_baseline,
        )

    @classmethod
    def from_inputs(cls, environ: Mapping[str, str]) -> ScanOptions:
        """Of the action's inputs; start-up has checked their values. What is no plain `false` is strict."""
        workspace = environ.get("GITHUB_WORKSPACE") or "."
        output = read_input("output", environ)
        return cls(
            path=str(Path(workspace) / (read_input("path", environ) or ".")),
            strict=read_input("strict", environ) != "false",
            lenient=read_input("strict", environ) == "false",
            base=read_input("base", environ) or None,
            policy=read_input("policy", environ) or None,
            output=Path(workspace) / output if output else None,
            upload=read_input("upload", environ) != "never",
            github=True,
        )
