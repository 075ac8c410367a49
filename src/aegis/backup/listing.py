"""Which backups of a database there are, and what is in the folder of one.

A store is asked for folders, not for objects: each backup is one line of a listing, however many objects it has.
Whether one is complete is only known by looking into its folder, since the manifest is written last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from aegis.backup.layout import databases_folder, is_backup_id, time_of
from aegis.backup.manifest import MAX_BYTES, NAME, SIGNATURE, Manifest, parse_manifest
from aegis.core.errors import Refused
from aegis.core.ports.objects import FolderStore, ObjectInfo, ObjectStore
from aegis.storage import faults
from aegis.storage.hashing import KeepingSink
from aegis.storage.parallel import Stop, each
from aegis.storage.transfer import read_once

T = TypeVar("T")
R = TypeVar("R")

WORKERS: Final = 8
"""Requests at once: small ones, whose time is the way to the store."""
SECONDS: Final = 300.0
"""For all requests of one question."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The folder of one backup, or of what was to become one."""

    id: str
    folder: str
    """Its key, with `/` at its end."""
    time: datetime
    """Of the snapshot, to the second, by the clock of the server that was dumped."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in a backup's folder, by the store's own listing."""

    listed: Listed
    manifest: ObjectInfo | None
    signature: ObjectInfo | None
    objects: tuple[ObjectInfo, ...]
    """All others, by key."""

    @property
    def complete(self) -> bool:
        """Whether it has a manifest, which is written last."""
        return self.manifest is not None

    @property
    def size(self) -> int:
        """Bytes of its objects, without manifest and signature."""
        return sum(info.size for info in self.objects)


@dataclass(frozen=True, slots=True)
class Read:
    """A manifest as it lies in the store."""

    manifest: Manifest
    sha256: str
    """In hex, of its bytes: what records name it by."""
    data: bytes


def backups_of(store: FolderStore, prefix: str, name: str) -> tuple[Listed, ...]:
    """All folders of backups of a database, newest first. `prefix` is empty or ends in `/`.

    Folders that no backup has are left out: somebody else's, and never touched.
    """
    above = databases_folder(prefix, name)
    found = []
    for folder in store.folders(above):
        backup = folder[len(above) : -1]
        time = time_of(backup) if is_backup_id(backup) else None
        if time is not None:
            found.append(Listed(backup, folder, time))
    return tuple(sorted(found, key=lambda listed: listed.id, reverse=True))


def contents_of(store: ObjectStore, listed: Listed) -> Contents:
    """Look into a backup's folder."""
    own = {NAME: None, SIGNATURE: None} | {info.key[len(listed.folder) :]: info for info in store.list(listed.folder)}
    manifest, signature = own.pop(NAME), own.pop(SIGNATURE)
    return Contents(listed, manifest, signature, tuple(info for info in own.values() if info is not None))


def read_manifest(store: ObjectStore, info: ObjectInfo) -> Read:
    """A manifest, as it was listed. Refused `backup_check.manifest_invalid`, also where it is larger than one can be.

    Nothing is said of its signature.
    """
    where = f"{store.location}/{info.key}"
    if info.size > MAX_BYTES:
        raise Refused(
            "backup_check.manifest_invalid",
            f"{where} has {info.size} bytes",
            expected=f"a manifest of at most {MAX_BYTES} bytes",
            remedy="Take another backup, and treat this one as damaged or tampered with.",
        )
    kept = KeepingSink()
    read_once(store, info, [kept])
    manifest = parse_manifest(kept.content)
    backup = info.key.removesuffix(f"/{NAME}").rpartition("/")[2]
    if is_backup_id(backup) and manifest.id != backup:
        raise Refused(
            "backup_check.manifest_invalid",
            f"{where} is the manifest of {manifest.id}",
            expected=f"the manifest of {backup}: each lies in the folder of its own backup",
            remedy="Look for who moved it; take another backup, and don't rely on this one.",
        )
    return Read(manifest, hashlib.sha256(kept.content).hexdigest(), kept.content)


def newest_complete(store: FolderStore, prefix: str, name: str) -> Listed:
    """The newest backup that has a manifest. Refused `backup_check.no_backup` where there is none."""
    found = looked_into(store, backups_of(store, prefix, name), enough=lambda seen: any(c.complete for c in seen))
    for contents in found:
        if contents.complete:
            return contents.listed
    raise no_backup(f"{store.location}/{databases_folder(prefix, name)}", len(found))


def looked_into(
    store: ObjectStore, backups: Sequence[Listed], *, enough: Callable[[Sequence[Contents]], bool]
) -> tuple[Contents, ...]:
    """What is in the folders of the first of these backups, some at a time, until it is `enough`."""
    found: list[Contents] = []
    for start in range(0, len(backups), WORKERS):
        if found and enough(found):
            break
        part = backups[start : start + WORKERS]
        found += side_by_side(part, lambda listed: contents_of(store, listed), store.location)
    return tuple(found)


def side_by_side(things: Sequence[T], do: Callable[[T], R], where: str) -> tuple[R, ...]:
    """The answers for all things, in their order; asked for some at a time. The first error is raised."""
    answers: dict[int, R] = {}

    def one(place: int) -> None:
        answers[place] = do(things[place])

    each(
        range(len(things)),
        one,
        stop=Stop(SECONDS),
        workers=max(1, min(WORKERS, len(things))),
        late=lambda: faults.slow(where, f"not done after {SECONDS:g} s"),
    )
    return tuple(answers[place] for place in range(len(things)))


def no_backup(where: str, unfinished: int) -> Refused:
    """The error where there is no complete backup at all."""
    return Refused(
        "backup_check.no_backup",
        f"{where}: there is no complete backup" + (f", but {unfinished} without a manifest" if unfinished else ""),
        expected="at least one backup",
        remedy="Run `aegis backup run`, and look why its schedule does not.",
    )
