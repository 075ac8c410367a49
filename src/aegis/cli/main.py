"""`aegis`: finds the command, and turns every error into one message and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import aegis
from aegis.cli import all_gates, credentials, scan, sign, verify
from aegis.cli.interruption import Stopped, stop_on_signals
from aegis.core.errors import AegisError, crashed
from aegis.core.verdict import EXIT_ERROR
from aegis.report.escape import terminal_block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give back the exit code (0 pass, 1 fail, 2 wrong usage or policy, 3 could not decide)."""
    code = _run(_parser().parse_args(arguments))
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try once more at its end, and change the exit code to one that means nothing here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    return code


def _run(parsed: argparse.Namespace) -> int:
    try:
        stop_on_signals()
        return int(parsed.run(parsed))
    except AegisError as error:
        return _told(error)
    except Stopped as stopped:
        return _told(stopped.reason)
    except BrokenPipeError:  # nobody reads on
        return EXIT_ERROR
    except Exception as error:  # a defect is told like every other reason for no answer
        return _told(crashed(error))


def _told(error: AegisError) -> int:
    sys.stderr.write(f"aegis: {error.code}: {terminal_block(str(error))}\n")
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aegis", description="Gates that cannot be green by accident.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"aegis {aegis.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    scan.add_command(commands)
    verify.add_command(commands)
    sign.add_command(commands)
    all_gates.add_command(commands)
    credentials.add_command(commands)
    return parser
