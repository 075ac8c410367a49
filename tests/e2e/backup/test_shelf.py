"""`aegis backup list`, `check` and `prune` on a bucket that keeps versions and locks objects: versitygw's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aegis.backup.manifest import Manifest
from aegis.cli.main import main
from tests.doubles.shelf import ShelfStore
from tests.e2e.backup.gateway import Gateway, serving
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET
from tests.support.backup.shelves import PREFIX, back_up, hours, restore


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@dataclass
class Site:
    """A bucket with four proven backups, an unproven one and one without a manifest."""

    gateway: Gateway
    bucket: str
    capsys: pytest.CaptureFixture[str]
    made: list[Manifest]
    now: datetime

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["backup", *arguments])
        out, err = self.capsys.readouterr()
        assert "core.crashed" not in err, err
        assert ROOT_SECRET not in out + err
        return code, out, err

    def left(self) -> list[str]:
        """Every version and mark below the backups, by the client of others."""
        found = self.gateway.s3.list_object_versions(Bucket=self.bucket, Prefix=f"{PREFIX}shop/")
        assert not found["IsTruncated"]
        return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, [])]

    def folders(self) -> list[str]:
        return sorted({key.split("/")[2] for key in self.left()}, reverse=True)


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    gateway: Gateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Site:
    bucket = f"backups-{secrets.token_hex(4)}"
    gateway.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=request.param == "locks")
    gateway.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = ShelfStore()
    now = datetime.now(UTC)
    made = [back_up(store, now - hours(age)) for age in (24, 48, 60, 72, 96)]
    made.append(back_up(store, now - hours(120), complete=False))
    for each in (*made[:2], *made[3:5]):
        restore(store, each, datetime.fromisoformat(each.snapshot.time) + timedelta(minutes=5))
    for key in store.names():
        gateway.s3.put_object(Bucket=bucket, Key=key, Body=store.versions[key][-1][1])
    (tmp_path / "aegis.yml").write_text(
        f"version: 1\nbackup-check:\n  store: s3://{bucket}/{PREFIX}\n  databases: [{{name: shop}}]\n"
        "  keep: {last: 2, daily: 0, weekly: 0, monthly: 0}\n"
        f"  aws: {{region: {REGION}, s3-endpoint: '{gateway.address}'}}\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "AEGIS_POLICY", "AEGIS_DATA", "AEGIS_AUDIT", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ROOT_SECRET)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Site(gateway, bucket, capsys, made, now)


@pytest.mark.parametrize("site", ["versions", "locks"], indirect=True)
def test_what_is_listed_checked_and_pruned(site: Site) -> None:
    code, out, err = site.run("list", "--format=json")
    assert (code, err) == (0, "")
    found: Any = json.loads(out)["backups"]
    assert [each["id"] for each in found] == [each.id for each in site.made]
    assert [each["held"] for each in found] == ["verified"] * 2 + ["unproven"] + ["verified"] * 2 + ["unproven"]
    assert site.run("check")[0] == 0

    code, out, err = site.run("prune")
    assert (code, err) == (0, "")
    assert out.count("would go") == 5
    assert site.folders() == [each.id for each in site.made]

    code, out, err = site.run("prune", "--yes")
    assert (code, err) == (0, "")
    assert site.folders() == [each.id for each in site.made[:2]]
    assert site.run("check")[0] == 0
    assert len(json.loads(site.run("list", "--format=json")[1])["backups"]) == 2


@pytest.mark.parametrize("site", ["locks"], indirect=True)
def test_a_locked_backup_stays_whole_and_the_others_go(site: Site) -> None:
    locked = site.made[4]
    for name in ("manifest.json", "dump/0", "dump/1"):
        site.gateway.s3.put_object_retention(
            Bucket=site.bucket,
            Key=f"{PREFIX}shop/{locked.id}/{name}",
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": site.now + timedelta(days=1)},
        )
    code, out, err = site.run("prune", "--yes")
    assert code == 3
    assert "backup_check.prune_refused" in err
    assert "Object Lock" in err
    assert f"not removed  {locked.id}" in out
    assert site.folders() == [site.made[0].id, site.made[1].id, locked.id]
    assert len([key for key in site.left() if locked.id in key]) == 3
