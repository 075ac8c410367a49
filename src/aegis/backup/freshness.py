"""Whether a database has a fresh backup, all of whose objects are there, and whether a restore was proven lately.

Nothing is restored, and of many backups only the newest few are looked into: a thousand cost one page of a listing more
than ten. What an age is counted from is the snapshot's time in the manifest, by the clock of the server that was
dumped: a name or an upload says when somebody wrote, not what a restore would give back. It is held against the clock
of this machine, which cannot be far off where a cloud answers: S3 refuses requests that are 15 minutes away from its
own time, and OCI those that are 5.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aegis.backup.fetching import check_signature
from aegis.backup.layout import databases_folder
from aegis.backup.listing import (
    Contents,
    Listed,
    Read,
    backups_of,
    looked_into,
    no_backup,
    read_manifest,
)
from aegis.backup.manifest import Manifest
from aegis.backup.records import (
    Entry,
    Proof,
    Record,
    entries_of,
    never_proven,
    read_records,
    standing,
    verified_among,
)
from aegis.core.errors import AegisError, Refused
from aegis.core.policy import BackedUp, minutes
from aegis.core.ports.objects import FolderStore, ObjectStore
from aegis.signatures.types import Trust

SKEW: Final = timedelta(seconds=60)
"""By which clocks may differ before what they say of an age is worth nothing."""
COMPARED: Final = 7
"""Backups before the newest whose sizes it is compared with."""
_FEWEST: Final = 3
"""Of them, below which there is no usual size."""
TREND: Final = 30
"""Of the newest records, those that are read to show a trend."""
_NAMED: Final = 5
"""Objects named in one message; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What was seen of the backups of one database, and what is wrong with it."""

    name: str
    """Of the database in the policy."""
    backups: tuple[Listed, ...]
    """All folders, newest first, complete or not."""
    newest: Listed | None
    """The newest complete one."""
    manifest: Manifest | None
    """Of the newest; None where it cannot be believed."""
    manifest_sha256: str
    size: int
    """Bytes of the newest one's objects, as they are listed."""
    age: timedelta | None
    """Of the newest one's snapshot."""
    proof: Record | None
    """Of the newest backup that counts as verified."""
    proof_age: timedelta | None
    """Since that restore."""
    records: tuple[Record, ...]
    """The newest ones, newest first: for a trend."""
    problems: tuple[AegisError, ...]
    """All that stands against passing; none where all is well."""
    notices: tuple[str, ...] = field(default=())


def look(
    store: FolderStore,
    records_store: FolderStore,
    database: BackedUp,
    *,
    prefix: str,
    records_prefix: str,
    now: datetime,
    trust: Trust | None = None,
) -> Shelf:
    """Look at the backups of a database. Raises what keeps the stores from answering; all else is in `problems`.

    `now`: with a time zone, by the clock of this machine. `trust`: who must have signed the newest manifest.
    """
    backups = backups_of(store, prefix, database.name)
    entries = entries_of(records_store, records_prefix, database.name)
    seen = looked_into(store, backups, enough=_enough)
    complete = [contents for contents in seen if contents.complete]
    problems: list[AegisError] = []
    notices: list[str] = []

    newest, manifest = complete[0] if complete else None, None
    if newest is None:
        problems.append(no_backup(f"{store.location}/{databases_folder(prefix, database.name)}", len(seen)))
    else:
        try:
            manifest = _read(store, newest, trust)
        except Refused as error:
            problems.append(error)
    age = now - datetime.fromisoformat(manifest.manifest.snapshot.time) if manifest is not None else None
    if newest is not None and manifest is not None and age is not None:
        problems += _aged(newest.listed, age, database)
        problems += _reconciled(store, newest, manifest.manifest)
        problems += _same_cluster(newest.listed, manifest.manifest, database)
        size = sum(each.size for each in manifest.manifest.objects)
        problems += _not_shrunk(newest.listed, size, [each.size for each in complete[1 : 1 + COMPARED]], database)
    if newest is not None:
        notices += _unfinished(seen, newest)

    proof: Proof | None = None
    if newest is not None and manifest is not None:
        own = [entry for entry in entries if entry.backup == newest.listed.id]
        decided = standing(records_store, database, own, manifest.sha256)
        if decided.word == "verified" and decided.record is not None:
            proof = Proof(newest.listed, decided.record)
        elif decided.word == "failed" and decided.record is not None:
            problems.append(_failed(decided.record))
        elif decided.problem is not None:
            problems.append(decided.problem)
    if proof is None:
        older = [listed for listed in backups if newest is None or listed.id < newest.listed.id]
        proof = verified_among(store, records_store, database, older, entries)
    problems += _not_vanished(store, prefix, database, seen, backups, entries, proof)
    problems += _proven(records_store, records_prefix, database, proof, now)
    return Shelf(
        name=database.name,
        backups=backups,
        newest=newest.listed if newest is not None else None,
        manifest=manifest.manifest if manifest is not None else None,
        manifest_sha256=manifest.sha256 if manifest is not None else "",
        size=newest.size if newest is not None else 0,
        age=age,
        proof=proof.record if proof is not None else None,
        proof_age=now - proof.record.finished_at if proof is not None else None,
        records=read_records(records_store, database.name, entries[:TREND]),
        problems=tuple(problems),
        notices=tuple(notices),
    )


