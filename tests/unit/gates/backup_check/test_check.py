"""Policies that protect less than their authors believe are refused when they are read."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.core.policy import BackedUp, BackupCheckPolicy, Oci, Signer, Smoke
from aegis.gates.backup_check.check import check_policy, records_of

RECIPIENTS = tuple("age1" + letter * 58 for letter in "qpz")
ISSUER = "https://token.actions.githubusercontent.com"
WHO = "https://github.com/o/r/.github/workflows/backup.yml@refs/heads/main"
OCI = Oci(domain="https://idcs.example", region="eu-x-1")
QUESTION = Smoke(name="users", sql="SELECT true")


def policy(**changes: Any) -> BackupCheckPolicy:
    plain: dict[str, Any] = {"store": "s3://staging/db/", "databases": (BackedUp(name="shop"), BackedUp(name="mail"))}
    return BackupCheckPolicy(**{**plain, **changes})


@pytest.mark.parametrize(
    "fine",
    [
        policy(),
        policy(store="backups/", records="records/"),
        policy(store="/srv/backups/", records="/srv/records/"),
        policy(store="s3://staging/", records="s3://staging/_records/"),
        policy(store="s3://staging/db/", records="s3://other/db/shop/"),
        policy(store="oci://ns/bucket/db/", oci=OCI),
        policy(recipients=RECIPIENTS[:2]),
        policy(signers=(Signer(key="keys/a.pub"), Signer(identity=WHO, issuer=ISSUER))),
        policy(databases=(BackedUp(name="shop", smoke=(QUESTION, Smoke(name="orders", sql="SELECT true"))),)),
    ],
    ids=range(9),
)
def test_a_policy_that_protects_something_is_let_through(fine: BackupCheckPolicy) -> None:
    check_policy(fine, file="aegis.yml")


@pytest.mark.parametrize(
    ("weak", "said"),
    [
        (policy(databases=()), "databases is empty"),
        (policy(databases=(BackedUp(name="shop"), BackedUp(name="shop"))), "'shop' stands 2 times"),
        (policy(databases=(BackedUp(name="shop", smoke=(QUESTION, QUESTION)),)), "'users' stands 2 times"),
        (policy(store="https://host.example/db/"), "backup-check.store is 'https"),
        (policy(records="https://host.example/db/"), "backup-check.records is 'https"),
        (policy(store="oci://ns/bucket/db/"), "no backup-check.oci"),
        (policy(records="oci://ns/bucket/db/"), "no backup-check.oci"),
        (policy(records="s3://staging/db/"), "the backups lie in"),
        (policy(records="s3://staging/"), "the backups lie in"),
        (policy(records="s3://staging/db/mail/"), "the backups lie in"),
        (policy(records="s3://staging/db/mail/x/"), "the backups lie in"),
        (policy(recipients=RECIPIENTS[:1]), "recipients has 1 entry"),
        (policy(recipients=(RECIPIENTS[0], RECIPIENTS[0])), "stands 2 times in backup-check.recipients"),
        (policy(recipients=(RECIPIENTS[0], "age1" + "b" * 58)), "recipients holds"),
        (policy(recipients=(RECIPIENTS[0], "AGE-SECRET-KEY-1" + "Q" * 58)), "holds an identity, which is secret"),
        (policy(signers=(Signer(),)), "not exactly one kind"),
        (policy(signers=(Signer(identity=WHO),)), "no issuer"),
    ],
    ids=range(17),
)
def test_what_protects_less_than_it_says_is_refused(weak: BackupCheckPolicy, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_policy(weak, file="aegis.yml")
    assert refused.value.code == "backup_check.policy_incomplete"
    assert refused.value.remedy == "correct `backup-check` in the policy file"
    assert said in refused.value.problem
    assert "QQQ" not in str(refused.value)


@pytest.mark.parametrize(
    ("weak", "code"),
    [
        (policy(store="s3://Staging/db/"), "verify.source_invalid"),
        (policy(store="a/../b/"), "verify.source_invalid"),
        (policy(signers=(Signer(identity_pattern="^.*$", issuer=ISSUER),)), "verify.pattern_unsafe"),
    ],
    ids=range(3),
)
def test_addresses_and_patterns_are_read_as_everywhere(weak: BackupCheckPolicy, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_policy(weak, file="aegis.yml")
    assert refused.value.code == code


def test_records_lie_beside_the_backups_unless_the_policy_says_otherwise() -> None:
    assert records_of(policy()) == "s3://staging/db/_records/"
    assert records_of(policy(records="s3://r/x/")) == "s3://r/x/"
