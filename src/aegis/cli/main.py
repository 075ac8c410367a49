"""`aegis`: finds the command, and turns every error into one message and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import aegis
from aegis.cli.interruption import Stopped, stop_on_signals
from aegis.cli.streams import make_ready
from aegis.core.errors import AegisError, CouldNotDecide, crashed
from aegis.report.escape import terminal_block

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "scan": "aegis.cli.scan.command",
        "verify": "aegis.cli.verify.command",
        "backup-check": "aegis.cli.backup_check.command",
        "canary": "aegis.cli.canary.command",
        "sign": "aegis.cli.sign",
        "credentials": "aegis.cli.credentials.command",
        "audit": "aegis.cli.audit.command",
        "model": "aegis.cli.model",
        "backup": "aegis.cli.backup.command",
        "evidence": "aegis.cli.evidence.command",
        "render": "aegis.cli.render",
        "report": "aegis.cli.report.command",
        "all": "aegis.cli.all.command",
        "init": "aegis.cli.init.command",
        "github": "aegis.cli.github",
        "doctor": "aegis.cli.doctor.command",
        "fleet": "aegis.cli.fleet.command",
        "acceptance": "aegis.cli.acceptance.command",
        "explain": "aegis.cli.explain",
    }
)
"""Each command's module, which has `add_command`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give back the exit code (0 pass, 1 fail, 2 wrong usage or policy, 3 could not decide)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _ended(given)
    except Stopped as stopped:  # the answer was there already, or was being told
        return _told(stopped.reason)


def _ended(given: Sequence[str]) -> int:
    """The exit code, with everything written."""
    code = _run(given)
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try once more at its end, and change the exit code to one that means nothing here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CouldNotDecide.exit_code
    return code


def _run(given: Sequence[str]) -> int:
    if not sys.warnoptions:
        # They are for developers, e.g. of odd names in a certificate; whatever counts for a user is said in a reason.
        warnings.simplefilter("ignore")
    try:
        make_ready()
        stop_on_signals()
        parsed = parser_of(given[0] if given else None).parse_args(given)
        return int(parsed.run(parsed))
    except AegisError as error:
        return _told(error)
    except Stopped as stopped:
        return _told(stopped.reason)
    except BrokenPipeError:  # nobody reads on
        return CouldNotDecide.exit_code
    except Exception as error:  # a defect is told like every other reason for no answer
        return _told(crashed(error))


def message_of(error: AegisError) -> str:
    """An error for a terminal, with its line's end."""
    return f"aegis: {error.code}: {terminal_block(str(error))}\n"


def _told(error: AegisError) -> int:
    sys.stderr.write(message_of(error))
    return error.exit_code


class _Parser(argparse.ArgumentParser):
    """Each command's own parser tells of what it does not know, with its own usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """What is known; of the rest, argparse would have the topmost parser tell, which knows no options."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def parser_of(chosen: str | None) -> argparse.ArgumentParser:
    """The command line with the chosen command alone; where that is none of ours, with all of them."""
    parser = _Parser(prog="aegis", description="Gates that cannot be green by accident.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"aegis {aegis.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    # A command costs the import of its own module only; help and mistakes need all of them.
    for name, module in COMMANDS.items():
        if chosen not in COMMANDS or name == chosen:
            import_module(module).add_command(commands)
    return parser
