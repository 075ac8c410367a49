"""Signed verdicts in S3: what a job's session may do, Object Lock, and what a store forgets or hides."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aegis.core.verdict import Verdict
from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud, cloud
from tests.support.verdicts.evidence import COMMIT, HOUR, made
from tests.support.verdicts.evidence_desk import ON_GITHUB, Desk
from tests.support.verdicts.verdicts import verdict

DAYS = 400


@pytest.fixture
def sky() -> Iterator[Cloud]:
    with cloud() as running:
        yield running


@pytest.fixture
def job(desk: Desk, sky: Cloud) -> Mapping[str, str]:
    """A job with the role, and the policy that names the bucket."""
    desk.section = {
        "store": f"s3://{BUCKET}/evidence/",
        "signers": [{"key": "keys/build.pub"}],
        "aws": {"role": ARN, "region": REGION, **sky.places},
    }
    desk.adopt()
    return {**ON_GITHUB, **sky.job}


def recent(**changes: Any) -> Verdict:
    finished = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return verdict(**{"gate": "verify", "finished": finished, **changes})


def retain(desk: Desk, **retain: Any) -> None:
    desk.section["retain"] = {"days": DAYS, **retain}
    desk.adopt()


def keys(sky: Cloud) -> list[str]:
    return sorted(key for key in sky.s3.buckets[BUCKET])


def test_it_is_kept_and_found(desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
    desk.put(recent(), environ=job).ends(0)
    assert [key.split("/")[1] for key in keys(sky)] == ["commit", "verdict"]
    done = desk.find("--gate", "verify", "--max-age", "1h").ends(0)
    (found,) = done.json["verdicts"]
    address = f"s3://{BUCKET}/{found['object']}"
    desk.aegis("verify", address).ends(0)


def test_who_writes_removes_nothing_and_who_reads_writes_nothing(
    desk: Desk, sky: Cloud, job: Mapping[str, str]
) -> None:
    desk.put(recent(), environ=job).ends(0)
    desk.find().ends(0)
    writer, reader = [json.dumps(session.policy) for session in sky.sts.sessions.values()]
    assert "s3:PutObject" in writer
    assert "Delete" not in writer
    assert "Retention" not in writer
    assert "Put" not in reader
    for policy in (writer, reader):
        assert f"{BUCKET}/evidence/*" in policy
        assert f'"arn:aws:s3:::{BUCKET}/*"' not in policy


def test_once_more_writes_nothing_over(desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
    one = made()
    (desk.folder / "bundle.json").write_bytes(one.bundle)
    folder = desk.write(one.verdict)
    for _ in range(2):
        desk.aegis("put", folder, "--bundle", desk.folder / "bundle.json", environ=job).ends(0)
    assert all(len(versions) == 1 for versions in sky.s3.buckets[BUCKET].values())


class TestObjectLock:
    @pytest.mark.parametrize("mode", ["governance", "compliance"])
    def test_it_is_held_fast_for_as_long_as_the_policy_says(
        self, desk: Desk, sky: Cloud, job: Mapping[str, str], mode: str
    ) -> None:
        sky.s3.object_lock = "held"
        retain(desk, mode=mode)
        desk.put(recent(), environ=job).ends(0)
        least = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=DAYS - 1)
        for versions in sky.s3.buckets[BUCKET].values():
            (version,) = versions
            assert version.meta["x-amz-object-lock-mode"] == mode.upper()
            assert version.meta["x-amz-object-lock-retain-until-date"] > least.strftime("%Y-%m-%dT%H:%M:%SZ")

    def test_a_bucket_without_takes_none(self, desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
        retain(desk)
        assert desk.put(recent(), environ=job).code == 3
        assert keys(sky) == []

    def test_a_store_that_forgets_the_wish_is_refused(self, desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
        sky.s3.object_lock = "forgotten"
        retain(desk)
        desk.put(recent(), environ=job).ends(1, "evidence.not_retained")

    def test_a_bucket_that_holds_all_by_itself_takes_what_has_a_checksum(
        self, desk: Desk, sky: Cloud, job: Mapping[str, str]
    ) -> None:
        sky.s3.object_lock = "held"
        desk.put(recent(), environ=job).ends(0)


class TestRolledBack:
    def test_a_newer_one_behind_a_delete_marker_is_missed(self, desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
        """Object Lock does not keep anybody from putting a marker over an object."""
        now = datetime.datetime.now(datetime.UTC)
        good, bad = made(ago=2 * HOUR, now=now), made(now=now, result="fail")
        sky.put({**good.objects(), **bad.objects()}, "evidence/")
        assert desk.find(environ=job).ends(1).problems == ["evidence.not_passed"]
        sky.s3.delete(f"evidence/{bad.by_commit}", bucket=BUCKET)
        assert desk.find().ends(1).problems == ["evidence.rolled_back"]
        sky.s3.buckets[BUCKET][f"evidence/{bad.by_commit}"].pop(0)
        assert desk.find().ends(1).problems == ["evidence.not_passed"]

    def test_every_one_of_them_behind_markers_too(self, desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
        one = made()
        sky.put(one.objects(), "evidence/")
        sky.s3.delete(f"evidence/{one.by_commit}", bucket=BUCKET)
        assert desk.find(environ=job).ends(1).problems == ["evidence.rolled_back", "evidence.missing"]

    def test_a_whole_store_of_yesterday_is_missed_by_who_remembers(
        self, desk: Desk, sky: Cloud, job: Mapping[str, str]
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        good, bad = made(ago=2 * HOUR, now=now), made(now=now, result="fail")
        sky.put(good.objects(), "evidence/")
        memory = desk.folder / "memory.json"
        desk.find("--remember", memory, environ=job).ends(0)
        sky.put(bad.objects(), "evidence/")
        desk.find("--remember", memory).ends(1)
        sky.s3.buckets[BUCKET].clear()
        sky.put(good.objects(), "evidence/")
        assert desk.find("--remember", memory).ends(1).problems == ["evidence.rolled_back"]


def test_a_listing_of_many_pages_is_read_to_its_end(desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    old = [made(ago=number * HOUR, now=now) for number in range(2, 12)]
    newest = made(now=now, result="fail")
    sky.put({name: content for one in (*old, newest) for name, content in one.objects().items()}, "evidence/")
    sky.s3.page_size = 3
    assert desk.find(environ=job).ends(1).problems == ["evidence.not_passed"]
    assert len(desk.find("--all").ends(1).json["verdicts"]) == 11


def test_a_role_that_may_not_write_is_no_answer(desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
    sky.sts.roles = ()
    assert desk.put(recent(), environ=job).code != 0
    assert keys(sky) == []


def test_no_secret_is_told(desk: Desk, sky: Cloud, job: Mapping[str, str]) -> None:
    done = desk.put(recent(), environ=job).ends(0)
    found = desk.find("--commit", COMMIT).ends(0)
    told = done.out + done.err + found.out + found.err
    for line in told.splitlines():
        assert line.startswith("::add-mask::") or not any(secret in line for secret in sky.secrets)
