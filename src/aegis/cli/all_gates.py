"""`aegis all`: every gate that the policy names, and the worst of their answers."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis.cli import deliver
from aegis.cli.backup_check import answer as backup_check_answer
from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.canary import standing as canary_standing
from aegis.cli.scan import command as scan
from aegis.cli.scan.options import ScanOptions
from aegis.cli.verify import answer as verify_answer
from aegis.cli.verify.options import VerifyOptions
from aegis.core.merge import merged
from aegis.core.verdict import exit_code


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "all", help="every gate that aegis.yml names", allow_abbrev=False
    )
    parser.add_argument("path", nargs="?", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument("--base", metavar="REV", help="judge what is new since the merge base with REV")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the verdicts to DIR")
    parser.add_argument("--github", action="store_true", help="take inputs, event and reports as a GitHub action does")
    parser.set_defaults(run=run, strict=False, second_opinion=False, write_baseline=False)


def run(arguments: argparse.Namespace) -> int:
    """Run the gates one after the other. Each writes its own verdict to a folder below that of the common one."""
    environ = os.environ if arguments.github else {}
    if arguments.github:
        options, of_verify = ScanOptions.from_inputs(environ), VerifyOptions.from_inputs(environ)
        of_backups = BackupCheckOptions.from_inputs(environ)
    else:
        options = ScanOptions.from_arguments(arguments)
        of_verify = VerifyOptions.from_arguments(arguments, os.environ)
        of_backups = BackupCheckOptions.from_arguments(arguments, os.environ)
    options = replace(options, named_only=True, strict=False)
    # no pull request waits for a restore, or takes a backup
    of_backups = replace(of_backups, named_only=True, mode="check")
    every = [
        scan.answer(options, environ)[0],
        verify_answer.answer(replace(of_verify, named_only=True), environ),
        backup_check_answer.answer(of_backups, os.environ),
    ]
    # none named is wrong configuration, which the first verdict says
    verdicts = [verdict for verdict in every if verdict.reason != "core.gate_not_named"]
    # nor is anything judged where a rollout would be
    canary = canary_standing.answer(of_backups, os.environ)
    if canary.reason != "core.gate_not_named" and (verdicts or canary.result != "pass"):
        verdicts.append(canary)
    verdicts = verdicts or every[:1]
    if options.output is not None:
        workspace = Path(environ["GITHUB_WORKSPACE"]) if "GITHUB_WORKSPACE" in environ else None
        for verdict in verdicts:
            deliver.to_folder(verdict, options.output / verdict.gate, workspace)
    whole = merged(verdicts)
    if arguments.github:
        return deliver.to_github(whole, options, environ)
    if options.output is not None:
        deliver.to_folder(whole, options.output)
    deliver.to_terminal(whole, "text")
    return exit_code(whole)
