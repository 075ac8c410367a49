"""`manifest.json`: what a backup is, what its database held in the snapshot, and which objects it is made of.

It is written last, so that without it there is no backup. What is read back is believed in nothing: only one reading is
possible, unknown names are refused, and names of objects cannot lead elsewhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.backup.inventory import HASH_VERSION, Count, Inventory, Name, Sha256, Text
from aegis.core.errors import CouldNotDecide, Refused
from aegis.signatures import strict_json

SCHEMA: Final = "aegis-backup/v1"
NAME = "manifest.json"
SIGNATURE = "manifest.sigstore.json"
"""Both lie beside the objects that the manifest lists, and are in no list."""
DUMP: Final = "dump"
"""pg_dump's archive: the objects below `dump/`, or in the form `custom` one object of this name."""
GLOBALS: Final = "globals.sql"
"""Roles and tablespaces as SQL, for people; nothing here runs it."""
OWN_SETTINGS: Final = "database.json"
"""Settings of the database itself, where it has any (`own_settings`)."""
ENCRYPTED: Final = ".age"
"""At the end of the name of every object that is encrypted."""
MAX_BYTES = 128 << 20
"""Of a manifest: 10,000 tables of 50 columns are about 35 MB."""

Time = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")]
"""UTC by the clock of the server that was dumped."""
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,128}")
_MOST_SEGMENTS = 4


class Snapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one moment that both the dump and the checksums show."""

    id: Annotated[str, Meta(pattern=r"\A[0-9A-F]{1,8}(-[0-9A-F]{1,8}){2}\Z")]
    """As `pg_export_snapshot` says it."""
    lsn: Annotated[str, Meta(pattern=r"\A[0-9A-F]{1,8}/[0-9A-F]{1,8}\Z")]
    """Where the write-ahead log stood: a restored database shows nothing later."""
    time: Time
    dump_began: Time
    dump_ended: Time


class Dump(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pg_dump was called."""

    format: Literal["directory", "custom"]
    compression: Annotated[str, Meta(pattern=r"\A(none|(gzip|lz4|zstd)(:[0-9]{1,2})?)\Z")]
    jobs: Annotated[int, Meta(ge=1, le=1024)]
    client_version: Text


