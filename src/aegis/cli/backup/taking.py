"""One backup: a snapshot that pg_dump and the checksums share, its objects in the store, then their manifest."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

import aegis
from aegis.adapters.age import encrypted, parse_recipients
from aegis.adapters.postgres.dump import Dumper
from aegis.adapters.postgres.session import major_of
from aegis.adapters.postgres.snapshot import Held, hold
from aegis.adapters.postgres.tools import find_tools
from aegis.backup.inventory import Checksums, Inventory
from aegis.backup.layout import backup_folder
from aegis.backup.listing import backups_of
from aegis.backup.manifest import (
    DUMP,
    GLOBALS,
    OWN_SETTINGS,
    Dump,
    Encryption,
    Manifest,
    Snapshot,
    StoredObject,
    backup_id,
    dump_manifest,
    manifest_of,
)
from aegis.backup.own_settings import dump_own_settings
from aegis.backup.records import entries_of
from aegis.backup.same_database import manifest_before, other_database
from aegis.backup.writing import Item, write_backup
from aegis.cli.backup.stores import Place, Places
from aegis.cli.scratch import scratch_folder
from aegis.cli.surroundings import ROOT
from aegis.core.policy import BackedUp, BackupCheckPolicy
from aegis.startup.surroundings import cache_folder

JOBS: Final = min(os.cpu_count() or 1, 4)
"""Sessions that dump, and as many that compute checksums: a database has others to serve."""
_TRIES: Final = 3
"""To find a second of which there is no backup."""
_GRACE: Final = 3.0
"""Seconds that a reading which nobody waits for has to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a backup is taken."""

    url: str = field(repr=False)
    """The database's address, which may hold a password."""
    stream: bool = False
    """One object that is made while it is sent, so that no disk is needed; by one session."""
    jobs: int = JOBS
    checksums: Checksums = "typed"
    temporary: Path | None = None
    """The folder for a dump on its way; None: the system's."""
    sign: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    """Of the manifest's bytes, their signature."""
    progress: Callable[[int, int], None] | None = None
    """Is told bytes: so many done, of so many; of 0 where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup that is whole in its store."""

    folder: str
    """Its key, ending in `/`."""
    manifest: Manifest
    sha256: str
    """Of the manifest's bytes, hex."""
    size: int
    """Bytes of its objects."""
    seconds: float
    signed: bool


def back_up(
    policy: BackupCheckPolicy, database: BackedUp, places: Places, wishes: Wishes, environ: Mapping[str, str]
) -> Taken:
    """Take a backup of a database. Whatever goes wrong, there is no manifest, and as little else as the store lets us.

    Raises what the stores, `hold`, `Dumper` and `write_backup` raise, and Refused `backup_check.cluster_other`.
    """
    began = time.monotonic()
    recipients = parse_recipients(policy.recipients)
    tools = find_tools(major_of(wishes.url), root=ROOT, cache=cache_folder(environ), environ=environ)
    dumper = Dumper(tools=tools, url=wishes.url, environ=environ)
    there = backups_of(places.backups.store, places.backups.prefix, database.name)
    records = entries_of(places.records.store, places.records.prefix, database.name)
    before = manifest_before(places.backups.store, places.records.store, database, there, records)
    ids = frozenset(listed.id for listed in there)
    run = _Run(database, places.backups, wishes, recipients, dumper, before, ids, began)
    return run.streamed() if wishes.stream else run.dumped()


