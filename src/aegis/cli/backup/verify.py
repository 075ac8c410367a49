"""`aegis backup verify`: restore a backup where nothing else is, and prove that it is what was dumped."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from aegis.backup.manifest import NAME
from aegis.cli.backup import options as backup_options
from aegis.cli.backup import secrets as backup_secrets
from aegis.core.errors import Refused
from aegis.core.policy import Tier

if TYPE_CHECKING:
    from aegis.backup.drill import DrillResult
    from aegis.cli.backup.choice import Chosen

EXIT_CODES = {"PASS": 0, "FAIL": 1, "COULD NOT VERIFY": 3}


def add_command(commands: Any) -> None:
    """Add `verify`."""
    from aegis.cli.backup.choice import HELP, LATEST

    parser = commands.add_parser("verify", help="restore a backup, and prove its content", allow_abbrev=False)
    parser.add_argument("backup", nargs="?", default=LATEST, help=f"{HELP} (default: {LATEST})")
    backup_options.add_policy_arguments(parser)
    backup_options.add_database_argument(parser)
    add_restore_arguments(parser)
    parser.add_argument("--tier", choices=get_args(Tier), help="how much is proven (default: what the policy asks for)")
    parser.add_argument(
        "--no-record", action="store_true", help="write down nothing: the backup does not count as verified by this"
    )
    parser.add_argument(
        "--foreign", metavar="ARCHIVE",
        help="a dump that Aegis did not take: a file of pg_dump -Fc, a folder of -Fd, or a file's s3:// or oci://"
        " address",
    )  # fmt: skip
    parser.add_argument(
        "--accept-restorable", action="store_true",
        help="with --foreign: exit 0 where it restores, though nothing says what it should hold",
    )  # fmt: skip
    parser.set_defaults(run=run)


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    """How a backup is restored."""
    backup_secrets.add_identity_argument(parser)
    parser.add_argument(
        "--engine", metavar="DIR", type=Path,
        help="PostgreSQL's programs, of the backup's major (default: those of this machine, else a wheel)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=backup_options.jobs, help="sessions that restore (default: by cores)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")


def run(arguments: argparse.Namespace) -> int:
    """Restore, compare, write down."""
    if arguments.foreign is not None:
        from aegis.cli.backup.foreign import verify_foreign

        return verify_foreign(arguments)
    from aegis.adapters.github.context import source_from_environment
    from aegis.cli.backup.audit import audit_of
    from aegis.cli.backup.choice import chosen
    from aegis.cli.backup.drill import JOBS, drill
    from aegis.cli.backup.policy import database_of, read_policy
    from aegis.cli.backup.remember import remember
    from aegis.cli.backup.stores import Purpose, opened
    from aegis.cli.surroundings import read_event

    options = backup_options.BackupOptions.from_arguments(arguments, os.environ)
    policed = read_policy(options.policy, os.environ)
    database = database_of(policed, arguments.database)
    identities = backup_secrets.read_identities(arguments.identity_file, os.environ)
    audit = audit_of(os.environ)
    purpose: Purpose = "read" if arguments.no_record else "prove"
    places = opened(policed.policy, options, purpose, environ=os.environ, root=policed.root)
    found = chosen(arguments.backup, policed, database, places, os.environ)
    _check_there(found)
    started = datetime.datetime.now(datetime.UTC)
    result = drill(
        found.store,
        found.folder,
        tier=arguments.tier or database.tier,
        smoke=database.smoke,
        jobs=arguments.jobs or JOBS,
        engine=arguments.engine,
        identities=identities,
        trust=found.trust,
    )
    told(arguments, result, found.address, audit.notices)
    source = source_from_environment(os.environ, read_event(os.environ).payload)
    remember(
        result,
        database=database.name,
        backup=found.folder.rstrip("/").rpartition("/")[2],
        started=started,
        audit=audit,
        records=None if arguments.no_record else places.records,
        actor=source.actor or "",
        run_url=source.run_url or "",
    )
    return EXIT_CODES[result.outcome]


def _check_there(found: Chosen) -> None:
    """Of a backup that is not there nothing was tried, so nobody is to write down that it failed. Raises Refused."""
    if found.store.head(found.folder + NAME) is None:
        raise Refused(
            "backup_check.no_backup",
            f"{found.address}: there is no complete backup of this id",
            expected="a backup with its manifest",
            remedy="`aegis backup list` shows what is there.",
        )


def told(
    arguments: argparse.Namespace, result: DrillResult, address: str, notices: tuple[str, ...], *, headline: str = ""
) -> None:
    """Print the answer."""
    from aegis.cli.backup.told import document, lines

    text = document(result, address) if arguments.format == "json" else lines(result, address, headline=headline)
    sys.stdout.write(text)
    sys.stderr.writelines(f"aegis: {notice}\n" for notice in notices)
