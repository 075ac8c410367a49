"""Whether a backup is of the database that it is kept for: the one that the policy names, else the one before it.

A backup of another database restores, is equal to what was dumped, and saves nothing: a wrong address, or a good backup
that somebody has put in the place of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegis.backup.inventory import Database
from aegis.backup.listing import Listed, looked_into, read_manifest
from aegis.backup.manifest import Manifest
from aegis.backup.proofs import verified_among
from aegis.backup.records import Entry
from aegis.core.errors import Refused
from aegis.core.policy import BackedUp
from aegis.core.ports.objects import ObjectStore

_LOOKED: Final = 8
"""Backups before it, and restores that have passed, among which the one to compare with is looked for."""


def manifest_before(
    store: ObjectStore,
    records: ObjectStore,
    database: BackedUp,
    backups: Sequence[Listed],
    entries: Sequence[Entry],
) -> Manifest | None:
    """Of the newest verified one of these backups, newest first, else of the newest complete one; None: there is none.

    One that is damaged is passed over: it is no reason to take no other.
    """
    passed = {entry.backup for entry in entries if entry.word == "PASS"}
    restored = [listed for listed in backups if listed.id in passed]
    proof = verified_among(store, records, database, restored[:_LOOKED], entries)
    seen = looked_into(
        store,
        [proof.listed] if proof is not None else backups[:_LOOKED],
        enough=lambda found: any(contents.complete for contents in found),
    )
    for contents in seen:
        if contents.manifest is not None:
            try:
                return read_manifest(store, contents.manifest).manifest
            except Refused:
                continue
    return None


def other_database(what: str, found: Database, database: BackedUp, before: Manifest | None) -> Refused | None:
    """The refusal where it is another database; `what` begins the sentence that says so.

    What the policy names counts. Where it names nothing, it must be as in the backup before.
    """
    identifier, name = database.system_identifier, database.database
    if before is not None:
        identifier = identifier or before.database.system_identifier
        name = name or before.database.name
    if identifier in {None, found.system_identifier} and name in {None, found.name}:
        return None
    return Refused(
        "backup_check.cluster_other",
        f"{database.name}: {what} {found.name!r} in the cluster {found.system_identifier}",
        expected=f"the database {name or found.name!r} in the cluster {identifier or found.system_identifier}"
        + (f", as in {before.id} or as the policy names them" if before is not None else ", as the policy names them"),
        remedy="Correct the address that the backup is taken from, or look for who put this backup there; after a move"
        " of the database, name where it is now by `system-identifier` and `database` in the policy.",
    )


def emptied(backup: str, manifest: Manifest, database: BackedUp, before: Manifest | None) -> Refused | None:
    """The refusal where there are no tables any more."""
    if has_tables(manifest) or before is None or not has_tables(before):
        return None
    return Refused(
        "backup_check.dump_empty",
        f"{database.name}: {backup} has no tables",
        expected=f"a database with tables, as in {before.id}",
        remedy="Look at what was dumped: another database, or one that somebody has emptied.",
    )


def has_tables(manifest: Manifest) -> bool:
    """Whether it has tables of its own: those of extensions come with them."""
    return any(table.kind != "extension" for table in manifest.tables)
