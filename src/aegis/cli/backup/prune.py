"""`aegis backup prune`: remove what the policy keeps no more; without --yes, say only what would go."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aegis.cli.backup.options import BackupOptions, add_database_argument, add_policy_arguments
from aegis.core.errors import AegisError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.backup.pruning import Removed
    from aegis.backup.retention import Fate


def add_command(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "prune",
        help="remove backups that the policy keeps no more",
        description="Only verified backups count for `keep`, and the newest verified one never goes. What was never "
        "proven goes when `keep.last` verified ones are newer; what has no manifest, after two days. Records stay.",
        allow_abbrev=False,
    )
    add_policy_arguments(parser)
    add_database_argument(parser)
    parser.add_argument("--yes", action="store_true", help="remove them (default: only say what would go)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say each backup's fate, and see to it. The first problem of a removal is raised when all were tried."""
    from msgspec import structs

    from aegis.backup.listing import backups_of
    from aegis.backup.pruning import candidates, remove
    from aegis.backup.records import entries_of
    from aegis.backup.retention import fates
    from aegis.cli.backup.audit import audit_of
    from aegis.cli.backup.policy import database_of, read_policy
    from aegis.cli.backup.stores import opened

    options = BackupOptions.from_arguments(arguments, os.environ)
    policed = read_policy(options.policy, os.environ)
    database = database_of(policed, arguments.database)
    audit = audit_of(os.environ) if arguments.yes else None
    alone = structs.replace(policed.policy, databases=(database,))
    places = opened(alone, options, "prune" if arguments.yes else "read", environ=os.environ, root=policed.root)
    store = places.backups.store
    backups = backups_of(store, places.backups.prefix, database.name)
    entries = entries_of(places.records.store, places.records.prefix, database.name)
    found = candidates(store, places.records.store, database, backups, entries)
    decided = fates(found, policed.policy.keep, datetime.now(UTC))
    removed: dict[str, Removed] = {}
    if audit is not None:
        for fate in reversed(decided):  # the oldest first, so that a run that is ended leaves the newer ones
            if fate.keep:
                continue
            # what is gone can't be looked at any more: a run that is ended meanwhile has said what it was about to do
            audit.record("backup.pruned", database.name, version=_id(fate), details={"why": fate.reason}, begun=True)
            each = remove(store, fate.candidate.contents)
            removed[each.listed.id] = each
            audit.record(
                "backup.pruned",
                database.name,
                version=each.listed.id,
                error=each.problem,
                details={"objects": each.objects, "bytes": each.size, "why": fate.reason},
            )
    _say(arguments.format, decided, removed, audit.notices if audit is not None else ())
    problem = next((each.problem for each in removed.values() if each.problem is not None), None)
    if problem is not None:
        raise problem
    return 0


def _say(form: str, decided: tuple[Fate, ...], removed: dict[str, Removed], notices: tuple[str, ...]) -> None:
    if form == "json":
        sys.stdout.write(json.dumps([_fields(fate, removed.get(_id(fate))) for fate in decided]) + "\n")
        return
    for fate in decided:
        size = fate.candidate.contents.size
        word = "keep" if fate.keep else _done(removed.get(_id(fate)))
        sys.stdout.write(terminal(f"{word:<12} {_id(fate)}  {size:>15,} bytes  {fate.reason}") + "\n")
    going = [fate for fate in decided if not fate.keep]
    if going and not removed:
        total = sum(fate.candidate.contents.size for fate in going)
        sys.stdout.write(f"{len(going)} would go, {total:,} bytes; --yes removes them.\n")
    for notice in notices:
        sys.stdout.write(terminal(notice) + "\n")


def _done(removed: Removed | None) -> str:
    if removed is None:
        return "would go"
    return "removed" if removed.problem is None else "not removed"


def _id(fate: Fate) -> str:
    return fate.candidate.contents.listed.id


def _fields(fate: Fate, removed: Removed | None) -> dict[str, object]:
    problem: AegisError | None = removed.problem if removed is not None else None
    return {
        "id": _id(fate),
        "held": fate.candidate.held,
        "keep": fate.keep,
        "reason": fate.reason,
        "size": fate.candidate.contents.size,
        "removed": removed is not None and problem is None,
        "problem": problem.code if problem is not None else None,
    }
