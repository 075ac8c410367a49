"""Backups out of a real S3 server: proven there, brought back by address, and a dump of others beside them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyrage
import pytest

from aegis.adapters.postgres.snapshot import read_inventory
from aegis.backup.compare import compare
from tests.e2e.backup.gateway import Gateway, serving
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET
from tests.support.backup.backing_up import Backups, backups
from tests.support.databases.postgres import Server, running

KEYS = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def shop(server: Server, gateway: Gateway) -> Iterator[Backups]:
    """With an encrypted backup in the bucket. Its folder has a short path, since the engine's socket lies below it."""
    keys = [pyrage.x25519.Identity.generate() for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder, backups(server, Path(folder)) as found:
        found.policy(
            f"store: s3://models/{found.folder.name}/\n"  # each test has a database of its own
            f"aws: {{region: {REGION}, s3-endpoint: '{gateway.address}'}}\n"
            f"recipients: [{', '.join(str(key.to_public()) for key in keys)}]\n"
            "databases:\n  - name: orders"
        )
        (found.folder / "identity").write_text(f"{keys[1]}\n")
        (found.folder / "identity").chmod(0o600)
        assert found.run("run", **KEYS).code == 0
        yield found


def test_proven_and_brought_back_by_address(shop: Backups, server: Server, gateway: Gateway) -> None:
    identity = ("--identity-file", shop.folder / "identity")
    lost = shop.run("verify", "--format=json", **KEYS)
    assert (lost.code, json.loads(lost.out)["reason"]) == (3, "backup_check.identity_missing")
    proven = shop.run("verify", "--format=json", *identity, **KEYS)
    assert proven.document["equality"] == "equal"
    records = gateway.s3.list_objects_v2(Bucket="models", Prefix=f"{shop.folder.name}/_records/")["Contents"]
    assert sorted(one["Key"].rpartition("-")[2] for one in records) == ["PASS.json", "UNKNOWN.json"]
    backup = proven.document["backup"]
    orders = f"s3://models/{shop.folder.name}/orders/"
    for which in ("latest-verified", orders, f"{orders}{backup}/"):
        target = server.url(server.new_database("template0"))
        back = shop.run("restore", which, "--format=json", *identity, **KEYS, AEGIS_DATABASE_URL=target)
        assert back.document["backup"] == backup
        assert compare(read_inventory(shop.url), read_inventory(target)) == ()
    assert list((shop.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("form", ["-Fc", "-Fd"])
def test_a_dump_of_others_in_the_bucket(
    shop: Backups, server: Server, gateway: Gateway, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "theirs"
    subprocess.run([str(server.bin / "pg_dump"), form, "-f", str(path), shop.url], check=True)
    key = f"theirs{form}"
    for file in path.iterdir() if path.is_dir() else [path]:
        name = f"{key}/{file.name}" if path.is_dir() else key
        gateway.s3.put_object(Bucket="models", Key=name, Body=file.read_bytes())
    address = f"s3://models/{key}" + "/" * path.is_dir()
    found = shop.run("verify", "--foreign", address, "--accept-restorable", "--format=json", **KEYS).document
    assert (found["outcome"], found["reason"]) == ("COULD NOT VERIFY", "backup_check.equality_not_run")
    assert found["notices"] == ["2 tables with 1,010 rows, 1 large objects"]


def test_the_rows_of_others_are_not_touched(shop: Backups, server: Server) -> None:
    """The target is the source: nothing is downloaded, nothing is changed."""
    refused = shop.run("restore", "latest", "--format=json", "--identity-file", shop.folder / "identity", **KEYS)
    assert (refused.code, json.loads(refused.out)["reason"]) == (1, "backup_check.target_is_source")
    with psycopg.connect(shop.url) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (1000,)
