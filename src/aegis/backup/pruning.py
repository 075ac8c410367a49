"""Removing a backup from its store: the manifest first, so that nobody takes what is left for a backup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from aegis.backup.listing import Contents, Listed, contents_of, side_by_side
from aegis.backup.manifest import NAME, Manifest
from aegis.backup.proofs import TIERS, standing_of
from aegis.backup.records import Entry
from aegis.backup.retention import Candidate, Held
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.policy import BackedUp
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.core.ports.writing import WritableStore

_HELD: Final[Mapping[str, Held]] = {
    "verified": "verified",
    "weaker": "weaker",
    "failed": "failed",
    "unproven": "unproven",
    "replaced": "damaged",
    "unreadable": "unreadable",
}
"""What a standing means for who removes."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of one backup that was to go."""

    listed: Listed
    objects: int
    """How many are gone, its manifest and signature included."""
    size: int
    """Bytes of them."""
    problem: AegisError | None = None
    """Why others stayed."""


def candidates(
    store: ObjectStore,
    records: ObjectStore,
    database: BackedUp,
    backups: Sequence[Listed],
    entries: Sequence[Entry],
) -> tuple[Candidate, ...]:
    """What is in each backup's folder, and what its restores have shown."""
    restored = {entry.backup for entry in entries if entry.word != "UNKNOWN"}

    def one(listed: Listed) -> Candidate:
        contents = contents_of(store, listed)
        return Candidate(contents, _held(store, records, database, contents, entries, listed.id in restored))

    return side_by_side(backups, one, store.location)


def _held(
    store: ObjectStore,
    records: ObjectStore,
    database: BackedUp,
    contents: Contents,
    entries: Sequence[Entry],
    restored: bool,
) -> Held:
    if not contents.complete:
        return "damaged" if restored else "unproven"
    found = standing_of(store, records, database, contents.listed, entries)
    held = _HELD[found.word]
    if held in {"unproven", "failed"}:
        # a policy that asks for more than it did takes nothing from what was proven before
        least = structs.replace(database, tier=TIERS[0], smoke=())
        found = standing_of(store, records, least, contents.listed, entries)
        held = "weaker" if found.word == "verified" else _HELD[found.word]
    if found.word == "verified" and not _whole(contents, found.manifest):
        return "damaged"  # it would take the place of one that can still be restored
    return held


def _whole(contents: Contents, manifest: Manifest | None) -> bool:
    """Whether all that the manifest lists is there, in its size."""
    there = {info.key: info.size for info in contents.objects}
    owed = manifest.objects if manifest is not None else ()
    return manifest is not None and all(there.get(contents.listed.folder + each.name) == each.size for each in owed)


def remove(store: WritableStore, contents: Contents) -> Removed:
    """Remove a backup: its manifest, its signature, then its objects. Faults of the store are in the answer.

    Of each object its latest version goes; where the store keeps others, or a mark instead of it, is the store's affair
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html).
    """
    gone: list[ObjectInfo] = []
    try:
        if contents.manifest is not None:
            store.delete(contents.manifest)
            gone.append(contents.manifest)
            # with the latest version gone, an older one would be there again
            if store.head(contents.listed.folder + NAME) is not None:
                raise _still_there(store, contents)
        for info in (*([contents.signature] if contents.signature else ()), *contents.objects):
            store.delete(info)
            gone.append(info)
    except AegisError as error:
        return _removed(contents, gone, _told(store, contents, error))
    return _removed(contents, gone, None)


def _removed(contents: Contents, gone: Sequence[ObjectInfo], problem: AegisError | None) -> Removed:
    return Removed(contents.listed, len(gone), sum(info.size for info in gone), problem)


def _told(store: WritableStore, contents: Contents, error: AegisError) -> AegisError:
    """A refusal to remove may be a lock, which S3 calls by no other name than a missing permission."""
    if error.code != "backup_check.write_denied":
        return error
    return CouldNotDecide(
        "backup_check.prune_refused",
        f"{store.location}/{contents.listed.folder} could not be removed: {error.problem}",
        expected="a role that may delete there, and objects whose retention (Object Lock) has ended",
        remedy="Give the role s3:DeleteObject and s3:DeleteObjectVersion below the backups' prefix. Where the bucket"
        " has Object Lock, keep backups in the policy as long as it does, and prune again later.",
    )


def _still_there(store: WritableStore, contents: Contents) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.prune_refused",
        f"{store.location}/{contents.listed.folder}{NAME} is still there after its latest version was removed",
        expected="one version of each manifest: none is ever written over",
        remedy="Look for who wrote the others, then remove this backup by hand.",
    )
