"""Signed verdicts in OCI Object Storage: what the group's rights allow, and what a store hides."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET
from tests.doubles.oci.tenancy import BUCKET, NAMESPACE, REGION, Tenancy, tenancy
from tests.support.verdicts.evidence import HOUR, Made, made
from tests.support.verdicts.evidence_desk import ON_GITHUB, Desk

PREFIX = "staging/"
"""Below which the tenancy's group may read."""
WRITES = (
    "Allow group 'Default'/'verifiers' to manage objects in compartment staging where "
    f"all {{target.bucket.name = '{BUCKET}', any {{request.permission = 'OBJECT_CREATE'}}}}"
)
"""Creating is all: who stores verdicts replaces and removes none."""


@pytest.fixture
def oci() -> Iterator[Tenancy]:
    with tenancy() as running:
        running.storage.policy = (*running.storage.policy, WRITES)
        yield running


@pytest.fixture
def job(desk: Desk, oci: Tenancy) -> Mapping[str, str]:
    """A job that the domain trusts, and the policy that names the bucket."""
    adopt(desk, oci)
    token = {name: value for name, value in oci.issuer.environ.items() if name.startswith("ACTIONS_")}
    return {**ON_GITHUB, **token, "OCI_CLIENT_ID": CLIENT_ID, "OCI_CLIENT_SECRET": CLIENT_SECRET}


def adopt(desk: Desk, oci: Tenancy, **changes: Any) -> None:
    desk.section = {
        "store": f"oci://{NAMESPACE}/{BUCKET}/{PREFIX}",
        "signers": [{"key": "keys/build.pub"}],
        "oci": {"domain": oci.domain.address, "region": REGION, "storage-endpoint": oci.storage.address},
        **changes,
    }
    desk.adopt()


def fill(oci: Tenancy, *verdicts: Made) -> None:
    for one in verdicts:
        for key, content in one.objects(PREFIX).items():
            oci.bucket.put(key, content)


def two(oci: Tenancy) -> Made:
    """A verdict that passed, and the newer one that did not, which is given back."""
    now = datetime.datetime.now(datetime.UTC)
    good, bad = made(ago=2 * HOUR, now=now), made(now=now, result="fail")
    fill(oci, good, bad)
    return bad


def put(desk: Desk, environ: Mapping[str, str], one: Made | None = None) -> Any:
    """By a signature that is there already."""
    one = one or made(now=datetime.datetime.now(datetime.UTC))
    (desk.folder / "bundle.json").write_bytes(one.bundle)
    return desk.aegis("put", desk.write(one.verdict), "--bundle", desk.folder / "bundle.json", environ=environ)


def test_it_is_kept_found_and_verified(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    put(desk, job).ends(0)
    assert {key.split("/")[1] for key in oci.bucket.objects} == {"commit", "verdict", "sha256"}
    (found,) = desk.find("--gate", "verify", "--max-age", "12h").ends(0).json["verdicts"]
    desk.aegis("verify", f"oci://{NAMESPACE}/{BUCKET}/{found['object']}").ends(0)


def test_once_more_writes_nothing_over(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    one = made(now=datetime.datetime.now(datetime.UTC))
    for _ in range(2):
        put(desk, job, one).ends(0)
    assert len(oci.bucket.objects) == 3
    assert all(len(versions) == 1 for versions in oci.bucket.objects.values())


def test_who_may_only_read_stores_nothing(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    oci.storage.policy = tuple(each for each in oci.storage.policy if each != WRITES)
    assert put(desk, job).code == 3
    assert oci.bucket.objects == {}


def test_who_does_not_say_where_the_domain_is_gets_no_answer(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    del desk.section["oci"]
    desk.adopt()
    desk.find(environ=job).ends(2, "evidence.oci is not set")


def test_a_bucket_in_oci_takes_no_wish_for_a_lock(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    """Its retention is a rule of the bucket; a policy that asks for more than it gets is refused."""
    adopt(desk, oci, retain={"days": 400})
    assert put(desk, job).ends(2).err.count("retain") > 0
    assert oci.bucket.objects == {}


@pytest.mark.parametrize("claim", [{"repository_id": "7002"}, {"sub": "repo:octo/shop:ref:refs/heads/other"}], ids=str)
def test_another_job_is_not_trusted(desk: Desk, oci: Tenancy, job: Mapping[str, str], claim: dict[str, str]) -> None:
    oci.issuer.claims |= claim
    assert put(desk, job).code != 0
    assert oci.bucket.objects == {}


class TestRolledBack:
    def test_a_newer_one_that_was_deleted_is_missed(self, desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
        bad = two(oci)
        assert desk.find(environ=job).ends(1).problems == ["evidence.not_passed"]
        oci.bucket.delete(PREFIX + bad.by_commit)
        assert desk.find().ends(1).problems == ["evidence.rolled_back"]

    def test_every_one_of_them_too(self, desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
        one = made()
        fill(oci, one)
        oci.bucket.delete(PREFIX + one.by_commit)
        assert desk.find(environ=job).ends(1).problems == ["evidence.rolled_back", "evidence.missing"]

    def test_who_may_not_list_versions_sees_what_is_left(
        self, desk: Desk, oci: Tenancy, job: Mapping[str, str]
    ) -> None:
        bad = two(oci)
        oci.bucket.delete(PREFIX + bad.by_commit)
        oci.storage.versions_denied = True
        desk.find(environ=job).ends(0)


def test_a_listing_of_many_pages_is_read_to_its_end(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    fill(oci, *(made(ago=number * HOUR, now=now) for number in range(2, 12)), made(now=now, result="fail"))
    oci.storage.page_size = 3
    assert desk.find(environ=job).ends(1).problems == ["evidence.not_passed"]
    assert len(desk.find("--all").ends(1).json["verdicts"]) == 11


def test_no_secret_is_told(desk: Desk, oci: Tenancy, job: Mapping[str, str]) -> None:
    done = put(desk, job).ends(0)
    found = desk.find().ends(0)
    for line in (done.out + done.err + found.out + found.err).splitlines():
        assert line.startswith("::add-mask::") or not any(secret in line for secret in oci.secrets)