class Encryption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who can read the objects, each of which is a file of age (https://age-encryption.org/v1). The manifest is not."""

    recipients: Annotated[
        tuple[Annotated[str, Meta(pattern=r"\Aage1[02-9ac-hj-np-z]{58}\Z")], ...], Meta(min_length=1, max_length=64)
    ]
    """Their public keys (X25519), sorted. Any one of their identities is enough."""


class StoredObject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One object of the backup. Archives of zstd and lz4 hold no checksums of their own: this is the only one."""

    name: Annotated[str, Meta(min_length=1, max_length=512)]
    """Its key below the manifest's folder."""
    size: Count
    sha256: Sha256
    """Both of what is stored: of an encrypted object, of the file of age."""


class Manifest(Inventory, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inventory of the database in the snapshot, and the backup that was made of it."""

    schema: Literal["aegis-backup/v1"] = SCHEMA
    id: Annotated[str, Meta(pattern=r"\A[0-9]{8}T[0-9]{6}Z-[0-9A-F]{16}\Z")]
    """The snapshot's time and place in the log; in the order of time as text."""
    snapshot: Snapshot
    dump: Dump
    objects: Annotated[tuple[StoredObject, ...], Meta(min_length=1, max_length=1_000_000)]
    tool: Name
    """What wrote it, e.g. `aegis 1.0.0`."""
    encryption: Encryption | None = None
    """None: the objects are as pg_dump wrote them."""


def manifest_of(
    inventory: Inventory,
    *,
    snapshot: Snapshot,
    dump: Dump,
    objects: tuple[StoredObject, ...],
    tool: str,
    encryption: Encryption | None = None,
) -> Manifest:
    """The manifest of a backup whose objects are all stored."""
    held = {name: getattr(inventory, name) for name in Inventory.__struct_fields__}
    return Manifest(
        **held,
        id=backup_id(snapshot),
        snapshot=snapshot,
        dump=dump,
        objects=objects,
        tool=tool,
        encryption=encryption,
    )


def backup_id(snapshot: Snapshot) -> str:
    """E.g. `20261126T003413Z-0000000016B37480`: sorts by time.

    Two snapshots of a cluster share it only if they are of one second, in which nothing was written.
    """
    high, _, low = snapshot.lsn.partition("/")
    return f"{re.sub('[-:]', '', snapshot.time[:19])}Z-{high:0>8}{low:0>8}"


def time_text(time: datetime) -> str:
    """A moment as manifests write it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def dump_manifest(manifest: Manifest) -> bytes:
    """The one text of it: names sorted, nothing between them. Refuses what `parse_manifest` would not read back."""
    data = msgspec.json.encode(manifest, order="sorted")
    parse_manifest(data)
    return data


def parse_manifest(data: bytes) -> Manifest:
    """Of the bytes of `manifest.json`.

    Refuses with `backup_check.manifest_invalid`; raises CouldNotDecide `backup_check.manifest_newer`.
    """
    try:
        value = strict_json.parse(data, what="the manifest", limit=MAX_BYTES)
    except Refused as error:
        raise _invalid(error.problem) from error
    if isinstance(value, dict):
        _check_versions(value.get("schema"), value.get("hash_version"))
    try:
        manifest = msgspec.convert(value, Manifest, strict=True)
    except msgspec.ValidationError as error:
        raise _invalid(f"the manifest: {error}") from error
    _check(manifest)
    return manifest


def _check_versions(schema: object, hash_version: object) -> None:
    newer = isinstance(schema, str) and re.fullmatch(r"aegis-backup/v[0-9]{1,4}", schema) and schema != SCHEMA
    if newer or (isinstance(hash_version, int) and hash_version > HASH_VERSION):
        raise CouldNotDecide(
            "backup_check.manifest_newer",
            f"the manifest is of schema {schema!r} with checksums of version {hash_version!r}",
            expected=f"schema {SCHEMA!r} with checksums of version {HASH_VERSION}",
            remedy="Use the version of Aegis that wrote the backup, or a later one.",
        )


def _check(manifest: Manifest) -> None:
    if manifest.hash_version != HASH_VERSION:
        raise _invalid(f"the manifest has checksums of version {manifest.hash_version}")
    if manifest.id != backup_id(manifest.snapshot):
        raise _invalid(f"the manifest has the id {manifest.id!r}, and its snapshot is {backup_id(manifest.snapshot)!r}")
    for time in (manifest.snapshot.time, manifest.snapshot.dump_began, manifest.snapshot.dump_ended):
        _check_time(time)
    names = [each.name for each in manifest.objects]
    for name in names:
        segments = name.split("/")
        if len(segments) > _MOST_SEGMENTS or not all(_SEGMENT.fullmatch(each) for each in segments):
            raise _invalid(f"the manifest lists the object {name!a}, whose name leads elsewhere")
        if name in (NAME, SIGNATURE):
            raise _invalid(f"the manifest lists {name!r} as an object of the backup")
        if name.endswith(ENCRYPTED) is (manifest.encryption is None):
            raise _invalid(
                f"the manifest lists {name!r}, and names {'no ' if manifest.encryption is None else ''}recipients"
            )
    _check_order("objects", [(name,) for name in names])
    if manifest.encryption is not None:
        _check_order("recipients", [(each,) for each in manifest.encryption.recipients])
    for what in ("tables", "sequences", "matviews"):
        _check_order(what, [(each.schema, each.name) for each in getattr(manifest, what)])
    for what in ("extensions", "roles"):
        _check_order(what, [(each.name,) for each in getattr(manifest, what)])
    for table in manifest.tables:
        _check_order("columns", [(column.name,) for column in table.columns])


def _check_time(time: str) -> None:
    try:
        datetime.fromisoformat(time)
    except ValueError as error:
        raise _invalid(f"the manifest has the time {time!r}, which never was") from error


def _check_order(what: str, keys: list[tuple[str, ...]]) -> None:
    """A thing that is there twice would be compared once."""
    if any(first >= second for first, second in pairwise(keys)):
        raise _invalid(f"the manifest's {what} are not sorted, or one is there twice")


def _invalid(problem: str) -> Refused:
    return Refused(
        "backup_check.manifest_invalid",
        problem,
        expected=f"a manifest of schema {SCHEMA!r} as `aegis backup run` writes it",
        remedy="Take another backup, and treat this one as damaged or tampered with.",
    )
