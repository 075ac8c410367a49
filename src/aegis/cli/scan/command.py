"""`aegis scan`: no direct cloud SDK in runtime code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli import deliver
from aegis.cli.progress import progress_bar
from aegis.cli.scan.options import ScanOptions
from aegis.core.verdict import Verdict, exit_code

if TYPE_CHECKING:
    from aegis.gates.scan.gate import Judged

FORMATS = ("text", "json", "sarif", "markdown")


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "scan", help="no direct cloud SDK in runtime code", allow_abbrev=False
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command; the runbook's script takes the same."""
    parser.add_argument("path", nargs="?", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument(
        "--strict", action="store_true", help="fail on every class that is not allowed, and on anything not analysed"
    )
    parser.add_argument("--base", metavar="REV", help="report only what is new since the merge base with REV")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    parser.add_argument("--second-opinion", action="store_true", help="let a second engine read whole files too")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    printed.add_argument("--migration", action="store_true", help="print uses by provider and service")
    printed.add_argument("--write-baseline", action="store_true", help="write the file that scan.baseline names")
    parser.add_argument("--github", action="store_true", help="take inputs, event and reports as a GitHub action does")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    if arguments.github:
        options = ScanOptions.from_inputs(os.environ)
        verdict, _ = answer(options, os.environ)
        return deliver.to_github(verdict, options, os.environ)
    options = ScanOptions.from_arguments(arguments)
    with progress_bar("scan") as progress:
        verdict, judged = answer(replace(options, progress=progress), {})
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    if judged is not None and options.write_baseline:
        from aegis.cli.scan import baseline_file

        return baseline_file.write(judged.not_allowed, verdict.policy.effective.get("baseline"), options)
    if judged is not None and arguments.migration:
        from aegis.gates.scan import migration

        sys.stdout.write(migration.report(judged.uses, judged.before))
        return exit_code(verdict)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)


def answer(options: ScanOptions, environ: Mapping[str, str]) -> tuple[Verdict, Judged | None]:
    """The verdict, and what is behind it unless an error stood in the way."""
    from aegis.cli.scan import run as scan_run

    return scan_run.answer(options, environ)
