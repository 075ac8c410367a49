"""`aegis explain`: what a reason code means and what to do, whichever gate or command gave it."""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import Any

from aegis.core.codes import CODES
from aegis.core.errors import UsageError


def add_command(commands: Any) -> None:
    """Add the command and its argument."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help="what a reason code means and what to do", allow_abbrev=False
    )
    parser.add_argument("code", nargs="?", help="a reason code, e.g. scan.runtime (default: list them all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one entry of the registry, or the list of all."""
    sys.stdout.write(_all() if arguments.code is None else _one(arguments.code))
    return 0


def _all() -> str:
    return "".join(f"{code.id}: {code.title}\n" for code in CODES.values())


def _one(rule: str) -> str:
    """A bare class of use (`runtime`) means its scan rule."""
    code = CODES.get(rule) or CODES.get(f"scan.{rule.replace('-', '_')}")
    if code is None:
        near = difflib.get_close_matches(rule, CODES, n=1, cutoff=0.6)
        raise UsageError(
            "core.wrong_usage",
            f"there is no reason code {rule!r}",
            expected="a reason code such as scan.runtime",
            remedy=f"did you mean {near[0]}?" if near else "`aegis explain` alone lists them all",
        )
    return f"{code.id}: {code.title}\n\nwhy:    {code.why}\nremedy: {code.remedy}\n"
