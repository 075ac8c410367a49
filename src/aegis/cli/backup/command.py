"""`aegis backup`: backups are taken, listed, proven, restored and pruned."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MODULES = (
    "aegis.cli.backup.run",
    "aegis.cli.backup.verify",
    "aegis.cli.backup.restore",
    "aegis.cli.backup.list",
    "aegis.cli.backup.check",
    "aegis.cli.backup.prune",
)
"""Each has `add_command`."""


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser = commands.add_parser("backup", help="backups of databases, proven to restore", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in MODULES:
        import_module(module).add_command(below)
