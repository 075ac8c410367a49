"""`aegis canary watch`: looks until there is a decision, then promotes or aborts, and waits until that is true."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from aegis.cli.canary.options import CanaryOptions, add_arguments


def add_command(commands: Any) -> None:
    """Add `watch`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch",
        help="look until there is a decision, and promote (exit 0) or abort (1) the rollout; 3: neither",
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.add_argument(
        "--no-act", dest="act", action="store_false", help="only look: promote and abort nothing in the cluster"
    )
    parser.add_argument(
        "--record", metavar="FILE", type=Path, help="note every sample in a new file, for `simulate --recorded`"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch."""
    from aegis.cli import deliver
    from aegis.cli.canary.watching import Means, watched
    from aegis.core.verdict import exit_code

    options = CanaryOptions.from_arguments(arguments, os.environ)
    verdict = watched(options, os.environ, Means())
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)