def _enough(seen: Sequence[Contents]) -> bool:
    """A complete one was found; those before it come with the same requests."""
    return any(contents.complete for contents in seen)


def _read(store: ObjectStore, newest: Contents, trust: Trust | None) -> Read:
    if newest.manifest is None:
        raise no_backup(f"{store.location}/{newest.listed.folder}", 1)
    read = read_manifest(store, newest.manifest)
    if trust is not None:
        check_signature(store, newest.signature, read.data, trust)
    return read


def _aged(newest: Listed, age: timedelta, database: BackedUp) -> list[AegisError]:
    if age < -SKEW:
        return [
            Refused(
                "backup_check.snapshot_in_future",
                f"{database.name}: the snapshot of {newest.id} is {span(-age)} ahead of this machine's clock",
                expected=f"clocks that differ by at most {SKEW.seconds} s",
                remedy="Set the clocks of the database's server and of this machine by NTP.",
            )
        ]
    allowed = timedelta(minutes=minutes(database.max_age))
    if age > allowed:
        return [
            Refused(
                "backup_check.backup_stale",
                f"{database.name}: the newest backup {newest.id} shows the database as it was {span(age)} ago",
                expected=f"a snapshot of at most {database.max_age} ago",
                remedy="Look why the scheduled backup does not run: GitHub ends schedules after 60 days without"
                " activity. Then run `aegis backup run`.",
            )
        ]
    return []


def _reconciled(store: ObjectStore, newest: Contents, manifest: Manifest) -> list[AegisError]:
    """What the manifest lists against what the store lists, by name and size."""
    folder = newest.listed.folder
    where = f"{store.location}/{folder}"
    there = {info.key[len(folder) :]: info for info in newest.objects}
    owed = {each.name: each.size for each in manifest.objects}
    missing = [name for name in owed if name not in there]
    sizes = [
        f"{name} ({there[name].size} bytes instead of {size})"
        for name, size in owed.items()
        if name in there and there[name].size != size
    ]
    more = [name for name in there if name not in owed]
    found: list[AegisError] = []
    if missing:
        found.append(
            Refused(
                "backup_check.object_missing",
                f"{where} has not all that its manifest lists: {_named(missing)}",
                expected=f"all {len(owed)} objects",
                remedy="Take another backup at once, and look for what deletes there: a lifecycle rule, or somebody.",
            )
        )
    if sizes:
        found.append(
            Refused(
                "backup_check.object_size",
                f"{where} has objects of another size: {_named(sizes)}",
                expected="the sizes that the manifest lists",
                remedy="Take another backup at once, and treat this one as damaged or tampered with.",
            )
        )
    if more:
        found.append(
            Refused(
                "backup_check.object_unlisted",
                f"{where} has what its manifest does not list: {_named(more)}",
                expected="nothing but the manifest, its signature and the objects that it lists",
                remedy="Look for who wrote there: nobody but `aegis backup run` should be able to.",
            )
        )
    return found


def _same_cluster(newest: Listed, manifest: Manifest, database: BackedUp) -> list[AegisError]:
    identifier = manifest.database.system_identifier
    if database.system_identifier is None or identifier == database.system_identifier:
        return []
    return [
        Refused(
            "backup_check.cluster_other",
            f"{database.name}: {newest.id} is a backup of {manifest.database.name!r} in the cluster {identifier}",
            expected=f"the cluster {database.system_identifier}",
            remedy="Correct the address that the backup is taken from; after a move of the database,"
            " `system-identifier` in the policy.",
        )
    ]