@dataclass(frozen=True, slots=True)
class _Run:
    database: BackedUp
    place: Place
    wishes: Wishes
    recipients: tuple[str, ...]
    dumper: Dumper
    before: Manifest | None
    """Of the backup that says which database it is."""
    there: frozenset[str]
    """The ids of all that are there."""
    began: float
    """By the monotonic clock."""

    def dumped(self) -> Taken:
        """By a folder on this machine: several sessions dump, and the snapshot is let go before anything is sent."""
        with scratch_folder("aegis-backup-", self.wishes.temporary) as temporary:
            folder = temporary / DUMP
            with self._held() as held, _reading(held) as reading:
                began = held.clock()
                texts = self._texts(held)

                def tick(size: int) -> None:
                    reading.check()
                    self._tell(size, 0)

                self.dumper.write_folder(folder, snapshot=held.snapshot, jobs=self.wishes.jobs, tick=tick)
                found = self._finished(held, reading, began)
            items = [*self.dumper.folder_items(folder), *texts]
            size = sum(file.stat().st_size for file in folder.iterdir())
            return self._written(found[1], items, lambda: found, size)

    def streamed(self) -> Taken:
        """By one session, whose archive is sent while it is made; the checksums may take longer than that."""
        with self._held() as held, _reading(held) as reading:
            began = held.clock()
            stream = _watched(self.dumper.stream_item(DUMP, snapshot=held.snapshot), reading)
            items = [stream, *self._texts(held)]
            snapshot = held.described(dump_began=began, dump_ended=began)
            return self._written(snapshot, items, partial(self._finished, held, reading, began), 0)

    @contextmanager
    def _held(self) -> Iterator[Held]:
        """A snapshot whose id no backup has: two of one second have the same, where nothing was written meanwhile."""
        for tries_left in reversed(range(_TRIES)):
            with hold(self.wishes.url, jobs=self.wishes.jobs, checksums=self.wishes.checksums) as held:
                wrong = other_database("the address leads to", held.database, self.database, self.before)
                if wrong is not None:
                    raise wrong
                now = held.clock()
                # The last one is tried as it is: nothing is written over, so that the store says what is in the way.
                if not tries_left or backup_id(held.described(dump_began=now, dump_ended=now)) not in self.there:
                    yield held
                    return
            time.sleep(1)

    def _texts(self, held: Held) -> list[Item]:
        """What an archive does not hold, or a restore of it does not set."""
        texts = [_text(GLOBALS, self.dumper.globals(held.database.name))]
        if held.own_settings:
            texts.append(_text(OWN_SETTINGS, dump_own_settings(held.own_settings)))
        return texts

    def _finished(self, held: Held, reading: _Reading, began: str) -> tuple[Inventory, Snapshot]:
        """What the database holds, when pg_dump and the checksums are done with it."""
        schema = self.dumper.schema_sha256(held.snapshot)
        inventory = held.finish(reading.result())
        snapshot = held.described(dump_began=began, dump_ended=held.clock())
        return msgspec.structs.replace(inventory, schema_sha256=schema), snapshot

    def _written(
        self, snapshot: Snapshot, items: list[Item], finished: Callable[[], tuple[Inventory, Snapshot]], size: int
    ) -> Taken:
        """Store the items and their manifest. `finished` is called when the items are stored; `size`: their bytes."""
        written: list[tuple[Manifest, bytes]] = []

        def manifest(objects: tuple[StoredObject, ...]) -> bytes:
            inventory, described = finished()
            made = manifest_of(
                inventory,
                snapshot=described,
                dump=Dump(
                    format="custom" if self.wishes.stream else "directory",
                    compression=self.dumper.compression,
                    jobs=1 if self.wishes.stream else self.wishes.jobs,
                    client_version=self.dumper.tools.version,
                ),
                objects=objects,
                tool=f"aegis {aegis.__version__}",
                encryption=Encryption(recipients=self.recipients) if self.recipients else None,
            )
            data = dump_manifest(made)
            written.append((made, data))
            return data

        folder = backup_folder(self.place.prefix, self.database.name, backup_id(snapshot))
        objects = write_backup(
            self.place.store,
            folder,
            [encrypted(item, self.recipients) for item in items] if self.recipients else items,
            manifest,
            sign=self.wishes.sign,
            told=_Counted(self._tell, size),
        )
        [(made, data)] = written
        return Taken(
            folder=folder,
            manifest=made,
            sha256=hashlib.sha256(data).hexdigest(),
            size=sum(each.size for each in objects),
            seconds=time.monotonic() - self.began,
            signed=self.wishes.sign is not None,
        )

    def _tell(self, done: int, total: int) -> None:
        if self.wishes.progress is not None:
            self.wishes.progress(done, total)


class _Counted:
    """Adds up what several threads have sent."""

    def __init__(self, tell: Callable[[int, int], None], total: int) -> None:
        self._tell, self._total = tell, total
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._tell(self._done, self._total)


class _Reading:
    """Checksums beside the dump, in a thread that can be left behind."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._found: Inventory | None = None
        self._error: BaseException | None = None
        self._ended: SimpleQueue[None] = SimpleQueue()
        """Not the thread itself is asked: it counts as ended once a signal's handler raises out of `join`."""

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="aegis-checksums", daemon=True).start()

    def check(self) -> None:
        """Raise what has ended it."""
        if self._error is not None:
            raise self._error

    def result(self) -> Inventory:
        """Wait for it, once."""
        self._ended.get()
        self.check()
        if self._found is None:
            raise AssertionError("a reading ends with an inventory or an error")
        return self._found

    def cancel(self) -> None:
        """Nobody waits for it."""
        if self._found is None and self._error is None:
            self._held.cancel()
            with suppress(Empty):
                self._ended.get(timeout=_GRACE)

    def _run(self) -> None:
        try:
            self._found = self._held.read()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.put(None)


@contextmanager
def _reading(held: Held) -> Iterator[_Reading]:
    reading = _Reading(held)
    try:
        reading.start()
        yield reading
    finally:
        reading.cancel()


def _watched(item: Item, reading: _Reading) -> Item:
    """A stream that ends where the checksums fail: without them it is no backup."""

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        with item.open() as chunks:

            def checked() -> Iterator[bytes]:
                for chunk in chunks:
                    reading.check()
                    yield chunk

            yield checked()

    return Item(item.name, opened)


def _text(name: str, content: bytes) -> Item:
    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield iter((content,))

    return Item(name, opened)
