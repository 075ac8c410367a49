"""Writing to versitygw over a wire that breaks; a gigabyte in bounded memory; a disk that runs full."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.s3_writing import WritableS3
from aegis.core.errors import AegisError
from tests.e2e.backup.gateway import CREDENTIALS, Gateway, serving
from tests.e2e.backup.uploading import chunks
from tests.e2e.verify.versitygw import REGION, ROOT_SECRET
from tests.support.network.stores import Time
from tests.support.network.tcp_proxy import Wire, wire

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
LARGE = hashlib.shake_256(b"dump").digest(23 * MIB)
MOST = 200 * 1024
"""KiB of memory that a backup's process may have."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_upload, "PART", 5 * MIB)


def store(gateway: Gateway, place: str = "", **more: Any) -> WritableS3:
    more.setdefault("clock", Time().clock())
    return WritableS3(
        "models", REGION, lambda: CREDENTIALS, endpoint=f"http://{place}" if place else gateway.address, **more
    )


def put(of: WritableS3, key: str, data: bytes) -> None:
    with of.create(key) as upload:
        upload.write(data)


def refused(of: WritableS3, key: str, data: bytes) -> str:
    with pytest.raises(AegisError) as caught:
        put(of, key, data)
    assert ROOT_SECRET not in str(caught.value)
    return caught.value.code


def content(gateway: Gateway, key: str) -> bytes:
    body: bytes = gateway.s3.get_object(Bucket="models", Key=key)["Body"].read()
    return body


@pytest.mark.parametrize("size", [0, 9, 5 * MIB, 5 * MIB + 1, 23 * MIB])
@pytest.mark.parametrize("name", ["plain", "a b+c%20d~é=;:@,$!"])
def test_what_is_written_is_there_once(gateway: Gateway, size: int, name: str) -> None:
    key = f"whole/{size}/{name}"
    put(store(gateway), key, LARGE[:size])
    assert content(gateway, key) == LARGE[:size]
    assert refused(store(gateway), key, LARGE[: size + 1]) == "backup_check.object_exists"
    assert content(gateway, key) == LARGE[:size]
    assert gateway.pending(key) == []


def test_a_producer_that_fails_leaves_nothing(gateway: Gateway) -> None:
    def begin() -> None:
        with store(gateway).create("failed") as upload:
            upload.write(LARGE)
            assert gateway.pending("failed") == ["failed"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        begin()
    assert gateway.pending("failed") == []
    assert "Contents" not in gateway.s3.list_objects_v2(Bucket="models", Prefix="failed")


def test_no_such_bucket_and_wrong_keys(gateway: Gateway) -> None:
    nowhere = WritableS3("nothing", REGION, lambda: CREDENTIALS, endpoint=gateway.address)
    assert refused(nowhere, "x", b"x") == refused(nowhere, "x", LARGE) == "backup_check.bucket_missing"


def test_deleted_for_good(gateway: Gateway) -> None:
    of = store(gateway)
    put(of, "deleted/x", b"x")
    (info,) = of.list("deleted/")
    assert info.version
    of.delete(info)
    of.delete(info)
    assert of.list("deleted/") == ()
    put(of, "deleted/x", b"y")
    assert content(gateway, "deleted/x") == b"y"


class TestWire:
    @pytest.mark.parametrize("cuts", [[0], [20], [100, 0], [0, 0, 0], [100, 0, 30]], ids=str)
    @pytest.mark.parametrize("size", [9, 23 * MIB])
    def test_answers_that_are_cut(self, gateway: Gateway, cuts: list[int], size: int) -> None:
        key = f"cut/{size}/{'-'.join(map(str, cuts))}"
        with wire(gateway.address.removeprefix("http://"), Wire(cuts=list(cuts))) as broken:
            put(store(gateway, broken.address), key, LARGE[:size])
        assert content(gateway, key) == LARGE[:size]
        assert gateway.pending(key) == []
        versions = gateway.s3.list_object_versions(Bucket="models", Prefix=key)["Versions"]
        assert [one["Key"] for one in versions].count(key) == 1

    @pytest.mark.parametrize("size", [9, 23 * MIB])
    def test_silence(self, gateway: Gateway, size: int) -> None:
        with wire(gateway.address.removeprefix("http://"), Wire(holds=[0])) as broken:
            put(store(gateway, broken.address, timeout=5), f"silent/{size}", LARGE[:size])
        assert content(gateway, f"silent/{size}") == LARGE[:size]
        assert gateway.pending("silent/") == []

    def test_a_wire_that_always_breaks(self, gateway: Gateway) -> None:
        with wire(gateway.address.removeprefix("http://"), Wire(cuts=[0] * 100)) as broken:
            assert refused(store(gateway, broken.address), "never", LARGE) == "verify.store_failed"


@pytest.mark.parametrize("size", [1024, 256], ids=["one of 1 GiB", "two of 256 MiB"])
def test_memory_is_bounded(gateway: Gateway, size: int) -> None:
    folder = f"large-{size}/"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.e2e.backup.uploading", gateway.address, folder, str(size)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["size"] == size * MIB
    expected = hashlib.sha256()
    for chunk in chunks(size):
        expected.update(chunk)
    assert told["sha256"] == expected.hexdigest()
    stored = hashlib.sha256()
    body = gateway.s3.get_object(Bucket="models", Key=f"{folder}dump")["Body"]
    while chunk := body.read(MIB):
        stored.update(chunk)
    assert stored.hexdigest() == expected.hexdigest()
    assert told["after"] < MOST
    for one in gateway.s3.list_object_versions(Bucket="models", Prefix=folder)["Versions"]:
        gateway.s3.delete_object(Bucket="models", Key=one["Key"], VersionId=one["VersionId"])


def test_a_full_disk(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.e2e.backup.full_disk",
         tmp_path],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["too much"].startswith("verify.disk_failed: ")
    assert "No space left" in found["too much"]
    assert found["left"] == []
    assert found["what fits"] == "ok"
    assert found["there"] == ["db/1/manifest.json", "db/1/object-0", "db/1/object-1"]
