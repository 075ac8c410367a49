"""A small inventory and its manifest, to be changed by tests."""

from __future__ import annotations

from aegis.backup.inventory import (
    HASH_VERSION,
    Column,
    Database,
    Extension,
    Inventory,
    LargeObjects,
    Matview,
    Position,
    Role,
    Sequence,
    Table,
)
from aegis.backup.manifest import Dump, Manifest, Snapshot, StoredObject, manifest_of

DATABASE = Database(
    name="shop",
    oid=16384,
    system_identifier="18446744073709551615",
    server_version_num=170011,
    encoding="UTF8",
    collate="C.UTF-8",
    ctype="C.UTF-8",
    locale_provider="libc",
    icu_locale=None,
    collation_version=None,
)
USERS = Table(
    schema="public",
    name="users",
    kind="table",
    rows=3,
    hash="-12345678901234567890",
    columns=(Column(name="id", type="bigint", rule="native"), Column(name="name", type="text", rule="text-c")),
)


def sequence(before: str, after: str, *, increment: str = "1", cycle: bool = False, called: bool = True) -> Sequence:
    return Sequence(
        schema="public",
        name="users_id_seq",
        increment=increment,
        cycle=cycle,
        before=Position(last=before, called=called),
        after=Position(last=after, called=called),
        owned_max=None,
    )


INVENTORY = Inventory(
    database=DATABASE,
    checksums="typed",
    hash_version=HASH_VERSION,
    settings={"timezone": "UTC"},
    tables=(USERS,),
    sequences=(sequence("3", "5"),),
    large_objects=LargeObjects(count=2, hash="7"),
    matviews=(Matview(schema="public", name="counted", populated=True, rows=1),),
    extensions=(Extension(name="plpgsql", version="1.0"),),
    roles=(
        Role(
            name="owner",
            superuser=False,
            inherit=True,
            create_role=False,
            create_db=False,
            login=True,
            replication=False,
            bypass_rls=False,
            used=True,
            member_of=("pg_read_all_data",),
        ),
    ),
    schema_sha256="0" * 64,
)
SNAPSHOT = Snapshot(
    id="00000003-0000001B-1",
    lsn="1A/16B3748",
    time="2026-11-26T00:34:13.000001Z",
    dump_began="2026-11-26T00:34:13.100000Z",
    dump_ended="2026-11-26T00:34:14.000000Z",
)


def manifest() -> Manifest:
    return manifest_of(
        INVENTORY,
        snapshot=SNAPSHOT,
        dump=Dump(format="directory", compression="zstd:1", jobs=2, client_version="17.11"),
        objects=(
            StoredObject(name="dump/1234.dat.zst", size=10, sha256="a" * 64),
            StoredObject(name="dump/toc.dat", size=20, sha256="b" * 64),
        ),
        tool="aegis 1.0.0",
    )
