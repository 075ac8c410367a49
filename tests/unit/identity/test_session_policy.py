from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.identity.session_policy import Deletion, ReadNeed, WriteNeed, literal, session_policy
from tests.doubles.aws import iam_policy

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
STAGING = ReadNeed("models", prefixes=("staging/",))


def allowed(policy: str, action: str, resource: str, **context: str) -> bool:
    """By the evaluator of the doubles, which is written apart."""
    values = {f"s3:{key}": [value] for key, value in context.items()}
    return iam_policy.allows([json.loads(policy)], action=action, resource=resource, context=values)


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion"])
def test_objects_below_the_prefix_and_no_others(action: str) -> None:
    policy = session_policy([STAGING])
    assert allowed(policy, action, "arn:aws:s3:::models/staging/a/b.bin")
    for other in ("models/production/a", "models/stagin", "other/staging/a", "models-2/staging/a", "models/"):
        assert not allowed(policy, action, f"arn:aws:s3:::{other}")


@pytest.mark.parametrize(
    "action",
    ["s3:PutObject", "s3:DeleteObject", "s3:GetObjectAcl", "s3:PutBucketPolicy", "s3:ListAllMyBuckets", "kms:Decrypt",
     "iam:PassRole", "sts:AssumeRole", "s3:GetObjectTagging"],
)  # fmt: skip
def test_it_only_reads(action: str) -> None:
    policy = session_policy([STAGING])
    for resource in ("arn:aws:s3:::models/staging/a", "arn:aws:s3:::models", "*", KEY):
        assert not allowed(policy, action, resource)


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:ListBucketVersions"])
def test_listing_is_bound_to_the_prefix(action: str) -> None:
    policy = session_policy([STAGING, ReadNeed("keys", keys=("a/model.sig",))])
    models, keys = "arn:aws:s3:::models", "arn:aws:s3:::keys"
    assert allowed(policy, action, models, prefix="staging/")
    assert allowed(policy, action, models, prefix="staging/a")
    assert allowed(policy, action, keys, prefix="a/model.sig")
    assert not allowed(policy, action, models)
    assert not allowed(policy, action, models, prefix="")
    assert not allowed(policy, action, models, prefix="production/")
    assert not allowed(policy, action, keys, prefix="a/")
    assert not allowed(policy, action, keys, prefix="staging/")


def test_the_bucket_s_place_can_be_asked() -> None:
    policy = session_policy([STAGING])
    assert allowed(policy, "s3:GetBucketLocation", "arn:aws:s3:::models")
    assert not allowed(policy, "s3:GetBucketLocation", "arn:aws:s3:::other")


def test_keys_that_encrypt_are_named_one_by_one() -> None:
    policy = session_policy([STAGING], kms_keys=[KEY])
    assert allowed(policy, "kms:Decrypt", KEY)
    assert not allowed(policy, "kms:Encrypt", KEY)
    assert not allowed(policy, "kms:Decrypt", KEY[:-1] + "c")


def test_the_partition_is_the_role_s() -> None:
    policy = session_policy([STAGING], partition="aws-cn")
    assert "arn:aws-cn:s3:::models" in policy
    assert "arn:aws:" not in policy


def test_single_objects_and_what_a_prefix_covers_already() -> None:
    both = session_policy([ReadNeed("models", ("staging/", "staging/a/"), ("staging/x", "top.bin"))])
    assert both == session_policy([ReadNeed("models", ("staging/",)), ReadNeed("models", keys=("top.bin",))])
    assert allowed(both, "s3:GetObject", "arn:aws:s3:::models/top.bin")
    assert not allowed(both, "s3:GetObject", "arn:aws:s3:::models/top.bin2")


def test_a_whole_bucket_is_an_empty_prefix() -> None:
    policy = session_policy([ReadNeed("models", ("",), ("a",))])
    assert allowed(policy, "s3:GetObject", "arn:aws:s3:::models/anything")
    assert allowed(policy, "s3:ListBucket", "arn:aws:s3:::models", prefix="")
    assert not allowed(policy, "s3:GetObject", "arn:aws:s3:::models2/anything")


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_nothing_in_a_key_is_a_wildcard(key: str, other: str) -> None:
    assume(key != other)
    policy = session_policy([ReadNeed("models", keys=(key,))])
    assert allowed(policy, "s3:GetObject", f"arn:aws:s3:::models/{key}")
    assert not allowed(policy, "s3:GetObject", f"arn:aws:s3:::models/{other}")
    assert policy.isascii()


@pytest.mark.parametrize(
    ("text", "written"), [("a*b", "a${*}b"), ("${aws:x}", "${$}{aws:x}"), ("a?", "a${?}"), ("ab", "ab")]
)
def test_wildcards_are_written_out(text: str, written: str) -> None:
    assert literal(text) == written


