"""`aegis canary`: a version that is rolled out is judged by evidence, and promoted or rolled back."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from typing import Any

from aegis.core.errors import UsageError

MODULES = (
    "aegis.cli.canary.judge",
    "aegis.cli.canary.watch",
    "aegis.cli.canary.serve",
    "aegis.cli.canary.simulate",
    "aegis.cli.canary.forecast",
    "aegis.cli.canary.preflight",
    "aegis.cli.canary.backtest",
)
"""Each has `add_command`."""


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "canary", help="a rollout is judged by evidence", allow_abbrev=False
    )
    parser.add_argument("--github", action="store_true", help="take inputs, event and reports as a GitHub action does")
    parser.set_defaults(run=run)
    below = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in MODULES:
        import_module(module).add_command(below)


def run(arguments: argparse.Namespace) -> int:
    """Run as an action, whose inputs say which command it is."""
    if not arguments.github:
        raise UsageError(
            "core.wrong_usage",
            "`aegis canary` was called without a command",
            expected="watch, judge, preflight, forecast, simulate, backtest or serve",
            remedy="`aegis canary --help` lists them",
        )
    from aegis.cli.canary import github as canary_github

    return canary_github.run(os.environ)
