"""Signed verdicts in versitygw, whose Object Lock holds: kept, found, not removed, and not hidden."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aegis.core.verdict import Verdict
from tests.e2e.backup.gateway import CREDENTIALS, Gateway, serving
from tests.support.verdicts.evidence_desk import Desk
from tests.support.verdicts.signed_verdicts import DIGEST
from tests.support.verdicts.verdicts import verdict

BUCKET = "locked"
IMAGE = f"registry.example.com/shop/api@sha256:{DIGEST}"
PREFIX = "evidence/"

pytestmark = pytest.mark.xdist_group("evidence-store")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway")) as running:
        running.s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        yield running


@pytest.fixture
def person(desk: Desk, gateway: Gateway, tmp_path: Path) -> Mapping[str, str]:
    """A user with keys of their own, and a policy with a prefix that is this test's."""
    policy(desk, gateway, f"{tmp_path.name}/{PREFIX}")
    return {
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def policy(desk: Desk, gateway: Gateway, prefix: str, bucket: str = BUCKET, **section: Any) -> None:
    desk.section = {
        "store": f"s3://{bucket}/{prefix}",
        "signers": [{"key": "keys/build.pub"}],
        "retain": {"days": 2, "mode": "compliance"},
        "aws": {"region": "us-east-1", "s3-endpoint": gateway.address},
        **section,
    }
    desk.adopt()


def recent(ago: datetime.timedelta = datetime.timedelta(), **changes: Any) -> Verdict:
    finished = (datetime.datetime.now(datetime.UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return verdict(**{"gate": "verify", "finished": finished, **changes})


def versions(desk: Desk, gateway: Gateway) -> list[dict[str, Any]]:
    bucket, _, prefix = desk.section["store"].removeprefix("s3://").partition("/")
    found: list[dict[str, Any]] = gateway.s3.list_object_versions(Bucket=bucket, Prefix=prefix).get("Versions", [])
    return found


def test_what_is_kept_is_found_and_nobody_can_remove_it(
    desk: Desk, gateway: Gateway, person: Mapping[str, str]
) -> None:
    desk.put(recent(), "--subject", IMAGE, environ=person).ends(0)
    for about in (("--digest", f"sha256:{DIGEST}"), ()):
        done = desk.find(*about, "--gate", "verify", "--max-age", "1h").ends(0)
        assert done.json["verdicts"][0]["result"] == "PASSED"
    kept = versions(desk, gateway)
    assert len(kept) == 3
    for each in kept:
        with pytest.raises(ClientError) as raised:
            gateway.s3.delete_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])
        assert raised.value.response["Error"]["Code"] == "AccessDenied"
    desk.find().ends(0)


def test_what_is_hidden_or_written_over_is_told(desk: Desk, gateway: Gateway, person: Mapping[str, str]) -> None:
    desk.put(recent(datetime.timedelta(hours=2)), environ=person).ends(0)
    desk.put(recent(result="fail", decision="fail", reason="core.findings")).ends(0)
    assert desk.find().ends(1).problems == ["evidence.not_passed"]
    newest = max(each["Key"] for each in versions(desk, gateway) if "/commit/" in each["Key"])
    # Object Lock keeps the version, and takes a marker over it
    gateway.s3.delete_object(Bucket=BUCKET, Key=newest)
    assert desk.find().ends(1).problems == ["evidence.rolled_back"]
    older = min(each["Key"] for each in versions(desk, gateway) if "/commit/" in each["Key"])
    content = gateway.s3.get_object(Bucket=BUCKET, Key=older)["Body"].read()
    gateway.s3.put_object(Bucket=BUCKET, Key=newest, Body=content)
    assert desk.find().ends(1).problems == ["evidence.altered"]


def test_a_bucket_without_object_lock_is_no_place_for_what_must_stay(
    desk: Desk, gateway: Gateway, person: Mapping[str, str], tmp_path: Path
) -> None:
    """This store takes the wish, and does nothing."""
    policy(desk, gateway, f"{tmp_path.name}/{PREFIX}", bucket="models")
    desk.put(recent(), environ=person).ends(1, "evidence.not_retained")
    policy(desk, gateway, f"{tmp_path.name}/{PREFIX}", bucket="models", retain=None)
    desk.put(recent()).ends(0)
    desk.find().ends(0)


def test_many_verdicts_about_one_commit(desk: Desk, gateway: Gateway, person: Mapping[str, str]) -> None:
    """As a nightly check leaves them: the newest decides, and each can be read."""
    hour = datetime.timedelta(hours=1)
    for name, value in person.items():
        desk.patch.setenv(name, value)
    for number in range(30, 0, -1):
        desk.put(recent(number * hour)).ends(0)
    assert len(desk.find("--max-age", "2h").ends(0).json["verdicts"]) == 1
    found = desk.find("--all").ends(0).json["verdicts"]
    assert len({each["bundle"] for each in found}) == 30
