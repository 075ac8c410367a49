"""`aegis backup verify --foreign`: a dump that Aegis did not take.

Nothing says what it should hold, so the most that can be shown is that it restores without an error, that it is not
empty, and that the user's questions are answered. That is told as what it is: RESTORABLE, EQUALITY NOT RUN.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from aegis.cli.backup import options as backup_options
from aegis.cli.backup.drill import JOBS, Running, check_answers, left_out
from aegis.cli.backup.verify import EXIT_CODES, told
from aegis.cli.progress import bytes_bar
from aegis.cli.scratch import scratch_folder
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.core.policy import Smoke

if TYPE_CHECKING:
    from aegis.backup.drill import DrillResult

_RESTORABLE: Final = "backup_check.equality_not_run"


def verify_foreign(arguments: argparse.Namespace) -> int:
    """Restore it and say how far that goes; exit 3 unless somebody accepts that."""
    if arguments.tier == "sample" or arguments.identity_file is not None or arguments.backup != "latest":
        raise UsageError(
            "core.wrong_usage",
            "--foreign with a backup's name, --identity-file, or the tier sample",
            expected="--foreign ARCHIVE with --tier data, proof or full",
            remedy="leave the other one out",
        )
    smoke = _questions(arguments)
    with scratch_folder("aegis-foreign-") as scratch:
        result = check_archive(
            _here(arguments, scratch), smoke=smoke, tier=arguments.tier or "full", jobs=arguments.jobs or JOBS,
            programs=arguments.engine,
        )  # fmt: skip
    accepted = result.reason == _RESTORABLE and arguments.accept_restorable
    headline = f"RESTORABLE, EQUALITY NOT RUN: {result.tier.upper()}" if result.reason == _RESTORABLE else ""
    told(arguments, result, arguments.foreign, (), headline=headline)
    return 0 if accepted else EXIT_CODES[result.outcome]


def check_archive(
    archive_path: Path,
    *,
    smoke: Sequence[Smoke] = (),
    tier: Literal["data", "proof", "full"] = "full",
    jobs: int = JOBS,
    programs: Path | None = None,
) -> DrillResult:
    """Restore an archive of this machine's. The best answer is COULD NOT VERIFY `backup_check.equality_not_run`."""
    running = Running(tier)
    return running.guarded(lambda: _restore(running, archive_path, smoke, tier, jobs, programs))


def _restore(
    running: Running,
    archive_path: Path,
    smoke: Sequence[Smoke],
    tier: Literal["data", "proof", "full"],
    jobs: int,
    programs: Path | None,
) -> None:
    from aegis.adapters.postgres.archive import dumped_from, recognised
    from aegis.adapters.postgres.restore import DATABASE, prepare_unknown, refuse_uninvited, restore
    from aegis.adapters.postgres.smoke import ask

    with running.phase("find"):
        archive = recognised(archive_path)
        major = _major(dumped_from(archive))
    running.not_run += ["equality: nothing says what the dump should hold", "owners and rights", *left_out(tier)]
    with running.engine_of(major, programs) as engine:
        with running.phase("engine"):
            prepare_unknown(engine)
        with running.phase("restore"):
            restore(engine, archive, tier=tier, jobs=jobs, owners=False)
        refuse_uninvited(engine, None)
        with running.phase("compare"):
            running.notices.append(_counted(engine.url(DATABASE), jobs))
        with running.phase("smoke"):
            running.smoke = ask(engine.url(DATABASE), smoke)
        check_answers(running.smoke)
    raise CouldNotDecide(
        _RESTORABLE,
        "the dump restores, and nothing says what it should hold",
        expected="a backup with a manifest, whose checksums were taken in the snapshot that was dumped",
        remedy="Take backups with `aegis backup run`; or accept this by --accept-restorable.",
    )


def _counted(url: str, jobs: int) -> str:
    """What is there, for people. Refused `backup_check.dump_empty` where that is nothing."""
    from aegis.adapters.postgres.snapshot import read_inventory

    found = read_inventory(url, jobs=jobs)
    rows = sum(table.rows or 0 for table in found.tables)
    if rows == 0:
        raise Refused(
            "backup_check.dump_empty",
            f"the dump restores {len(found.tables)} tables, and not one row",
            expected="at least one row",
            remedy="Look at what was dumped: another database, another schema, or definitions only.",
        )
    return f"{len(found.tables)} tables with {rows:,} rows, {found.large_objects.count:,} large objects"


def _major(version: str) -> int:
    number = version.partition(".")[0]
    if not number.isdecimal() or len(number) > 3:
        raise Refused(
            "backup_check.archive_unknown",
            f"the archive says that it was dumped from the version {version[:40]!a}",
            expected="a version of PostgreSQL",
            remedy="Dump with `aegis backup run`, or with pg_dump -Fc.",
        )
    return int(number)


def _here(arguments: argparse.Namespace, scratch: Path) -> Path:
    """The archive on this machine."""
    where: str = arguments.foreign
    if not where.startswith(("s3:", "oci:", "https:", "http:")):
        if not os.path.exists(where):  # noqa: PTH110 - `Path.exists` raises for long names
            raise UsageError(
                "core.wrong_usage",
                f"there is no {where!r}",
                expected="a file of pg_dump -Fc, or a folder of -Fd",
                remedy="correct --foreign",
            )
        return Path(where)
    from aegis.backup.fetching import fetch_unlisted
    from aegis.cli.backup.choice import policy_at
    from aegis.cli.backup.stores import opened
    from aegis.storage.location import parse_location

    options = backup_options.BackupOptions.from_arguments(arguments, os.environ)
    key = parse_location(where).key
    parent = f"{where.rstrip('/').rpartition('/')[0]}/"
    policy = policy_at(parent, options, os.environ)
    place = opened(policy, options, "read", environ=os.environ, root=Path.cwd()).backups
    with bytes_bar("downloading") as progress:
        return fetch_unlisted(place.store, key, scratch, progress=progress)


def _questions(arguments: argparse.Namespace) -> tuple[Smoke, ...]:
    """Of the database that was named; nothing says which one the dump is of."""
    if arguments.database is None:
        return ()
    from aegis.cli.backup.policy import database_of, read_policy

    options = backup_options.BackupOptions.from_arguments(arguments, os.environ)
    return database_of(read_policy(options.policy, os.environ), arguments.database).smoke
