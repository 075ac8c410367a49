"""`aegis backup restore`: a backup into a database that a person names, or into one that lives for its proof."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from aegis.cli.backup import options as backup_options
from aegis.cli.backup import secrets as backup_secrets
from aegis.cli.backup.verify import EXIT_CODES, add_restore_arguments, told
from aegis.cli.interruption import Stopped
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.policy import Tier
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.backup.drill import DrillResult
    from aegis.cli.backup.audit import BackupAudit
    from aegis.cli.backup.choice import Chosen
    from aegis.cli.backup.stores import Places
    from aegis.core.policy import BackedUp

_WAY_OUT: Final = (
    "If the log lies in the database that is lost: set AEGIS_AUDIT=disk and AEGIS_DATA=FOLDER for this restore, which"
    " is recorded there; or unset both, and nothing is recorded."
)


def add_command(commands: Any) -> None:
    """Add `restore`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "restore", help="bring a backup back into a database", allow_abbrev=False
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runbook's script takes the same."""
    from aegis.cli.backup.choice import HELP

    parser.add_argument("backup", help=f"{HELP}, or an address such as s3://bucket/backups/shop/ (its newest)")
    backup_options.add_policy_arguments(parser)
    backup_options.add_database_argument(parser)
    backup_secrets.add_url_argument(parser, backup_secrets.TARGET)
    add_restore_arguments(parser)
    parser.add_argument(
        "--throwaway", action="store_true",
        help="into a PostgreSQL of its own, which goes afterwards: a rehearsal that touches no database",
    )  # fmt: skip
    parser.add_argument("--tier", choices=get_args(Tier), help="with --throwaway: how much (default: full)")
    parser.add_argument("--force", action="store_true", help="restore into a database that is not empty")
    parser.add_argument(
        "--globals", type=Path, metavar="FILE",
        help="restore nothing: write the SQL of the roles and tablespaces into a new file, to run it before a restore",
    )  # fmt: skip
    parser.add_argument(
        "--no-owner", action="store_true", help="without owners and rights: all belongs to who restores"
    )


def run(arguments: argparse.Namespace) -> int:
    """Restore it, and compare."""
    _check(arguments)
    from aegis.backup.shelf_problems import named
    from aegis.cli.backup.choice import chosen, chosen_at, is_address
    from aegis.cli.backup.policy import database_of, read_policy
    from aegis.cli.backup.stores import opened

    options = backup_options.BackupOptions.from_arguments(arguments, os.environ)
    places = None
    if is_address(arguments.backup):
        found, database = chosen_at(arguments.backup, options, os.environ)
    else:
        policed = read_policy(options.policy, os.environ)
        database = database_of(policed, arguments.database)
        places = opened(policed.policy, options, "read", environ=os.environ, root=policed.root)
        found = chosen(arguments.backup, policed, database, places, os.environ)
    if found.passed_over:
        newer = f"There are newer backups that do not count as verified: {named(found.passed_over)}."
        sys.stderr.write(f"aegis: {newer}\n")
    if arguments.globals is not None:
        return _globals(arguments, found)
    way = _rehearsed if arguments.throwaway else _restored
    return way(arguments, found, database, places)


def _check(arguments: argparse.Namespace) -> None:
    """Options that say nothing together are mistakes."""
    into = [name for name in ("force", "no_owner", "database_url_file", "globals") if getattr(arguments, name)]
    wrong = into if arguments.throwaway else [name for name in ("tier", "engine") if getattr(arguments, name)]
    if wrong:
        raise UsageError(
            "core.wrong_usage",
            f"--{wrong[0].replace('_', '-')} {'with' if arguments.throwaway else 'without'} --throwaway",
            expected="options of one way to restore: into a database, or into a PostgreSQL of its own",
            remedy="leave one of them out",
        )


def _globals(arguments: argparse.Namespace, found: Chosen) -> int:
    from aegis.cli.backup.globals import write_globals

    write_globals(found, arguments.globals, backup_secrets.read_identities(arguments.identity_file, os.environ))
    sys.stdout.write(f"Roles and tablespaces, without passwords, are in {terminal(str(arguments.globals))}.\n")
    return 0


