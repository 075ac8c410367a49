"""`aegis backup list`: which backups there are, and which of them were proven."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from aegis.cli.backup.options import BackupOptions, add_database_argument, add_policy_arguments
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.backup.retention import Candidate


def add_command(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "list", help="the backups of a database, newest first", allow_abbrev=False
    )
    add_policy_arguments(parser)
    add_database_argument(parser)
    parser.add_argument("--verified", action="store_true", help="only those whose restore was proven")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them. Of each, its folder is looked into; manifests are read only of those that a restore has passed."""
    from aegis.backup.listing import backups_of
    from aegis.backup.pruning import candidates
    from aegis.backup.records import entries_of
    from aegis.cli.backup.policy import database_of, read_policy
    from aegis.cli.backup.stores import opened

    options = BackupOptions.from_arguments(arguments, os.environ)
    policed = read_policy(options.policy, os.environ)
    database = database_of(policed, arguments.database)
    places = opened(policed.policy, options, "read", environ=os.environ, root=policed.root)
    backups = backups_of(places.backups.store, places.backups.prefix, database.name)
    entries = entries_of(places.records.store, places.records.prefix, database.name)
    if arguments.verified:
        passed = {entry.backup for entry in entries if entry.word == "PASS"}
        backups = tuple(listed for listed in backups if listed.id in passed)
    found = candidates(places.backups.store, places.records.store, database, backups, entries)
    shown = [each for each in found if each.held == "verified" or not arguments.verified]
    if arguments.format == "json":
        sys.stdout.write(json.dumps({"database": database.name, "backups": [_fields(each) for each in shown]}) + "\n")
        return 0
    for each in shown:
        sys.stdout.write(terminal(_line(each)) + "\n")
    if not shown:
        sys.stderr.write(f"no {'verified ' * arguments.verified}backup of {terminal(database.name)}\n")
    return 0


def _fields(each: Candidate) -> dict[str, object]:
    contents = each.contents
    return {
        "id": contents.listed.id,
        "folder": contents.listed.folder,
        "snapshot": contents.listed.time.isoformat(),
        "complete": contents.complete,
        "objects": len(contents.objects),
        "size": contents.size,
        "held": each.held,
    }


def _line(each: Candidate) -> str:
    contents = each.contents
    state = each.held if contents.complete or each.held == "damaged" else "incomplete"
    return f"{contents.listed.id}  {contents.listed.time:%Y-%m-%d %H:%M:%S} UTC  {contents.size:>15,} bytes  {state}"
