"""The obstore adapter against an S3 that nobody here wrote, versitygw, over a wire that breaks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.objects.obstore import ObstoreS3
from aegis.core.errors import AegisError
from aegis.core.ports.credentials import AwsCredentials
from aegis.core.ports.objects import ObjectInfo
from aegis.storage.hashing import KeepingSink
from aegis.storage.patience import Patience
from aegis.storage.transfer import read_once
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET, client, free_port, running
from tests.support.network.obstore import set_keys
from tests.support.network.stores import Time
from tests.support.network.tcp_proxy import Wire, wire
from tests.support.programs.gomod import program

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
LARGE = hashlib.shake_256(b"weights").digest(24 * MIB)
NAMES = ["m/a b+c%20d.bin", "m/star*q?#[]{}^|`.x", "m/z/deep/file", "m/é~(1)&'<x>.bin", "m/=;:@,$!.x"]


@dataclass(frozen=True)
class Gateway:
    """A running one, and a client of others for it."""

    address: str
    s3: Any

    @property
    def place(self) -> str:
        return self.address.removeprefix("http://")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """versitygw with versions; in `models` what the tests read."""
    folder, port = tmp_path_factory.mktemp("gateway"), free_port()
    for name in ("objects", "versions"):
        (folder / name).mkdir()
    binary = program(ROOT / "tests/e2e/tools/versitygw", "1.8.0")
    arguments = [str(binary), "--port", f"127.0.0.1:{port}", "posix", "--versioning-dir", str(folder / "versions")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "ROOT_ACCESS_KEY": ROOT_KEY}
    environ["ROOT_SECRET_KEY"] = ROOT_SECRET
    with running("s3", folder, [*arguments, str(folder / "objects")], port, environ) as address:
        s3 = client("s3", address, AwsCredentials(ROOT_KEY, ROOT_SECRET))
        s3.create_bucket(Bucket="models")
        s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        for name in NAMES:
            s3.put_object(Bucket="models", Key=name, Body=name.encode())
        _in_parts(s3, "large/weights.bin")
        yield Gateway(address, s3)


def _in_parts(s3: Any, key: str) -> None:
    """Upload LARGE as large things are uploaded, which makes its ETag no digest of anything."""
    upload = s3.create_multipart_upload(Bucket="models", Key=key)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(LARGE), 8 * MIB), 1):
        part = LARGE[start : start + 8 * MIB]
        told = s3.upload_part(Bucket="models", Key=key, UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": told["ETag"]})
    s3.complete_multipart_upload(Bucket="models", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, ROOT_KEY, ROOT_SECRET)


def store(gateway: Gateway, bucket: str = "models", *, place: str = "", **more: Any) -> ObstoreS3:
    more.setdefault("clock", Time().clock())
    return ObstoreS3(bucket, REGION, endpoint=f"http://{place or gateway.place}", **more)


def head(of: ObstoreS3, key: str = "large/weights.bin") -> ObjectInfo:
    info = of.head(key)
    assert info is not None
    return info


def refused(do: Any) -> str:
    with pytest.raises(AegisError) as caught:
        do()
    assert ROOT_SECRET not in str(caught.value)
    return str(caught.value.code)


def digest(of: ObstoreS3, info: ObjectInfo) -> str:
    kept = KeepingSink()
    read_once(of, info, [kept], clock=Time().clock())
    return hashlib.sha256(kept.content).hexdigest()


class TestReading:
    def test_names_of_every_kind_are_listed_and_read(self, gateway: Gateway) -> None:
        found = store(gateway).list("m/")
        assert [info.key for info in found] == sorted(NAMES)
        for info in found:
            kept = KeepingSink()
            read_once(store(gateway), info, [kept])
            assert kept.content == info.key.encode()
            assert head(store(gateway), info.key).etag == info.etag

    def test_more_objects_than_one_page(self, gateway: Gateway) -> None:
        for number in range(1100):
            gateway.s3.put_object(Bucket="models", Key=f"many/{number:04d}", Body=b"x")
        assert [info.key for info in store(gateway).list("many/")] == [f"many/{number:04d}" for number in range(1100)]

    def test_what_was_uploaded_in_parts(self, gateway: Gateway) -> None:
        (info,) = store(gateway).list("large/")
        assert info.size == len(LARGE)
        assert info.etag is not None
        assert info.etag.endswith('-3"')
        assert digest(store(gateway), info) == hashlib.sha256(LARGE).hexdigest()

    @pytest.mark.parametrize("start", [1, 8 * MIB - 1, 8 * MIB, len(LARGE) - 1])
    def test_from_an_offset_to_the_end(self, gateway: Gateway, start: int) -> None:
        of = store(gateway)
        assert b"".join(of.read(head(of), start)) == LARGE[start:]

    def test_an_older_version_is_read_though_there_is_a_newer(self, gateway: Gateway) -> None:
        gateway.s3.put_object(Bucket="models", Key="versions/a", Body=b"first")
        of = store(gateway)
        first = head(of, "versions/a")
        assert first.version
        gateway.s3.put_object(Bucket="models", Key="versions/a", Body=b"other")
        assert b"".join(of.read(first)) == b"first"
        (listed,) = of.list("versions/")
        gateway.s3.put_object(Bucket="models", Key="versions/a", Body=b"third")
        assert refused(lambda: list(of.read(listed))) == "verify.store_changed"

    def test_what_was_deleted_is_not_there(self, gateway: Gateway) -> None:
        gateway.s3.put_object(Bucket="models", Key="gone/a", Body=b"a")
        gateway.s3.delete_object(Bucket="models", Key="gone/a")
        assert store(gateway).head("gone/a") is None
        assert refused(lambda: store(gateway).list("gone/")) == "verify.store_missing"


class TestRefused:
    def test_wrong_keys(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        set_keys(monkeypatch, ROOT_KEY, "wrong")
        assert refused(lambda: store(gateway).list("m/")) == "verify.store_denied"
        assert refused(lambda: store(gateway).head("m/z/deep/file")) == "verify.store_denied"
        # a key that versitygw does not know is 404 there, where S3 says 403
        set_keys(monkeypatch, "nobody", ROOT_SECRET)
        assert refused(lambda: store(gateway).list("m/")) == "verify.store_missing"

    def test_no_such_bucket(self, gateway: Gateway) -> None:
        assert refused(lambda: store(gateway, "nothing").list("m/")) == "verify.store_missing"
        assert store(gateway, "nothing").head("m/a") is None

    def test_no_such_object(self, gateway: Gateway) -> None:
        assert store(gateway).head("m/nothing") is None
        missing = ObjectInfo("m/nothing", 1, None, '"x"')
        assert refused(lambda: list(store(gateway).read(missing))) == "verify.store_missing"

    def test_another_etag_and_another_size(self, gateway: Gateway) -> None:
        of = store(gateway)
        (info,) = of.list("large/")
        assert refused(lambda: list(of.read(ObjectInfo(info.key, info.size, None, '"x"')))) == "verify.store_changed"
        larger = ObjectInfo(info.key, info.size + 1, None, info.etag)
        assert refused(lambda: list(of.read(larger))) == "verify.store_wrong_size"


class TestWire:
    @pytest.mark.parametrize("cut", [0, 100, 400, MIB, 20 * MIB])
    def test_a_transfer_that_is_cut_goes_on_where_it_was(self, gateway: Gateway, cut: int) -> None:
        (info,) = store(gateway).list("large/")
        with wire(gateway.place, Wire(cuts=[cut, cut])) as broken:
            assert digest(store(gateway, place=broken.address), info) == hashlib.sha256(LARGE).hexdigest()
            assert broken.connections >= 2

    def test_one_that_is_always_cut_is_an_error(self, gateway: Gateway) -> None:
        (info,) = store(gateway).list("large/")
        with wire(gateway.place, Wire(cuts=[400] * 20)) as broken:
            code = refused(lambda: digest(store(gateway, place=broken.address), info))
        assert code in {"verify.store_cut", "verify.store_failed"}

    def test_silence_in_the_middle_is_waited_for_and_read_again(self, gateway: Gateway) -> None:
        (info,) = store(gateway).list("large/")
        with wire(gateway.place, Wire(holds=[4 * MIB])) as broken:
            of = store(gateway, place=broken.address, timeout=5)
            assert digest(of, info) == hashlib.sha256(LARGE).hexdigest()

    def test_silence_that_lasts_is_an_error(self, gateway: Gateway) -> None:
        with wire(gateway.place, Wire(holds=[0] * 20)) as broken:
            of = store(gateway, place=broken.address, timeout=0.2, patience=Patience(tries=2))
            assert refused(lambda: of.list("large/")) == "verify.store_slow"

    def test_a_listing_that_is_cut_is_asked_for_again(self, gateway: Gateway) -> None:
        with wire(gateway.place, Wire(cuts=[50, 300])) as broken:
            assert len(store(gateway, place=broken.address).list("m/")) == len(NAMES)
