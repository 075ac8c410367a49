"""`aegis`: finds the command, and turns every error into one message and an exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import aegis
from aegis.cli import all_gates, scan
from aegis.core.errors import AegisError, CouldNotDecide, crashed
from aegis.core.verdict import EXIT_ERROR
from aegis.report.escape import terminal_block


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give back the exit code (0 pass, 1 fail, 2 wrong usage or policy, 3 could not decide)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except AegisError as error:
        sys.stderr.write(f"aegis: {error.code}: {terminal_block(str(error))}\n")
        return error.exit_code
    except BrokenPipeError:
        return EXIT_ERROR
    except Exception as error:  # noqa: BLE001 - a defect is told like every other reason for no answer
        sys.stderr.write(f"aegis: core.crashed: {terminal_block(str(crashed(error)))}\n")
        return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aegis", description="Gates that cannot be green by accident.")
    parser.add_argument("--version", action="version", version=f"aegis {aegis.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    scan.add_command(commands)
    all_gates.add_command(commands)
    return parser


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    # A second signal must not cut the verdict off that the first one asked for.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise CouldNotDecide(
        "core.interrupted",
        f"stopped by {signal.Signals(number).name}",
        expected="time to finish",
        remedy="run it again",
    )
