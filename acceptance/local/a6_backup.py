"""A6: the runbook's scripts back a database up into an object store, and restore it from there into a staging database.

What was restored is compared row by row by SQL of this probe's own, beside what the product says of it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import psycopg  # noqa: E402 - probes run without being installed
import yaml  # noqa: E402
from psycopg import sql  # noqa: E402

from acceptance.local.commands import Commands, reason_in, surroundings  # noqa: E402
from acceptance.probe import Probe, probing  # noqa: E402
from tests.e2e.backup.gateway import Gateway, serving  # noqa: E402
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET  # noqa: E402
from tests.support.backup import shop_backups  # noqa: E402
from tests.support.databases.postgres import Server, running  # noqa: E402

BUCKET, PREFIX = "models", "postgresql/"
BACKUP = ("scripts/backup/backup_db.py",)
RESTORE = "scripts/backup/restore_db.py"
"""Of the runbook, word for word, but for the address."""
TABLES = ("customers", "orders", "products")
FAULTS = {
    "bit-flipped": "one bit of the dump is flipped in the object store, where no size and no name tells of it",
    "dump-deleted": "somebody deleted the dump from the object store",
    "row-lost": "one row is missing in the staging database after the restore",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What all steps share."""

    probe: Probe
    commands: Commands
    gateway: Gateway
    environ: Mapping[str, str]

    def objects(self) -> dict[str, int]:
        """Keys below the policy's prefix, and sizes."""
        found = self.gateway.s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", [])
        return {one["Key"]: one["Size"] for one in found}

    def content(self, key: str) -> bytes:
        """An object's bytes."""
        found: bytes = self.gateway.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return found


def main() -> None:
    """Run it."""
    with (
        probing(FAULTS) as probe,
        tempfile.TemporaryDirectory() as temporary,
        running() as production,
        running() as staging,
    ):
        folder, keys = Path(temporary), shop_backups.Keys.made()
        with serving(folder) as gateway:
            policy = folder / "aegis.backup.yml"
            policy.write_text(yaml.safe_dump(_policy(gateway, keys)))
            environ = {
                "AEGIS_POLICY": str(policy),
                "AWS_ACCESS_KEY_ID": ROOT_KEY,
                "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AEGIS_AGE_IDENTITY": keys.identities[0],
                "PATH": f"{production.bin}:{surroundings()['PATH']}",
            }
            hidden = [production.password, staging.password, *keys.identities, ROOT_SECRET]
            stage = Stage(probe, Commands(probe.evidence, hidden), gateway, environ)
            _play(stage, production, staging)


def _policy(gateway: Gateway, keys: shop_backups.Keys) -> dict[str, Any]:
    section = {
        "store": f"s3://{BUCKET}/{PREFIX}",
        "aws": {"region": REGION, "s3-endpoint": gateway.address},
        "databases": [dict(shop_backups.DATABASE)],
        "recipients": list(keys.recipients),
    }
    return {"version": 1, "backup-check": section}


def _play(stage: Stage, production: Server, staging: Server) -> None:
    source, target = production.url(production.new_database()), staging.url(staging.new_database("template0"))
    shop_backups.fill(source)
    backup = _backed_up(stage, source)
    if not backup:
        return
    if stage.probe.fault == "bit-flipped":
        _flip(stage, backup)
    if stage.probe.fault == "dump-deleted":
        for key in _dump(stage, backup):
            stage.gateway.s3.delete_object(Bucket=BUCKET, Key=key)
    if _present(stage, backup) and _restored(stage, backup, target):
        _equal(stage, source, target)


def _backed_up(stage: Stage, source: str) -> str:
    """The prefix of the new backup; empty if there is none."""
    done = stage.commands.run("backup", BACKUP, environ={**stage.environ, "AEGIS_DATABASE_URL": source})
    told = done.stdout + done.stderr
    stage.probe.check(
        "backup-taken",
        done.returncode == 0,
        f"{BACKUP[0]} ended with exit code {done.returncode}",
        reason=reason_in(told, "backup_check", "backup"),
    )
    manifests = [key for key in stage.objects() if key.endswith("/manifest.json")]
    return manifests[0].removesuffix("manifest.json") if len(manifests) == 1 else ""


