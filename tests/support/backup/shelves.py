"""Backups and records on a shelf: a database that was backed up on some days, and restored on others."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from aegis.backup.compare import Difference
from aegis.backup.drill import DrillResult
from aegis.backup.manifest import Manifest, StoredObject, backup_id, dump_manifest, time_text
from aegis.backup.records import Record, record_of, write_record
from aegis.core.policy import BackedUp
from tests.doubles.shelf import ShelfStore
from tests.support.backup.inventories import manifest as example

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PREFIX, RECORDS = "prod/", "prod/_records/"
SHOP = BackedUp(name="shop")


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def manifest_at(time: datetime, *sizes: int) -> Manifest:
    """Of a snapshot at this time, with objects `dump/0`, `dump/1`, … of these sizes."""
    snapshot = structs.replace(example().snapshot, time=time_text(time))
    objects = tuple(
        StoredObject(name=f"dump/{number}", size=size, sha256=hashlib.sha256(bytes(size)).hexdigest())
        for number, size in enumerate(sizes)
    )
    return structs.replace(example(), id=backup_id(snapshot), snapshot=snapshot, objects=objects)


def back_up(store: ShelfStore, time: datetime, *sizes: int, complete: bool = True, name: str = "shop") -> Manifest:
    """A backup whose snapshot was taken then; two objects of 30 and 70 bytes where no sizes are given."""
    manifest = manifest_at(time, *(sizes or (30, 70)))
    folder = f"{PREFIX}{name}/{manifest.id}/"
    for each in manifest.objects:
        store.put(folder + each.name, bytes(each.size))
    if complete:
        store.put(f"{folder}manifest.json", dump_manifest(manifest))
    return manifest


def result(**changes: Any) -> DrillResult:
    """Of a restore that has passed."""
    passed: dict[str, Any] = {
        "outcome": "PASS",
        "reason": "backup_check.proven",
        "tier": "proof",
        "equality": "equal",
        "seconds": {"find": 1.0, "download": 10.0, "restore": 20.0, "compare": 5.0},
        "size": 100,
        "engine": "17.11",
        "isolated": True,
    }
    return DrillResult(**{**passed, **changes})


FAILED: dict[str, Any] = {
    "outcome": "FAIL",
    "reason": "backup_check.table_content",
    "equality": "differs",
    "differences": (Difference("backup_check.table_content", "table secret", "1", "2"),) * 2,
}
UNKNOWN: dict[str, Any] = {
    "outcome": "COULD NOT VERIFY",
    "reason": "backup_check.engine_failed",
    "equality": "not run",
}


def record(
    manifest: Manifest, time: datetime, *, sha256: str | None = None, name: str = "shop", **changes: Any
) -> Record:
    """Of a restore of this backup that ended then."""
    return record_of(
        result(**changes),
        database=name,
        backup=manifest.id,
        manifest_sha256=sha256 or hashlib.sha256(dump_manifest(manifest)).hexdigest(),
        snapshot_time=manifest.snapshot.time,
        started=time - timedelta(minutes=1),
        finished=time,
        tool="aegis 1.0.0",
        actor="github:alice",
        run_url="https://github.com/org/app/actions/runs/1",
    )


def restore(store: ShelfStore, manifest: Manifest, time: datetime, **changes: Any) -> str:
    """Write such a record; its key."""
    return write_record(store, RECORDS, record(manifest, time, **changes))
