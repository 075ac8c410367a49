"""`aegis canary`: a version that is rolled out is judged by evidence, and promoted or rolled back."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MODULES = (
    "aegis.cli.canary_judge",
    "aegis.cli.canary_watch",
    "aegis.cli.canary_serve",
    "aegis.cli.canary_simulate",
    "aegis.cli.canary_forecast",
    "aegis.cli.canary_preflight",
    "aegis.cli.canary_backtest",
)
"""Each has `add_command`."""


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser = commands.add_parser("canary", help="a rollout is judged by evidence", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in MODULES:
        import_module(module).add_command(below)
