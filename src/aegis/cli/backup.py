"""`aegis backup`: backups are taken, listed, proven, restored and pruned."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MODULES = (
    "aegis.cli.backup_run",
    "aegis.cli.backup_verify",
    "aegis.cli.backup_restore",
    "aegis.cli.backup_list",
    "aegis.cli.backup_check_command",
    "aegis.cli.backup_prune",
)
"""Each has `add_command`."""


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser = commands.add_parser("backup", help="backups of databases, proven to restore", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in MODULES:
        import_module(module).add_command(below)