def test_five_prefixes_need_few_characters() -> None:
    needs = [ReadNeed("acme-models-staging", tuple(f"team-{n}/models/staging/" for n in range(5)))]
    assert len(session_policy(needs)) <= 1200
    assert len(session_policy([ReadNeed("acme-models", ("staging/llm/",))])) <= 450


def test_what_sts_would_not_take_is_refused_before_it_is_sent() -> None:
    needs = [ReadNeed("models", tuple(f"{n:03}/{'x' * 40}/" for n in range(40)))]
    with pytest.raises(UsageError, match="characters") as caught:
        session_policy(needs)
    assert caught.value.code == "verify.session_policy_too_large"


@pytest.mark.parametrize(
    ("needs", "keys", "told"),
    [
        ([], (), "nothing is read"),
        ([ReadNeed("models")], (), "nothing is read"),
        ([ReadNeed("Models", ("a/",))], (), "bucket is 'Models'"),
        ([ReadNeed("m*", ("a/",))], (), "bucket is"),
        ([ReadNeed("models/x", ("a/",))], (), "bucket is"),
        ([ReadNeed("", ("a/",))], (), "bucket is"),
        ([ReadNeed("models", keys=("",))], (), "empty or too long"),
        ([ReadNeed("models", ("x" * 1025,))], (), "empty or too long"),
        ([STAGING], ("alias/models",), "KMS key"),
        ([STAGING], ("arn:aws:kms:eu-west-1:123456789012:alias/x",), "KMS key"),
        ([STAGING], ("arn:aws:kms:eu-west-1:123456789012:key/*",), "KMS key"),
        ([STAGING], ("*",), "KMS key"),
    ],
)  # fmt: skip
def test_needs_that_cannot_be_said(needs: list[ReadNeed], keys: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        session_policy(needs, kms_keys=keys)
    assert caught.value.code == "verify.session_policy_invalid"


class TestWriting:
    BACKUPS = ReadNeed("backups", prefixes=("shop/",))
    REMOVALS = ("s3:DeleteObject", "s3:DeleteObjectVersion")

    @pytest.mark.parametrize(("delete", "removals"), [("nothing", 0), ("latest", 1), ("versions", 2)])
    def test_objects_below_the_prefixes_and_no_others(self, delete: Deletion, removals: int) -> None:
        policy = session_policy([self.BACKUPS], writes=[WriteNeed("backups", ("shop/orders/", "shop/mail/"), delete)])
        for action in ("s3:PutObject", "s3:AbortMultipartUpload"):
            for own in ("orders", "mail"):
                assert allowed(policy, action, f"arn:aws:s3:::backups/shop/{own}/1/dump")
            for other in ("backups/shop/others/1", "backups/shop/orders", "other/shop/orders/1"):
                assert not allowed(policy, action, f"arn:aws:s3:::{other}")
        for number, action in enumerate(self.REMOVALS):
            assert allowed(policy, action, "arn:aws:s3:::backups/shop/orders/1/dump") is (number < removals)
        assert allowed(policy, "s3:GetObject", "arn:aws:s3:::backups/shop/others/1")
        assert allowed(policy, "s3:ListBucketMultipartUploads", "arn:aws:s3:::backups")
        assert not allowed(policy, "s3:ListBucketMultipartUploads", "arn:aws:s3:::other")

    def test_who_only_removes_writes_nothing(self) -> None:
        writes = [WriteNeed("backups", ("shop/orders/",), "versions", create=False)]
        policy = session_policy([self.BACKUPS], kms_keys=[KEY], writes=writes)
        for action in self.REMOVALS:
            assert allowed(policy, action, "arn:aws:s3:::backups/shop/orders/1/dump")
            assert not allowed(policy, action, "arn:aws:s3:::backups/shop/others/1/dump")
        for action in ("s3:PutObject", "s3:AbortMultipartUpload"):
            assert not allowed(policy, action, "arn:aws:s3:::backups/shop/orders/1/dump")

    def test_a_wildcard_in_a_prefix_is_none(self) -> None:
        policy = session_policy([self.BACKUPS], writes=[WriteNeed("backups", ("a*/",), "nothing")])
        assert not allowed(policy, "s3:PutObject", "arn:aws:s3:::backups/ab/x")

    def test_keys_encrypt_only_where_something_is_written(self) -> None:
        writes = [WriteNeed("backups", ("shop/",), "nothing")]
        assert allowed(session_policy([self.BACKUPS], kms_keys=[KEY], writes=writes), "kms:GenerateDataKey", KEY)
        assert not allowed(session_policy([self.BACKUPS], kms_keys=[KEY]), "kms:GenerateDataKey", KEY)
        assert allowed(session_policy([self.BACKUPS], kms_keys=[KEY], writes=writes), "kms:Decrypt", KEY)

    def test_a_name_that_is_no_bucket_s_is_refused(self) -> None:
        with pytest.raises(UsageError):
            session_policy([self.BACKUPS], writes=[WriteNeed("*", ("",), "latest")])
