"""Whether a database has a fresh backup, all of whose objects are there, and whether a restore was proven lately.

Nothing is restored, and of many backups only the newest few are looked into: a thousand cost one page of a listing more
than ten. What an age is counted from is the snapshot's time in the manifest, by the clock of the server that was
dumped: a name or an upload says when somebody wrote, not what a restore would give back. It is held against the clock
of this machine, which cannot be far off where a cloud answers: S3 refuses requests that are 15 minutes away from its
own time, and OCI those that are 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aegis.backup.encrypted_for import recipients_differ
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
from aegis.backup.proofs import Proof, standing, verified_among
from aegis.backup.records import Record, entries_of, read_records
from aegis.backup.same_database import emptied, has_tables, manifest_before, other_database
from aegis.backup.shelf_problems import (
    aged,
    failed,
    full_restore,
    named,
    not_shrunk,
    not_slow,
    not_vanished,
    proven,
    reconciled,
)
from aegis.core.errors import AegisError, Refused
from aegis.core.policy import BackedUp
from aegis.core.ports.objects import FolderStore, ObjectStore
from aegis.signatures.types import Trust

COMPARED: Final = 7
"""Backups before the newest whose sizes it is compared with."""
TREND: Final = 30
"""Of the newest records, those that are read to show a trend."""


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
    recipients: Sequence[str],
    now: datetime,
    trust: Trust | None = None,
) -> Shelf:
    """Look at the backups of a database. Raises what keeps the stores from answering; all else is in `problems`.

    `recipients`: of the policy. `now`: with a time zone, by the clock of this machine. `trust`: who must have signed
    the newest manifest.
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
        problems += aged(newest.listed, age, database)
        problems += reconciled(store, newest, manifest.manifest)
        problems += recipients_differ(newest.listed, manifest.manifest, recipients)
        before = manifest_before(store, records_store, database, _older(backups, newest), entries)
        found = manifest.manifest.database
        wrong = other_database(f"{newest.listed.id} is a backup of", found, database, before)
        empty = emptied(newest.listed.id, manifest.manifest, database, before)
        problems += [error for error in (wrong, empty) if error is not None]
        if empty is None and not has_tables(manifest.manifest):
            notices.append(f"The database {found.name!r} has no tables.")
        size = sum(each.size for each in manifest.manifest.objects)
        problems += not_shrunk(newest.listed, size, [each.size for each in complete[1 : 1 + COMPARED]], database)
    if newest is not None:
        notices += _unfinished(seen, newest)

    proof: Proof | None = None
    weaker: Record | None = None
    if newest is not None and manifest is not None:
        own = [entry for entry in entries if entry.backup == newest.listed.id]
        decided = standing(records_store, database, own, manifest.sha256)
        if decided.word == "verified" and decided.record is not None:
            proof = Proof(newest.listed, decided.record)
        elif decided.word == "unproven":
            weaker = decided.record
        elif decided.word == "failed" and decided.record is not None:
            problems.append(failed(decided.record))
        elif decided.problem is not None:
            problems.append(decided.problem)
    if proof is None:
        proof = verified_among(store, records_store, database, _older(backups, newest), entries)
    problems += not_vanished(store, prefix, database, seen, backups, entries, proof)
    records = read_records(records_store, database.name, entries[:TREND])
    problems += proven(records_store, records_prefix, database, proof, weaker, now)
    problems += not_slow(database, records)
    if database.max_restore is not None and full_restore(records) is None:
        notices.append("The restore time (RTO) was not measured: no restore of tier full has passed lately.")
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
        records=records,
        problems=tuple(problems),
        notices=tuple(notices),
    )


def _enough(seen: Sequence[Contents]) -> bool:
    """A complete one was found; those before it come with the same requests."""
    return any(contents.complete for contents in seen)


def _older(backups: Sequence[Listed], newest: Contents | None) -> list[Listed]:
    return [listed for listed in backups if newest is None or listed.id < newest.listed.id]


def _read(store: ObjectStore, newest: Contents, trust: Trust | None) -> Read:
    if newest.manifest is None:
        raise no_backup(f"{store.location}/{newest.listed.folder}", 1)
    read = read_manifest(store, newest.manifest)
    if trust is not None:
        check_signature(store, newest.signature, read.data, trust)
    return read


def _unfinished(seen: Sequence[Contents], newest: Contents) -> list[str]:
    later = [contents.listed.id for contents in seen if contents.listed.id > newest.listed.id]
    if not later:
        return []
    return [f"There are later backups without a manifest, which are on their way or have failed: {named(later)}."]
