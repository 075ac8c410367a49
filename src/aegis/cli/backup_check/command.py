"""`aegis backup-check`: databases have fresh backups, and the restore of one was proven lately."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from aegis.cli.backup_check.options import FORMATS, MODES, TIERS, BackupCheckOptions


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "backup-check", help="databases have fresh backups that are proven to restore", allow_abbrev=False
    )
    parser.add_argument("path", nargs="?", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument("--base", metavar="REV", help="take policy and keys from the merge base with REV")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")
    parser.add_argument(
        "--mode", choices=MODES, default="check",
        help="check: freshness, presence and the last proof (default); verify: restore the newest backup first; run:"
        " take a backup first",
    )  # fmt: skip
    parser.add_argument("--database", metavar="NAME", help="only this database of the policy (default: all)")
    parser.add_argument("--max-age", metavar="DURATION", help="a shorter limit than the policy's, e.g. 12h")
    parser.add_argument("--tier", choices=TIERS, help="prove more than the policy asks for")
    parser.add_argument("--identity-file", metavar="FILE", type=Path, help="age identities for encrypted backups")
    parser.add_argument("--database-url-file", metavar="FILE", type=Path, help="the database's address, for `run`")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    parser.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    parser.add_argument("--github", action="store_true", help="take inputs, event and reports as a GitHub action does")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the gate."""
    from aegis.cli import deliver
    from aegis.cli.backup_check.answer import answer
    from aegis.core.verdict import exit_code

    if arguments.github:
        from aegis.cli.backup_check import issue as backup_check_issue

        options = BackupCheckOptions.from_inputs(os.environ)
        verdict = answer(options, os.environ)
        try:
            return deliver.to_github(verdict, options, os.environ)
        finally:
            # it is the alarm that is left where a report could not be written
            if problem := backup_check_issue.keep(verdict, options, os.environ):
                deliver.warn("Aegis: issue", f"The issue about backups: {problem}")
    options = BackupCheckOptions.from_arguments(arguments, os.environ)
    verdict = answer(options, os.environ)
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)
