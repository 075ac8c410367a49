"""`aegis all`: every gate that the policy names, and the worst of their answers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis.cli import deliver
from aegis.cli.all import answers, matrix
from aegis.cli.all.answers import Answers
from aegis.cli.all.options import GATES, AllOptions
from aegis.core.verdict import Verdict, exit_code
from aegis.report import outputs


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
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--list", action="store_true", help="judge nothing: print the gates that a matrix needs, as JSON")
    part.add_argument("--only", metavar="GATE", choices=GATES, help="judge one gate, as a job of a matrix does")
    part.add_argument("--merge", metavar="DIR", type=Path, help="one verdict over the verdict.json of each, below DIR")
    parser.set_defaults(run=run, strict=False, second_opinion=False, write_baseline=False)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    environ = os.environ if arguments.github else {}
    if arguments.github:
        options = AllOptions.from_inputs(environ, lists=arguments.list)
    else:
        options = AllOptions.from_arguments(arguments, os.environ)
    if options.task == "list":
        return _list(options, environ)
    if options.only is not None:
        return _deliver(answers.one(options, environ, options.only), options, environ)
    judge = answers.judged if options.task == "judge" else matrix.merged_verdict
    told = judge(options, environ)
    _keep(told, options, environ)
    return _deliver(told.whole, options, environ)


def _list(options: AllOptions, environ: Mapping[str, str]) -> int:
    found = matrix.listed(options, environ)
    if isinstance(found, Verdict):
        return _deliver(found, options, environ)
    text = matrix.rendered(found)
    if file := environ.get("GITHUB_OUTPUT"):
        outputs.append(Path(file), outputs.render({"gates": text}))
    sys.stdout.write(f"{text}\n")
    return 0


def _keep(told: Answers, options: AllOptions, environ: Mapping[str, str]) -> None:
    """Each gate's own verdict, in a folder below that of the common one."""
    if options.scan.output is not None:
        workspace = Path(environ["GITHUB_WORKSPACE"]) if "GITHUB_WORKSPACE" in environ else None
        for verdict in told.gates:
            deliver.to_folder(verdict, options.scan.output / verdict.gate, workspace)


def _deliver(verdict: Verdict, options: AllOptions, environ: Mapping[str, str]) -> int:
    if environ:
        return deliver.to_github(verdict, options.scan, environ)
    if options.scan.output is not None:
        deliver.to_folder(verdict, options.scan.output)
    deliver.to_terminal(verdict, "text")
    return exit_code(verdict)
