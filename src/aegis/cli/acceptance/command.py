"""`aegis acceptance`: the runbook's criteria, probed; and `aegis acceptance verify`: its evidence, verified offline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

MODES = ("local", "staging", "plan")
OUTPUT = "acceptance-evidence"
CATALOGUE = "acceptance/catalogue.yml"


def add_command(commands: Any) -> None:
    """Add the command and the one below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "acceptance", help="the runbook's acceptance criteria, with evidence", allow_abbrev=False
    )
    parser.add_argument("--mode", choices=MODES, help="on this machine, against real endpoints, or only what would run")
    parser.add_argument("--only", metavar="A4", action="append", default=[], help="this criterion; may be repeated")
    parser.add_argument(
        "--plant", metavar="A4[:FAULT]", action="append", default=[],
        help="put a fault in place of the real thing: the criterion must turn red, and no other; may be repeated",
    )  # fmt: skip
    parser.add_argument("--output", metavar="DIR", type=Path, help=f"for the evidence (default: {OUTPUT})")
    parser.add_argument("--resume", action="store_true", help="keep what a broken-off run has answered in that folder")
    parser.add_argument("--jobs", metavar="N", type=int, help="criteria at once (default: local by cores, staging one)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="of staging (default: acceptance.staging.yml)")
    parser.add_argument("--path", metavar="DIR", type=Path, default=Path(), help="the repository (default: this one)")
    parser.set_defaults(run=run)
    below = parser.add_subparsers(title="commands", metavar="COMMAND")
    verify = below.add_parser(
        "verify", help="whether an evidence folder is what a run wrote; offline", allow_abbrev=False
    )
    verify.add_argument("folder", metavar="DIR", type=Path, help="the evidence folder")
    verify.add_argument("--key", metavar="FILE", type=Path, help="public key that must have signed the evidence")
    verify.add_argument("--bundle", metavar="FILE", type=Path, help="(default: evidence.json.sigstore.json in DIR)")
    verify.add_argument("--commit", metavar="SHA", help="refuse evidence of another commit")
    verify.add_argument("--accepted", action="store_true", help="refuse unless every criterion was accepted")
    verify.set_defaults(run=run_verify)


def run(arguments: argparse.Namespace) -> int:
    """Run the probes, or show what would be run."""
    from aegis.cli.acceptance import plan, probes

    if arguments.mode == "plan":
        return plan.show(arguments)
    return probes.run(arguments)


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify a folder."""
    from aegis.cli.acceptance import verify

    return verify.run(arguments)