def _dump(stage: Stage, backup: str) -> dict[str, int]:
    return {key: size for key, size in stage.objects().items() if key.startswith(f"{backup}dump")}


def _flip(stage: Stage, backup: str) -> None:
    dump = _dump(stage, backup)
    largest = max(dump, key=lambda key: dump[key])
    content = bytearray(stage.content(largest))
    content[len(content) // 2] ^= 1
    stage.gateway.s3.put_object(Bucket=BUCKET, Key=largest, Body=bytes(content))


def _present(stage: Stage, backup: str) -> bool:
    """Every object that the manifest names lies in the store, in its size."""
    manifest = stage.content(f"{backup}manifest.json")
    (stage.probe.evidence / "manifest.json").write_bytes(manifest)
    named = {f"{backup}{one['name']}": one["size"] for one in json.loads(manifest)["objects"]}
    found = {key: size for key, size in stage.objects().items() if key in named}
    stage.commands.keep("store", "".join(f"{size:>12} {key}\n" for key, size in sorted(stage.objects().items())))
    stage.probe.facts |= {
        "store": f"s3://{BUCKET}/{backup}",
        "objects": len(named),
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }
    return stage.probe.check(
        "artifacts-in-the-store",
        found == named and any(key.startswith(f"{backup}dump") for key in named),
        f"{len(found)} of {len(named)} objects of the manifest lie in the store",
        reason="probe.artifact_missing",
    )


def _restored(stage: Stage, backup: str, target: str) -> bool:
    began = time.monotonic()
    address = f"s3://{BUCKET}/{backup}"
    done = stage.commands.run("restore", [RESTORE, address], environ={**stage.environ, "AEGIS_DATABASE_URL": target})
    if done.returncode == 0:
        finished = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        size = sum(_dump(stage, backup).values())
        restore = {"finished": finished, "seconds": round(time.monotonic() - began, 2), "bytes": size}
        stage.probe.facts["restores"] = [restore]
    return stage.probe.check(
        "restored-into-staging",
        done.returncode == 0,
        f"{RESTORE} {address} ended with exit code {done.returncode}",
        reason=reason_in(done.stdout + done.stderr, "backup_check", "backup"),
    )


def _equal(stage: Stage, source: str, target: str) -> None:
    """The smoke questions, and each row, in the staging database."""
    with psycopg.connect(target, autocommit=True) as connection:
        if stage.probe.fault == "row-lost":
            connection.execute("DELETE FROM orders WHERE id = 4711")
        answers = {each["name"]: connection.execute(each["sql"].encode()).fetchone() for each in shop_backups.SMOKE}
    stage.probe.check(
        "smoke-tests",
        all(answer == (True,) for answer in answers.values()),
        "; ".join(f"{name}: {answer[0] if answer else None}" for name, answer in answers.items()),
        reason="probe.smoke_test_failed",
    )
    before, after = _rows(source), _rows(target)
    stage.probe.facts["rows"] = {table: count for table, (count, _) in after.items()}
    stage.commands.keep("rows", json.dumps({"production": before, "staging": after}, indent=1))
    stage.probe.check(
        "rows-equal",
        before == after,
        "; ".join(f"{table}: {before[table][0]} and {after[table][0]} rows" for table in TABLES),
        reason="probe.rows_differ",
    )


def _rows(url: str) -> dict[str, tuple[int, str]]:
    """Of each table the number of rows, and a hash over all of them in order."""
    count = sql.SQL("SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t.id), '')) FROM {} t")
    with psycopg.connect(url) as connection:
        found = {}
        for table in TABLES:
            row = connection.execute(count.format(sql.Identifier(table))).fetchone()
            assert row is not None
            found[table] = (int(row[0]), str(row[1]))
        return found


if __name__ == "__main__":
    main()
