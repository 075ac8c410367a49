"""Where backups go is opened with just the rights that a command needs, and by the workflow's own identity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.backup.stores import Place, Places, Purpose, opened
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.policy import Aws, BackedUp, BackupCheckPolicy, Oci
from tests.doubles import cloud as clouds
from tests.doubles.aws import s3 as doubles
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud
from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET
from tests.doubles.oci.tenancy import Tenancy, tenancy
from tests.support.backup.backing_up import Backups, backups
from tests.support.databases.postgres import Server

STORE = f"s3://{BUCKET}/shop/backups/"


@dataclass(frozen=True)
class Asked:
    """What inputs say."""

    github: bool = True
    role: str | None = ARN
    region: str | None = REGION
    oci_client_id: str = CLIENT_ID
    oci_client_secret: str = CLIENT_SECRET


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with clouds.cloud() as running:
        yield running


def policy(cloud: Cloud, store: str = STORE, **more: Any) -> BackupCheckPolicy:
    aws = Aws(region=REGION, sts_endpoint=cloud.sts.address, s3_endpoint=cloud.s3.address)
    return BackupCheckPolicy(store=store, databases=(BackedUp(name="orders"),), aws=aws, **more)


def places(
    cloud: Cloud, purpose: Purpose, asked: Asked = Asked(), environ: Mapping[str, str] | None = None, **more: Any
) -> Places:
    surroundings = {**cloud.job, "GITHUB_ACTIONS": "true"} if environ is None else environ
    return opened(policy(cloud, **more), asked, purpose, environ=surroundings, root=Path("/nowhere"))


def put(place: Place, key: str) -> None:
    with place.store.create(place.prefix + key) as upload:
        upload.write(b"x")


def allowed(do: Callable[[], object]) -> bool:
    try:
        do()
    except CouldNotDecide as error:
        if error.code not in {"backup_check.write_denied", "verify.store_denied"}:
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("purpose", "backups_", "records", "removal"),
    [
        ("read", False, False, ()),
        ("prove", False, True, ()),
        ("write", True, False, ("latest",)),
        ("prune", False, False, ("latest", "version")),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["below", "in a bucket of their own"])
def test_a_session_may_do_what_its_purpose_needs(
    cloud: Cloud, purpose: Purpose, backups_: bool, records: bool, removal: tuple[str, ...], apart: bool
) -> None:
    cloud.s3.buckets["octo-records"] = {}
    found = places(cloud, purpose, records="s3://octo-records/shop/" if apart else None)
    cloud.put({"shop/backups/orders/1/manifest.json": b"{}", "elsewhere/x": b"x"})
    store = found.backups.store
    assert [info.key for info in store.list("shop/backups/orders/")] == ["shop/backups/orders/1/manifest.json"]
    (info,) = store.list("shop/backups/orders/")
    assert b"".join(bytes(chunk) for chunk in store.read(info)) == b"{}"
    found.records.store.list(found.records.prefix)
    assert allowed(lambda: put(found.backups, "orders/2/dump")) is backups_
    # who takes backups writes no record of a restore, wherever records lie, and nothing of another database
    assert allowed(lambda: put(found.records, "orders/2/20261126T120000Z-PASS.json")) is records
    assert not allowed(lambda: put(found.backups, "others/2/dump"))
    assert info.version is not None
    assert allowed(lambda: store.delete(info)) is ("version" in removal)
    assert allowed(lambda: store.delete(replace(info, version=None))) is ("latest" in removal)
    assert not allowed(lambda: store.list("elsewhere/"))
    assert not allowed(lambda: put(Place(store, ""), "elsewhere/y"))


@pytest.mark.parametrize("purpose", ["write", "prune"])
@pytest.mark.parametrize("apart", [False, True], ids=["below", "in a bucket of their own"])
def test_who_removes_backups_removes_no_record_and_nothing_of_another_database(
    cloud: Cloud, purpose: Purpose, apart: bool
) -> None:
    """What restores have shown is all that says which backups may go."""
    cloud.s3.buckets["octo-records"] = {}
    found = places(cloud, purpose, records="s3://octo-records/shop/" if apart else None)
    bucket = "octo-records" if apart else BUCKET
    cloud.s3.put(f"{found.records.prefix}orders/1/r.json", b"{}", bucket=bucket)
    cloud.put({"shop/backups/others/1/manifest.json": b"{}"})
    backups_, records = found.backups.store, found.records.store
    (record,) = records.list(f"{found.records.prefix}orders/")
    (manifest,) = backups_.list("shop/backups/others/")
    assert not allowed(lambda: records.delete(record))
    assert not allowed(lambda: records.delete(replace(record, version=None)))
    assert not allowed(lambda: backups_.delete(manifest))
    assert not allowed(lambda: backups_.delete(replace(manifest, version=None)))


def test_the_session_s_policy_is_small_enough_for_sts(cloud: Cloud) -> None:
    long = f"s3://{BUCKET}/{'organisation/' * 10}"
    places(cloud, "prune", store=f"{long}backups/", records=f"{long}records/")
    (asked,) = cloud.sts.requests
    assert len(asked["Policy"]) < 2048
    assert asked["RoleSessionName"].startswith("aegis-backup-check-")


def test_one_store_is_opened_once(cloud: Cloud) -> None:
    found = places(cloud, "read")
    assert found.records.store is found.backups.store
    assert (found.backups.prefix, found.records.prefix) == ("shop/backups/", "shop/backups/_records/")


class TestIdentity:
    def test_a_workflow_without_a_token_is_told_so(self, cloud: Cloud) -> None:
        with pytest.raises(AegisError) as caught:
            places(cloud, "read", environ={"GITHUB_ACTIONS": "true"})
        assert caught.value.code.startswith("verify.")
        assert not cloud.sts.requests

    def test_nor_does_it_take_credentials_of_the_surroundings(self, cloud: Cloud) -> None:
        environ = {"GITHUB_ACTIONS": "true", "AWS_ACCESS_KEY_ID": doubles.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "x"}
        with pytest.raises(AegisError):
            places(cloud, "write", environ=environ)

    @pytest.mark.parametrize(
        ("asked", "what"), [(Asked(role=None), "the role"), (Asked(region=None), "the region")], ids=["role", "region"]
    )
    def test_what_nobody_says_is_wrong_usage(self, cloud: Cloud, asked: Asked, what: str) -> None:
        bare = BackupCheckPolicy(store=STORE, aws=Aws(s3_endpoint=cloud.s3.address, sts_endpoint=cloud.sts.address))
        with pytest.raises(UsageError, match=what) as caught:
            opened(bare, asked, "read", environ={**cloud.job}, root=Path("/nowhere"))
        assert "backup-check.aws" in caught.value.expected

    def test_elsewhere_those_of_the_user_are_taken(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", doubles.ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", doubles.SECRET_KEY),
            ("AWS_SESSION_TOKEN", doubles.TOKEN),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            monkeypatch.setenv(name, value)
        cloud.s3.authorizer = doubles.Key()
        found = places(cloud, "write", Asked(github=False, role=None), environ={})
        put(found.backups, "orders/1/dump")
        assert not cloud.sts.requests


class TestOci:
    @pytest.fixture
    def oci(self) -> Iterator[Tenancy]:
        with tenancy() as running:
            condition = "all {target.bucket.name = 'models', any {request.permission = 'OBJECT_CREATE'}}"
            writes = f"Allow group 'Default'/'verifiers' to manage objects in compartment staging where {condition}"
            running.storage.policy = (*running.storage.policy, writes)
            yield running

    def test_a_workflow_writes_by_its_own_token(self, oci: Tenancy, capsys: pytest.CaptureFixture[str]) -> None:
        section = Oci(domain=oci.domain.address, region="eu-frankfurt-1", storage_endpoint=oci.storage.address)
        asked = BackupCheckPolicy(store="oci://octons/models/staging/", oci=section)
        environ = {**oci.issuer.environ, "GITHUB_ACTIONS": "true"}
        found = opened(asked, Asked(), "write", environ=environ, root=Path("/nowhere"))
        put(found.backups, "orders/1/dump")
        assert oci.bucket.current("staging/orders/1/dump") is not None
        shown = capsys.readouterr()
        said = shown.out + "".join(line for line in shown.err.splitlines() if not line.startswith("::add-mask::"))
        assert not any(secret in said for secret in oci.secrets)

    def test_without_the_section_there_is_none(self) -> None:
        with pytest.raises(UsageError, match=r"backup-check\.oci"):
            opened(BackupCheckPolicy(store="oci://octons/models/"), Asked(), "read", environ={}, root=Path("/nowhere"))


class TestFolders:
    def opened(self, store: str, root: Path, records: str | None = None) -> Places:
        return opened(
            BackupCheckPolicy(store=store, records=records), Asked(github=False), "write", environ={}, root=root
        )

    def test_beside_the_policy_or_anywhere(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        for store in ("./b/", "b/", f"{tmp_path}/b/"):
            found = self.opened(store, tmp_path)
            put(found.backups, f"orders/{len(store)}/dump")
            put(found.records, f"orders/{len(store)}/r.json")
        assert len(list((tmp_path / "b" / "orders").rglob("dump"))) == 3
        assert len(list((tmp_path / "b" / "_records" / "orders").rglob("r.json"))) == 3

    def test_records_may_have_a_folder_of_their_own(self, tmp_path: Path) -> None:
        for name in ("b", "r"):
            (tmp_path / name).mkdir()
        put(self.opened("b/", tmp_path, "r/").records, "x")
        assert (tmp_path / "r" / "x").exists()

    def test_one_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(CouldNotDecide):
            put(self.opened("mounted/", tmp_path).backups, "x")
        assert not (tmp_path / "mounted").exists()

    def test_the_web_is_no_place_to_write_to(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing can be written to"):
            self.opened("https://example.org/b/", tmp_path)


class Ending(Fault):
    """Meets the keys that end so: of a backup's objects, nobody knows the folder before."""

    def meets(self, operation: str, key: str) -> bool:
        return super().meets(operation, self.key if self.key is not None and key.endswith(self.key) else key)