def _rehearsed(arguments: argparse.Namespace, found: Chosen, database: BackedUp | None, places: Places | None) -> int:
    from aegis.cli.backup.drill import JOBS, drill

    result = drill(
        found.store,
        found.folder,
        tier=arguments.tier or "full",
        smoke=database.smoke if database is not None else (),
        jobs=arguments.jobs or JOBS,
        engine=arguments.engine,
        identities=backup_secrets.read_identities(arguments.identity_file, os.environ),
        trust=found.trust,
    )
    told(
        arguments, result, found.address, (*_instead(result, found, database, places), *_not_looked_at(found, database))
    )
    return EXIT_CODES[result.outcome]


def _restored(arguments: argparse.Namespace, found: Chosen, database: BackedUp | None, places: Places | None) -> int:
    from aegis.backup.drill import error_of
    from aegis.cli.backup.drill import JOBS
    from aegis.cli.backup.into import Into, restore_and_compare

    target = Into(
        url=backup_secrets.database_url(arguments.database_url_file, os.environ, backup_secrets.TARGET),
        force=arguments.force,
        owners=not arguments.no_owner,
        jobs=arguments.jobs or JOBS,
        identities=backup_secrets.read_identities(arguments.identity_file, os.environ),
    )
    audit = _audit()
    name = database.name if database is not None else _folder_name(found)
    details: dict[str, str | int | bool | None] = {"force": target.force, "target": target.place}
    version = found.folder.rstrip("/").rpartition("/")[2]
    audit.record("database.restored", name, version=version, details=details, begun=True)
    try:
        result = restore_and_compare(found, target, database.smoke if database is not None else ())
    except Stopped as stopped:
        with suppress(AegisError):  # what ended it is what is to be told
            audit.record("database.restored", name, version=version, error=stopped.reason, details=details)
        part = f"{target.place} may hold a part of the backup now: begin again with an empty database."
        sys.stderr.write(f"aegis: {terminal(part)}\n")
        raise
    # before it is recorded: the log may lie in what this has replaced, and the answer counts whether or not
    notices = (*audit.notices, *_instead(result, found, database, places), *_not_looked_at(found, database))
    told(arguments, result, found.address, notices)
    audit.record(
        "database.restored",
        name,
        version=result.backup or None,
        sha256=result.manifest_sha256 or None,
        error=error_of(result),
        details={"equality": result.equality, **details},
    )
    return EXIT_CODES[result.outcome]


def _audit() -> BackupAudit:
    """The log, or the way out where that lies in the very database that is lost. CouldNotDecide `audit.unavailable`."""
    from aegis.cli.backup.audit import audit_of

    try:
        return audit_of(os.environ)
    except CouldNotDecide as error:
        raise CouldNotDecide(
            error.code,
            error.problem,
            expected=error.expected,
            remedy=f"{error.remedy} {_WAY_OUT}",
        ) from error


def _folder_name(found: Chosen) -> str:
    """Of the folder that holds the database's backups; without a policy there is no other name."""
    parts = Path(found.address).parts
    return parts[-2] if len(parts) > 1 else parts[-1]


def _instead(result: DrillResult, found: Chosen, database: BackedUp | None, places: Places | None) -> tuple[str, ...]:
    """Which backup to take where this one is damaged: in an emergency nobody is to search."""
    from aegis.cli.backup.choice import whole_before

    if result.reason != "backup_check.object_damaged" or database is None or places is None:
        return ()
    try:
        before = whole_before(found, database, places)
    except AegisError:  # what is wrong with this one is told all the same
        return ()
    if before is None:
        return ("This backup is damaged, and no verified backup before it is whole: see `aegis backup list`.",)
    command = f"aegis backup restore {before} --database {database.name}"
    return (f"This backup is damaged. The newest verified one before it that has all its objects: `{command}`.",)


def _not_looked_at(found: Chosen, database: BackedUp | None) -> tuple[str, ...]:
    """What only a policy could ask for."""
    signed = (
        () if found.trust is not None else ("The manifest's signature was not looked at: no policy names signers.",)
    )
    asked = () if database is not None else ("No smoke questions were asked: no policy names this database.",)
    return (*signed, *asked)
