"""Which backups count as verified: what their records say, newest first, and of which manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from aegis.backup.layout import databases_folder
from aegis.backup.listing import Listed, backups_of, contents_of, read_manifest
from aegis.backup.manifest import Manifest
from aegis.backup.records import Entry, Record, entries_of, read_record
from aegis.core.errors import AegisError, Refused
from aegis.core.policy import BackedUp, Tier
from aegis.core.ports.objects import FolderStore, ObjectStore

TIERS: Final[tuple[Tier, ...]] = ("sample", "data", "proof", "full")
"""From the least to the most that is proven."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A backup that counts as verified, by which record."""

    listed: Listed
    record: Record


@dataclass(frozen=True, slots=True)
class Standing:
    """What the records say of one backup."""

    word: Literal["verified", "failed", "unproven", "replaced", "unreadable"]
    """unproven: no restore has decided, or none of the tier that counts. replaced: a restore has passed, but of another
    manifest than the one that lies there now. unreadable: the record that decides is damaged."""
    record: Record | None = None
    """The one that decides; where none does, the newest PASS that proves less than is asked for."""
    problem: AegisError | None = None
    manifest: Manifest | None = None
    """The one that lies there now, where that was read for it."""


def standing(store: ObjectStore, database: BackedUp, entries: Iterable[Entry], manifest_sha256: str | None) -> Standing:
    """What the records of one backup say, newest first. `manifest_sha256`: of the manifest that lies there now.

    The newest restore that decided counts: FAIL after PASS is no proof, and COULD NOT VERIFY changes nothing. Nor does
    a PASS that proves less than the policy asks for: that a part was restored again takes nothing from the whole.
    """
    weaker: Record | None = None
    for entry in entries:
        if entry.word == "UNKNOWN":
            continue
        try:
            record = read_record(store, database.name, entry)
        except Refused as error:
            return Standing("unreadable", problem=error)
        if record.outcome == "FAIL":
            return Standing("failed", record)
        if less_than_asked(record, database):
            weaker = weaker or record
            continue
        if record.manifest_sha256 is None or record.manifest_sha256 != manifest_sha256:
            return Standing("replaced", record, _replaced(store, entry, record))
        return Standing("verified", record)
    return Standing("unproven", weaker)


def less_than_asked(record: Record, database: BackedUp) -> str:
    """What a restore that has passed lacks of what the policy asks for; empty where it lacks nothing.

    The tier `sample` asks no smoke questions, since most tables are empty.
    """
    if record.equality != "equal":
        return "its content was not compared"
    if TIERS.index(record.tier) < TIERS.index(database.tier):
        return f"it was of tier {record.tier}"
    asked = {question.name for question in record.smoke}
    lacking = [question.name for question in database.smoke if question.name not in asked]
    return f"it was not asked {lacking[0]!r}" if lacking and database.tier != "sample" else ""


def standing_of(
    store: ObjectStore, records: ObjectStore, database: BackedUp, listed: Listed, entries: Sequence[Entry]
) -> Standing:
    """What the records say of a backup. Its manifest is only read where a PASS is the newest word on it."""
    own = [entry for entry in entries if entry.backup == listed.id]
    deciding = next((entry for entry in own if entry.word != "UNKNOWN"), None)
    if deciding is None:
        return Standing("unproven")
    if deciding.word == "FAIL":
        return standing(records, database, own, None)
    contents = contents_of(store, listed)
    try:
        read = read_manifest(store, contents.manifest) if contents.manifest is not None else None
    except Refused:
        read = None
    found = standing(records, database, own, read.sha256 if read is not None else None)
    return replace(found, manifest=read.manifest if read is not None else None)


def newest_verified(
    store: FolderStore, records: FolderStore, database: BackedUp, *, prefix: str, records_prefix: str
) -> Proof:
    """The newest backup that counts as verified. Refused `backup_check.never_proven` where there is none."""
    backups = backups_of(store, prefix, database.name)
    proof = verified_among(store, records, database, backups, entries_of(records, records_prefix, database.name))
    if proof is None:
        raise never_proven(f"{records.location}/{databases_folder(records_prefix, database.name)}", database)
    return proof


def verified_among(
    store: ObjectStore,
    records: ObjectStore,
    database: BackedUp,
    backups: Sequence[Listed],
    entries: Sequence[Entry],
) -> Proof | None:
    """The first of these backups, newest first, that counts as verified."""
    passed = {entry.backup for entry in entries if entry.word == "PASS"}
    for listed in backups:
        if listed.id in passed:
            found = standing_of(store, records, database, listed, entries)
            if found.word == "verified" and found.record is not None:
                return Proof(listed, found.record)
    return None


def never_proven(where: str, database: BackedUp, weaker: Record | None = None) -> Refused:
    """The error where no backup counts as verified. `weaker`: a restore that has passed, and proves less."""
    less = f"; that of {weaker.backup} has passed, but {less_than_asked(weaker, database)}" if weaker else ""
    return Refused(
        "backup_check.never_proven",
        f"{where}: no restore of a backup of {database.name!r} has been proven{less}",
        expected=f"a restore of tier {database.tier} or more whose content was equal to the snapshot's, with the"
        " policy's smoke questions",
        remedy="Run `aegis backup verify latest`, and on a schedule the action with `mode: verify`.",
    )


def _replaced(store: ObjectStore, entry: Entry, record: Record) -> Refused:
    return Refused(
        "backup_check.manifest_replaced",
        f"{store.location}/{entry.info.key} is of the manifest {record.manifest_sha256 or 'none'}, and another one"
        f" lies in {record.backup} now",
        expected="the manifest that was proven: none is ever written over",
        remedy="Treat the backup and the store as tampered with, and look for who wrote there.",
    )