class TestRun:
    """The command itself, in a workflow's environment, against the cloud."""

    @pytest.fixture
    def shop(self, postgres: Server, cloud: Cloud, tmp_path: Path) -> Iterator[Backups]:
        with backups(postgres, tmp_path) as found:
            places = json.dumps({"region": REGION, "role": ARN, **cloud.places})
            found.policy(f"store: {STORE}\naws: {places}\ndatabases:\n  - name: orders")
            yield found

    @pytest.mark.parametrize("form", [(), ("--stream",)], ids=["directory", "stream"])
    def test_a_backup_lies_in_the_bucket_and_no_secret_anywhere(
        self, shop: Backups, cloud: Cloud, form: tuple[str, ...]
    ) -> None:
        done = shop.run("run", "--format=json", *form, GITHUB_ACTIONS="true", **cloud.job)
        folder = f"shop/backups/orders/{done.document['backup']}/"
        keys = [key for key in cloud.s3.buckets[BUCKET] if cloud.s3.current(BUCKET, key)]
        assert {f"{folder}manifest.json", f"{folder}globals.sql"} < set(keys)
        assert all(key.startswith(folder) for key in keys)
        assert not cloud.s3.uploads
        said = done.out + "".join(line for line in done.err.splitlines() if not line.startswith("::add-mask::"))
        assert not any(secret in said for secret in (*cloud.secrets, shop.server.password))

    @pytest.mark.parametrize("form", [(), ("--stream",)], ids=["directory", "stream"])
    @pytest.mark.parametrize("name", ["manifest.json", "globals.sql"])
    def test_one_object_that_is_refused_leaves_none_of_the_others(
        self, shop: Backups, cloud: Cloud, form: tuple[str, ...], name: str
    ) -> None:
        cloud.s3.faults = [Ending("PutObject", key=name, status=403, code="AccessDenied", times=FOREVER)]
        done = shop.run("run", *form, GITHUB_ACTIONS="true", **cloud.job)
        assert (done.code, "backup_check.write_denied" in done.err) == (3, True)
        assert not [key for key in cloud.s3.buckets[BUCKET] if cloud.s3.current(BUCKET, key)]
        assert not cloud.s3.uploads
