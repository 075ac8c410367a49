"""Backups in OCI: another lock, another way to credentials, the same answer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import yaml

from tests.doubles.cloud import ENVIRONMENT
from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET
from tests.doubles.oci.object_storage import Bucket
from tests.doubles.oci.tenancy import NAMESPACE, WANTED, tenancy
from tests.e2e.actions.backup_check.conftest import BACKUP_CHECK, Shelf, nightly
from tests.e2e.actions.conftest import Stage, told
from tests.support.actions.act import Act
from tests.support.actions.leaks import secrets_in, without_masks
from tests.support.backup.shop_backups import DATABASE

BUCKET, PREFIX = "octo-shop-backups", "postgresql/"


def test_backups_in_oci_are_checked_from_a_cold_start(
    tmp_path: Path, exported: Path, uv_folder: Path, shelf: Shelf
) -> None:
    work = tmp_path / "runner"
    work.mkdir()
    with tenancy() as running:
        running.issuer.claims |= {"sub": f"repo:octo/shop:environment:{ENVIRONMENT}", "environment": ENVIRONMENT}
        running.apply(replace(WANTED, ref=None, environment=ENVIRONMENT, bucket=BUCKET, prefix=PREFIX))
        bucket = running.storage.buckets[NAMESPACE, BUCKET] = Bucket()
        for key, content in shelf.proven.items():
            bucket.put(f"{PREFIX}{key}", content)
        oci = {
            "domain": running.domain.address,
            "region": "eu-frankfurt-1",
            "storage-endpoint": running.storage.address,
        }
        section = {"store": f"oci://{NAMESPACE}/{BUCKET}/{PREFIX}", "oci": oci, "databases": [DATABASE]}
        section["recipients"] = list(shelf.keys.recipients)
        secrets = {name: f"${{{{ secrets.{name} }}}}" for name in ("OCI_CLIENT_ID", "OCI_CLIENT_SECRET")}
        inputs = {
            "cloud": "oci",
            "upload": "never",
            **{name.lower().replace("_", "-"): it for name, it in secrets.items()},
        }
        job = {name: value for name, value in running.issuer.environ.items() if name.startswith("ACTIONS_")}
        given = ("-s", f"OCI_CLIENT_ID={CLIENT_ID}", "-s", f"OCI_CLIENT_SECRET={CLIENT_SECRET}")
        act = Act(exported, work, (uv_folder,), job, ("--insecure-secrets", *given))
        stage = Stage(tmp_path, act, BACKUP_CHECK, inputs)
        stage.adopt({"aegis.yml": yaml.safe_dump({"version": 1, "backup-check": section})})
        run = stage.run(nightly())
        assert run.green, run.log[-6000:]
        assert told(run) == "pass core.passed"
        bucket.delete(next(f"{PREFIX}{key}" for key in shelf.proven if key.endswith("/manifest.json")))
        again = stage.run(nightly())
        assert any(note.title.startswith("backup_check.no_backup:") for note in again.errors()), again.log[-4000:]
        for one in (run, again):
            assert secrets_in(running.secrets, without_masks(one), [work]) == []
    shutil.rmtree(work, ignore_errors=True)
