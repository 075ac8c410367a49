"""`aegis canary judge`: one look at a rollout. It decides nothing by itself that is not said by its exit code."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from aegis.cli.canary.options import CanaryOptions, add_arguments


def add_command(commands: Any) -> None:
    """Add `judge`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "judge",
        help="look once: promote (exit 0), abort (1), go on looking or inconclusive (3)",
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look once."""
    from aegis.cli import deliver
    from aegis.cli.canary.run import judged
    from aegis.core.verdict import exit_code

    options = CanaryOptions.from_arguments(arguments, os.environ)
    verdict = judged(options, os.environ, time.time)
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)
