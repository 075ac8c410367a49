"""A backup's objects into a store, then its manifest: without that, there is no backup."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace

from aegis.backup.manifest import NAME, SIGNATURE, StoredObject
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.ports.writing import WritableStore
from aegis.storage.parallel import Stop, each

WORKERS = 4
"""Objects at once. Large ones are sent in parts side by side by the store itself."""
SECONDS = 6 * 3600.0
"""For a whole backup: the longest that GitHub lets a job run."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object that is to be stored."""

    name: str
    """Its key below the backup's folder."""
    open: Callable[[], AbstractContextManager[Iterator[bytes]]] = field(repr=False)
    """Its bytes in chunks, some of them empty where they are waited for. They end only if they are all."""


def write_backup(
    store: WritableStore,
    folder: str,
    items: Sequence[Item],
    manifest_of: Callable[[tuple[StoredObject, ...]], bytes],
    *,
    sign: Callable[[bytes], bytes] | None = None,
    told: Callable[[int], None] = lambda _: None,
    workers: int = WORKERS,
    seconds: float = SECONDS,
) -> tuple[StoredObject, ...]:
    """Store every item below `folder` (a key that ends in `/`), and then `manifest.json`; by name, what was stored.

    `manifest_of` is called when all objects are stored; `sign` gives its signature, which is stored before it, so that
    no backup is ever without. `told` is called with the number of bytes that were handed over, from several threads.
    Nothing is ever written over: `backup_check.object_exists`. Whatever goes wrong, there is no manifest, and what was
    stored before it is removed again as far as the store lets us; but for a manifest whose storing was interrupted and
    succeeded: that backup is whole. `backup_check.backup_late` where it takes more than `seconds`.
    """
    stop = Stop(seconds)
    stored: dict[str, StoredObject] = {}
    keys: list[str] = []
    """Of what is there for certain."""
    ending = False
    lock = threading.Lock()

    def put(item: Item) -> None:
        digest, size = hashlib.sha256(), 0
        # The producer stands outside: its bad end comes before the upload's good one.
        with item.open() as chunks, store.create(folder + item.name) as upload:
            for chunk in chunks:
                stop.check()
                if chunk:
                    digest.update(chunk)
                    size += len(chunk)
                    upload.write(chunk)
                    told(len(chunk))
            stop.check()
        with lock:
            keys.append(folder + item.name)
            stored[item.name] = StoredObject(name=item.name, size=size, sha256=digest.hexdigest())

    try:
        each(items, put, stop=stop, workers=max(1, min(workers, len(items))), late=lambda: _late(folder, seconds))
        objects = tuple(stored[name] for name in sorted(stored))
        manifest = manifest_of(objects)
        if sign is not None:
            _put(store, folder + SIGNATURE, sign(manifest))
            keys.append(folder + SIGNATURE)
        ending = True
        _put(store, folder + NAME, manifest)
    except BaseException as error:
        with lock:
            done = tuple(keys)
        if not (ending and _may_be_whole(store, folder + NAME, error)):
            _remove(store, done)
        raise
    return objects


def _put(store: WritableStore, key: str, content: bytes) -> None:
    with store.create(key) as upload:
        upload.write(content)


def _may_be_whole(store: WritableStore, manifest: str, error: BaseException) -> bool:
    """Whether our manifest is there although its storing did not end well, or nobody can tell."""
    if isinstance(error, AegisError) and error.code == "backup_check.object_exists":
        return False
    try:
        return store.head(manifest) is not None
    except AegisError:
        return True


def _remove(store: WritableStore, keys: Sequence[str]) -> None:
    """Take away what this run has stored, as far as that is possible: a writer's role may not delete.

    The object and not its version, so that the role needs no right to destroy versions.
    """
    for key in keys:
        with suppress(AegisError):
            info = store.head(key)
            if info is not None:
                store.delete(replace(info, version=None))


def _late(folder: str, seconds: float) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.backup_late",
        f"{folder}: the backup takes more than {seconds:g} s",
        expected="a backup in time",
        remedy="Look for what is slow, the database or the store; or allow more time.",
    )
