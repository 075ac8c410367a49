"""From the job's token to the store's bytes: who is refused on the way, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles import github
from tests.doubles.aws import sts
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.doubles.cloud import BUCKET
from tests.e2e.actions.conftest import told
from tests.e2e.actions.verify.conftest import (
    FRAUD,
    ROOT_ACTION,
    VERIFY,
    Staging,
    assert_misconfigured,
    assert_undecided,
)
from tests.support.actions.act import ROOT

NOWHERE = "http://127.0.0.1:9"
each_action = pytest.mark.parametrize("uses", [VERIFY, ROOT_ACTION], ids=["verify", "root"])


def test_a_role_that_trusts_another_environment_is_said_at_once_with_the_claims(staging: Staging) -> None:
    staging.cloud.trust(environment="production")
    staging.adopt()
    run = staging.changed()
    assert_undecided(staging, run, "verify.role_denied", "environment='staging'", "aegis credentials doctor")
    assert len(staging.cloud.sts.requests) == 1
    assert not staging.cloud.s3.asked


def test_a_session_can_read_only_what_the_policy_names_whatever_the_role_may(staging: Staging) -> None:
    staging.verify = {"artifacts": [FRAUD]}
    staging.adopt()
    assert staging.changed().green
    (session,) = staging.cloud.sts.sessions
    for key, may in (("fraud/weights.bin", True), ("ranking/weights.bin", False), ("secrets/key.pem", False)):
        for action in ("s3:GetObject", "s3:GetObjectVersion"):
            assert staging.cloud.sts.allowed(session, action, f"arn:aws:s3:::{BUCKET}/{key}", {}) is may
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy"):
        assert not staging.cloud.sts.allowed(session, action, f"arn:aws:s3:::{BUCKET}/fraud/weights.bin", {})


@each_action
def test_a_pull_request_from_a_fork_is_red_and_told_the_way_through(staging: Staging, uses: str) -> None:
    # neither token nor variables: GitHub gives such a run none of them
    staging.uses, staging.token, staging.inputs = uses, False, {}
    staging.adopt()
    run = staging.changed(fork=True)
    assert_undecided(staging, run, "verify.no_id_token_fork", "from a fork", "workflow_dispatch")
    assert any(note.level == "notice" and "fork" in note.message for note in run.annotations)
    assert not staging.cloud.issuer.requests


def test_dependabot_is_told_why_there_is_no_token(staging: Staging) -> None:
    staging.token, staging.inputs, staging.actor = False, {}, "dependabot[bot]"
    staging.adopt()
    run = staging.changed()
    assert_undecided(staging, run, "verify.no_id_token_fork", "Dependabot")


def test_a_job_that_may_not_ask_for_a_token_is_told_the_permission(staging: Staging) -> None:
    staging.token = False
    staging.adopt()
    assert_undecided(staging, staging.changed(), "verify.no_id_token_permission", "`id-token: write`")


def test_a_token_service_that_refuses_is_red(staging: Staging) -> None:
    staging.cloud.issuer.faults.append(github.Fault(403, "Forbidden", times=FOREVER))
    staging.adopt()
    assert_undecided(staging, staging.changed(), "verify.token_refused")
    assert len(staging.cloud.issuer.requests) == 1


def test_an_sts_that_cannot_be_reached_is_red(staging: Staging) -> None:
    staging.verify["aws"] = {**staging.cloud.places, "sts-endpoint": NOWHERE}
    staging.adopt()
    assert_undecided(staging, staging.changed(), "verify.sts_unreachable")


def test_another_account_is_red_before_anything_is_read(staging: Staging) -> None:
    staging.verify["aws"] = {**staging.cloud.places, "account": "210987654321"}
    staging.adopt()
    run = staging.changed()
    assert not run.green
    assert told(run) == "error verify.wrong_account"
    assert not staging.cloud.s3.asked


def test_a_store_that_cannot_be_reached_is_red(staging: Staging) -> None:
    staging.verify["aws"] = {**staging.cloud.places, "s3-endpoint": NOWHERE}
    staging.adopt()
    assert_undecided(staging, staging.changed(), "verify.store_failed")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(times=FOREVER, status=503, code="SlowDown"), "verify.store_failed"),
        (Fault(times=FOREVER, silence=60), "verify.store_slow"),
        (Fault(times=FOREVER, cut=100), "verify.store_cut"),
        (Fault("ListObjectVersions", times=FOREVER, status=500), "verify.store_failed"),
    ],
    ids=["503", "silent", "cut", "no listing"],
)
def test_a_store_in_trouble_is_red(staging: Staging, fault: Fault, reason: str) -> None:
    if fault.silence:
        client = (ROOT / "src/aegis/adapters/objects/store_http.py").read_text("utf-8")
        hasty = client.replace("TIMEOUT = 20.0", "TIMEOUT = 0.5", 1)
        assert hasty != client
        staging.change_action({"src/aegis/adapters/objects/store_http.py": hasty})
    staging.verify = {"artifacts": [FRAUD]}
    staging.cloud.s3.faults.append(fault)
    staging.adopt()
    assert_undecided(staging, staging.changed(), reason)


def test_trouble_that_passes_does_not_matter(staging: Staging) -> None:
    staging.cloud.issuer.faults.append(github.Fault(500, "try again"))
    staging.cloud.sts.faults.append(sts.Fault())
    staging.cloud.s3.faults += [
        Fault(status=503, code="SlowDown"),
        Fault(key="ranking/weights.bin", cut=100),
        Fault("ListObjectVersions", status=500),
    ]
    staging.adopt()
    run = staging.changed()
    assert run.green, run.log


def test_a_role_that_may_not_read_is_red(staging: Staging) -> None:
    staging.cloud.sts.roles = tuple(replace(role, policies=()) for role in staging.cloud.sts.roles)
    staging.adopt()
    assert_undecided(staging, staging.changed(), "verify.store_denied")


@pytest.mark.parametrize(
    ("role", "reason", "says"),
    [
        ("arn:aws:iam::1234:role/aegis-verify", "verify.role_invalid", "arn:aws:iam::1234:role/aegis-verify"),
        ("", "verify.policy_incomplete", "aws-role-to-assume"),
    ],
    ids=["malformed", "none"],
)
def test_a_wrong_role_is_told(staging: Staging, role: str, reason: str, says: str) -> None:
    staging.inputs["aws-role-to-assume"] = role
    staging.adopt()
    assert_misconfigured(staging.changed(), reason, says)
    assert not staging.cloud.sts.requests
