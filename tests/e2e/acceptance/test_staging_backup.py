"""A6 in staging mode, with PostgreSQL, and versitygw in the place of the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.e2e.backup.gateway import serving
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET
from tests.support.acceptance.staging_probe import expected, probed
from tests.support.actions.act import commit
from tests.support.backup import shop_backups
from tests.support.databases.postgres import running

STORE = "s3://models/postgresql/"


@dataclass(frozen=True)
class Staging:
    """A database, the one it is restored into, and what an operator has set."""

    folder: Path
    target: str
    environ: Mapping[str, str]

    @property
    def config(self) -> dict[str, Any]:
        names = {"database_variable": "STAGING_SOURCE_URL", "staging_variable": "STAGING_TARGET_URL"}
        return {"backup": {"store": STORE, "policy": str(self.folder / "shop"), **names}}

    def orders(self) -> int:
        """In the database that is restored into; 0 as long as there is none."""
        with psycopg.connect(self.target) as connection:
            if connection.execute("SELECT to_regclass('orders')").fetchone() == (None,):
                return 0
            (count,) = connection.execute("SELECT count(*) FROM orders").fetchone() or (0,)
            return int(count)


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    keys = shop_backups.Keys.made()
    with running() as production, running() as other, serving(tmp_path) as gateway:
        source, target = production.url(production.new_database()), other.url(other.new_database("template0"))
        shop_backups.fill(source)
        section = {
            "store": STORE,
            "aws": {"region": REGION, "s3-endpoint": gateway.address},
            "databases": [dict(shop_backups.DATABASE)],
            "recipients": list(keys.recipients),
        }
        commit(tmp_path / "shop", {"aegis.yml": yaml.safe_dump({"version": 1, "backup-check": section})}, "The policy")
        environ = {
            "STAGING_SOURCE_URL": source,
            "STAGING_TARGET_URL": target,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AEGIS_AGE_IDENTITY": keys.identities[0],
        }
        yield Staging(tmp_path, target, environ)


def test_a_backup_that_is_brought_back(staging: Staging) -> None:
    bad = probed("A6", staging.folder, staging.config, "no-such-backup", **staging.environ)
    assert bad.reason in expected("A6", "no-such-backup"), bad
    assert staging.orders() == 0

    # its presence alone is not enough for the gate: no restore of this database was ever proven
    new = probed("A6", staging.folder, staging.config, **staging.environ)
    assert new.reason == "backup_check.never_proven", new
    assert staging.orders() == 0

    shop_backups.aegis("backup", "verify", cwd=staging.folder / "shop", environ=staging.environ)
    (staging.folder / "evidence-None").rename(staging.folder / "before")
    good = probed("A6", staging.folder, staging.config, **staging.environ)
    assert good.result == "pass", good
    assert bad.failed <= good.passed
    assert staging.orders() == 20_000
    (restore,) = good.facts["restores"]
    assert restore["bytes"] == good.facts["backup"]["size"] > 0
    assert good.facts["backup"]["address"].startswith(STORE)
    for file in (staging.folder / "evidence-None").rglob("*"):
        if file.is_file():
            text = file.read_text("utf-8")
            for name in ("STAGING_SOURCE_URL", "STAGING_TARGET_URL", "AWS_SECRET_ACCESS_KEY", "AEGIS_AGE_IDENTITY"):
                assert staging.environ[name] not in text, (file, name)
