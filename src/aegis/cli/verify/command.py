"""`aegis verify`: artifacts are signed by whom the policy says."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis.cli.verify.options import FORMATS, VerifyOptions, add_repository_arguments


def add_command(commands: Any) -> None:
    """Add the command, its arguments, and the commands below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify", help="artifacts are signed by whom the policy says", allow_abbrev=False
    )
    add_arguments(parser)
    parser.set_defaults(run=run)
    from aegis.cli.verify import fetch as verify_fetch
    from aegis.cli.verify import one as verify_one
    from aegis.cli.verify import release as verify_release
    from aegis.cli.verify import shards as verify_shards

    below = parser.add_subparsers(title="single artifacts, releases and shards", metavar="COMMAND")
    for module in (verify_one, verify_fetch, verify_release, verify_shards):
        module.add_commands(below)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the gate; the runbook's script takes the same."""
    add_repository_arguments(parser)
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    parser.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    parser.add_argument("--shard", metavar="I/N", help="judge only the I-th of N shards of `aegis verify plan`")
    parser.add_argument("--github", action="store_true", help="take inputs, event and reports as a GitHub action does")


def run(arguments: argparse.Namespace) -> int:
    """Run the gate."""
    from aegis.cli import deliver
    from aegis.cli.progress import progress_bar
    from aegis.cli.verify.answer import answer
    from aegis.core.verdict import exit_code

    if arguments.github:
        options = VerifyOptions.from_inputs(os.environ)
        return deliver.to_github(answer(options, os.environ), options, os.environ)
    options = VerifyOptions.from_arguments(arguments, os.environ)
    with progress_bar("verify") as progress:
        verdict = answer(replace(options, progress=progress), {})
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)