def _not_shrunk(newest: Listed, size: int, before: Sequence[int], database: BackedUp) -> list[AegisError]:
    if len(before) < _FEWEST:
        return []
    usual = statistics.median(before)
    least = usual * (100 - database.max_shrink) / 100
    if size >= least:
        return []
    return [
        Refused(
            "backup_check.backup_shrunk",
            f"{database.name}: {newest.id} has {size} bytes, {100 - round(100 * size / usual)}"
            f" % less than the median of the {len(before)} before it ({usual:.0f})",
            expected=f"at most {database.max_shrink} % less",
            remedy="Look for what is gone from the database; where it went on purpose, raise `max-shrink`, or wait"
            " until the new size is the usual one.",
        )
    ]


def _not_vanished(
    store: ObjectStore,
    prefix: str,
    database: BackedUp,
    seen: Sequence[Contents],
    backups: Sequence[Listed],
    entries: Sequence[Entry],
    proof: Proof | None,
) -> list[AegisError]:
    """Backups that were restored from, and are not whole any more.

    Pruning takes nothing that is newer than the newest verified one; what is older may be what it has left.
    """
    where = f"{store.location}/{databases_folder(prefix, database.name)}"
    since = proof.listed.id if proof is not None else ""
    restored = {entry.backup for entry in entries if entry.word != "UNKNOWN" and entry.backup > since}
    without = [contents.listed.id for contents in seen if not contents.complete and contents.listed.id in restored]
    passed = max((entry.backup for entry in entries if entry.word == "PASS"), default="")
    gone = [passed] if passed and passed not in {listed.id for listed in backups} else []
    if not without and not gone:
        return []
    parts = [f"{name} has lost its manifest" for name in without] + [f"{name} is gone" for name in gone]
    return [
        Refused(
            "backup_check.backup_vanished",
            f"{where}: restores were made from backups that are not there any more: {_named(parts)}",
            expected="that the newest backup that was restored from stays",
            remedy="Look for what deletes there: a lifecycle rule, or somebody. Versions that the store keeps can be"
            " put back; then verify the newest backup.",
        )
    ]


def _unfinished(seen: Sequence[Contents], newest: Contents) -> list[str]:
    later = [contents.listed.id for contents in seen if contents.listed.id > newest.listed.id]
    if not later:
        return []
    return [f"There are later backups without a manifest, which are on their way or have failed: {_named(later)}."]


def _failed(record: Record) -> Refused:
    return Refused(
        "backup_check.proof_failed",
        f"{record.database}: the last restore of the newest backup {record.backup} has failed, with {record.reason}",
        expected="a restore that passes",
        remedy="Do what that reason asks for (`aegis backup verify latest` says it again); take another backup.",
    )


def _proven(
    records: ObjectStore, records_prefix: str, database: BackedUp, proof: Proof | None, now: datetime
) -> list[AegisError]:
    if proof is None:
        return [never_proven(f"{records.location}/{databases_folder(records_prefix, database.name)}", database)]
    found: list[AegisError] = []
    record, age = proof.record, now - proof.record.finished_at
    if age < -SKEW:
        found.append(
            Refused(
                "backup_check.proof_in_future",
                f"{database.name}: the restore of {record.backup} was recorded {span(-age)} ahead of this machine's"
                " clock",
                expected=f"clocks that differ by at most {SKEW.seconds} s",
                remedy="Set the clocks by NTP, and look for who wrote this record.",
            )
        )
    if age > timedelta(minutes=minutes(database.max_proof_age)):
        found.append(
            Refused(
                "backup_check.proof_stale",
                f"{database.name}: the last restore that was proven, of {record.backup}, is {span(age)} ago",
                expected=f"one of at most {database.max_proof_age} ago",
                remedy="Look why the scheduled restore does not run or pass: GitHub ends schedules after 60 days"
                " without activity. Then run `aegis backup verify latest`.",
            )
        )
    if database.max_restore is not None and record.restore_seconds > 60 * minutes(database.max_restore):
        found.append(
            Refused(
                "backup_check.restore_slow",
                f"{database.name}: the restore of {record.backup} took"
                f" {span(timedelta(seconds=record.restore_seconds))}",
                expected=f"at most {database.max_restore}",
                remedy="Give the restore more cores or a nearer store, or raise `max-restore` if that is acceptable.",
            )
        )
    return found


def span(age: timedelta) -> str:
    """E.g. `3 d 4 h`, `2 h 5 min`, `12 s`: the two largest units."""
    seconds = int(age.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    count = seconds // 60
    days, hours, rest = count // 1440, count // 60 % 24, count % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _named(names: Sequence[str]) -> str:
    told = ", ".join(names[:_NAMED])
    return f"{told} and {len(names) - _NAMED} more" if len(names) > _NAMED else told
