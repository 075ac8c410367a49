"""What can be wrong with the backups of a database, each found by a comparison of what was seen with what is asked."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from aegis.backup.layout import databases_folder
from aegis.backup.listing import Contents, Listed
from aegis.backup.manifest import Manifest
from aegis.backup.proofs import Proof, never_proven
from aegis.backup.records import Entry, Record
from aegis.core.errors import AegisError, Refused
from aegis.core.policy import BackedUp, minutes
from aegis.core.ports.objects import ObjectStore

SKEW: Final = timedelta(seconds=60)
"""By which clocks may differ before what they say of an age is worth nothing."""
_FEWEST: Final = 3
"""Backups before the newest, below which there is no usual size."""
_NAMED: Final = 5
"""Objects named in one message; the rest is counted."""


def aged(newest: Listed, age: timedelta, database: BackedUp) -> list[AegisError]:
    """The newest snapshot is too old, or from the future."""
    if age < -SKEW:
        return [
            Refused(
                "backup_check.snapshot_in_future",
                f"{database.name}: the snapshot of {newest.id} is {span(-age)} ahead of this machine's clock",
                expected=f"clocks that differ by at most {SKEW.seconds} s",
                remedy="Set the clocks of the database's server and of this machine by NTP. Where they are right now,"
                f" move or remove the folder of {newest.id} by hand: until then it is the newest.",
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


def reconciled(store: ObjectStore, newest: Contents, manifest: Manifest) -> list[AegisError]:
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
                f"{where} has not all that its manifest lists: {named(missing)}",
                expected=f"all {len(owed)} objects",
                remedy="Take another backup at once, and look for what deletes there: a lifecycle rule, or somebody.",
            )
        )
    if sizes:
        found.append(
            Refused(
                "backup_check.object_size",
                f"{where} has objects of another size: {named(sizes)}",
                expected="the sizes that the manifest lists",
                remedy="Take another backup at once, and treat this one as damaged or tampered with.",
            )
        )
    if more:
        found.append(
            Refused(
                "backup_check.object_unlisted",
                f"{where} has what its manifest does not list: {named(more)}",
                expected="nothing but the manifest, its signature and the objects that it lists",
                remedy="Look for who wrote there: nobody but `aegis backup run` should be able to.",
            )
        )
    return found


def not_shrunk(newest: Listed, size: int, before: Sequence[int], database: BackedUp) -> list[AegisError]:
    """The newest backup is much smaller than those before it. Sizes in bytes."""
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


def not_vanished(
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
            f"{where}: restores were made from backups that are not there any more: {named(parts)}",
            expected="that the newest backup that was restored from stays",
            remedy="Look for what deletes there: a lifecycle rule, or somebody. Versions that the store keeps can be"
            " put back; then verify the newest backup.",
        )
    ]


def failed(record: Record) -> Refused:
    """The newest backup's restore has failed."""
    return Refused(
        "backup_check.proof_failed",
        f"{record.database}: the last restore of the newest backup {record.backup} has failed, with {record.reason}",
        expected="a restore that passes",
        remedy="Do what that reason asks for (`aegis backup verify latest` says it again); take another backup.",
    )


def proven(
    records: ObjectStore,
    records_prefix: str,
    database: BackedUp,
    proof: Proof | None,
    weaker: Record | None,
    now: datetime,
) -> list[AegisError]:
    """No restore was proven, or none lately, or of too old a backup. `weaker`: the newest's, that proves less."""
    if proof is None:
        return [never_proven(f"{records.location}/{databases_folder(records_prefix, database.name)}", database, weaker)]
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
    allowed = timedelta(minutes=minutes(database.max_proof_age))
    oldest = allowed + timedelta(minutes=minutes(database.max_age))
    if age <= allowed and now - proof.listed.time > oldest:
        found.append(
            Refused(
                "backup_check.proof_stale",
                f"{database.name}: the restore of {record.backup} was proven lately, but that backup is"
                f" {span(now - proof.listed.time)} old, and none since was proven",
                expected=f"a proven backup of at most {span(oldest)} ago (`max-proof-age` and `max-age`)",
                remedy="Run `aegis backup verify latest`: what an old backup proves says nothing of those since.",
            )
        )
    if age > allowed:
        found.append(
            Refused(
                "backup_check.proof_stale",
                f"{database.name}: the last restore that was proven, of {record.backup}, is {span(age)} ago",
                expected=f"one of at most {database.max_proof_age} ago",
                remedy="Look why the scheduled restore does not run or pass: GitHub ends schedules after 60 days"
                " without activity. Then run `aegis backup verify latest`.",
            )
        )
    return found


def not_slow(database: BackedUp, records: Sequence[Record]) -> list[AegisError]:
    """The newest full restore took too long. Other tiers leave out what takes long: rows, or indexes."""
    record = full_restore(records)
    if record is None or database.max_restore is None or record.restore_seconds <= 60 * minutes(database.max_restore):
        return []
    return [
        Refused(
            "backup_check.restore_slow",
            f"{database.name}: the restore of {record.backup} took {span(timedelta(seconds=record.restore_seconds))}",
            expected=f"at most {database.max_restore}",
            remedy="Give the restore more cores or a nearer store, or raise `max-restore` if that is acceptable.",
        )
    ]


def full_restore(records: Sequence[Record]) -> Record | None:
    """The newest that has restored everything; the records are newest first."""
    return next((record for record in records if record.outcome == "PASS" and record.tier == "full"), None)


def span(age: timedelta) -> str:
    """E.g. `3 d 4 h`, `2 h 5 min`, `12 s`: the two largest units."""
    seconds = int(age.total_seconds())
    if seconds < 0:
        return f"-{span(-age)}"
    if seconds < 60:
        return f"{seconds} s"
    count = seconds // 60
    days, hours, rest = count // 1440, count // 60 % 24, count % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def named(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    told = ", ".join(names[:_NAMED])
    return f"{told} and {len(names) - _NAMED} more" if len(names) > _NAMED else told
