"""Backups in a folder of this machine, made of the parts that `aegis backup run` is made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.adapters.postgres.dump import Dumper
from aegis.adapters.postgres.snapshot import hold
from aegis.adapters.postgres.tools import tools_at
from aegis.backup.inventory import Checksums
from aegis.backup.manifest import DUMP, GLOBALS, Dump, StoredObject, dump_manifest, manifest_of
from aegis.backup.writing import Item, write_backup
from tests.support.databases.postgres import Server

NAME = "shop"
"""Of the folder of the database's backups."""


def store(
    server: Server,
    database: str,
    root: Path,
    *,
    form: Literal["directory", "custom"] = "directory",
    checksums: Checksums = "typed",
    schema: bool = True,
) -> str:
    """The folder's key, with `/` at its end."""
    dumper = Dumper(tools=tools_at(server.bin), url=server.url(database))
    root.mkdir(exist_ok=True)
    with hold(dumper.url, checksums=checksums) as held, tempfile.TemporaryDirectory() as scratch:
        began = held.clock()
        items = [Item(GLOBALS, partial(_given, dumper.globals(held.database.name)))]
        if form == "directory":
            dumper.write_folder(Path(scratch) / DUMP, snapshot=held.snapshot, jobs=2)
            items += dumper.folder_items(Path(scratch) / DUMP)
        else:
            items.append(dumper.stream_item(DUMP, snapshot=held.snapshot))
        inventory = held.read()
        digest = dumper.schema_sha256(held.snapshot) if schema else None
        snapshot = held.described(dump_began=began, dump_ended=held.clock())
        dump = Dump(format=form, compression=dumper.compression, jobs=2, client_version=dumper.tools.version)

        def text(objects: tuple[StoredObject, ...]) -> bytes:
            made = manifest_of(held.finish(inventory), snapshot=snapshot, dump=dump, objects=objects, tool="test")
            return dump_manifest(msgspec.structs.replace(made, schema_sha256=digest))

        backup = f"{snapshot.time[:19].replace('-', '').replace(':', '')}Z"
        high, _, low = snapshot.lsn.partition("/")
        folder = f"{NAME}/{backup}-{high:0>8}{low:0>8}/"
        write_backup(WritableFolder(root), folder, items, text)
    return folder


@contextmanager
def _given(data: bytes) -> Iterator[Iterator[bytes]]:
    yield iter([data])
