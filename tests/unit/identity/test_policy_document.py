from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import AegisError, UsageError
from aegis.identity.policy_document import OPERATORS, Operator, parse_operator, parse_policy
from tests.support.tokens.trusts import HOST, ROLE, document, statement, tight

ONE = statement(("StringEquals", "aud", "sts.amazonaws.com"))


def read(value: Any) -> Any:
    return parse_policy(json.dumps(value), name="p.json")


def test_a_document_alone_and_inside_what_the_aws_command_prints() -> None:
    alone = read(tight())
    role = read({"Role": {"Arn": ROLE, "MaxSessionDuration": 7200, "AssumeRolePolicyDocument": tight()}})
    assert role.statements == alone.statements
    assert (role.role, role.max_session, alone.role, alone.max_session) == (ROLE, 7200, None, None)
    rights = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    version = read({"PolicyVersion": {"Document": rights, "VersionId": "v1"}})
    inline = read({"RoleName": "r", "PolicyName": "p", "PolicyDocument": rights})
    assert version.statements == inline.statements == read(rights).statements
    assert alone.is_trust
    assert not inline.is_trust


def test_one_statement_and_one_value_need_no_list() -> None:
    assert read({"Version": "2012-10-17", "Statement": ONE}).statements == read(document(ONE)).statements


def test_numbers_and_truth_values_are_texts() -> None:
    (only,) = read(
        document(statement(("StringEquals", "repository_id", 7001), ("Bool", "aws:SecureTransport", True)))
    ).statements
    assert [condition.values for condition in only.conditions] == [("7001",), ("true",)]


def test_without_a_version_it_is_the_old_language() -> None:
    assert not read({"Statement": ONE}).variables
    assert read(document(ONE)).variables


@pytest.mark.parametrize(
    ("written", "operator"),
    [
        ("StringEquals", Operator("StringEquals")),
        ("StringNotLikeIfExists", Operator("StringLike", True, "", True)),
        ("ForAllValues:StringLike", Operator("StringLike", False, "ForAllValues")),
        ("ForAnyValue:StringNotEqualsIgnoreCase", Operator("StringEqualsIgnoreCase", True, "ForAnyValue")),
        ("Null", Operator("Null")),
        ("NullIfExists", None),
        ("ForAllValues:Null", None),
        ("Foo:StringEquals", None),
        ("StringMatches", None),
        ("stringequals", None),
        ("", None),
    ],
)
def test_operators(written: str, operator: Operator | None) -> None:
    assert parse_operator(written) == operator


def test_every_operator_of_the_documentation_is_known() -> None:
    named = """StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike
        NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals
        DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals Bool BinaryEquals
        IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike Null"""
    assert frozenset(named.split()) == OPERATORS


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "no JSON object"),
        ({}, "no Statement"),
        ({"Statement": []}, "no Statement"),
        ({"Statement": "x"}, "no Statement"),
        ({"Version": "2013-01-01", "Statement": [ONE]}, "Version is '2013-01-01'"),
        (document({**ONE, "Efect": "Deny"}), "element 'Efect'"),
        (document({**ONE, "Effect": "allow"}), "Effect 'allow'"),
        (document({**ONE, "Principal": None}), "neither a Principal"),
        (document({**ONE, "Principal": {}}), "empty Principal"),
        (document({**ONE, "Principal": "arn"}), "no JSON object"),
        (document({**ONE, "NotPrincipal": "*"}), "both Principal and NotPrincipal"),
        (document({**ONE, "NotAction": "x"}), "both Action and NotAction"),
        (document({name: value for name, value in ONE.items() if name != "Action"}), "no Action"),
        (document({**ONE, "Action": []}), "holds no text"),
        (document({**ONE, "Action": [{}]}), "holds no text"),
        (document({**ONE, "Condition": {"StringMatches": {"a:b": "c"}}}), "operator 'StringMatches'"),
        (document({**ONE, "Condition": {"StringEquals": "x"}}), "no JSON object"),
        (document({**ONE, "Condition": {"StringEquals": {f"{HOST}:aud": []}}}), "holds no text"),
        (document({**ONE, "Condition": {"StringEquals": {f"{HOST}:aud": None}}}), "holds no text"),
        (document({**ONE, "Condition": []}), "no JSON object"),
        ({"Role": []}, "Role is no JSON object"),
        ({"Role": {"AssumeRolePolicyDocument": "%7B"}}, "no JSON object"),
        (document(3), "no JSON object"),  # type: ignore[arg-type] # no statement at all
    ],
)  # fmt: skip
def test_what_iam_would_not_take(value: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        read(value)
    assert caught.value.code == "verify.trust_policy_invalid"


@pytest.mark.parametrize("text", [b"\xff", b"{", b'{"Version":1,"Version":2}', b"[" * 100_000, b"x" * 1_000_001])
def test_what_is_no_document(text: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        parse_policy(text, name="p.json")
    assert caught.value.code == "verify.trust_policy_invalid"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["Allow", "2012-10-17", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(sorted({*ONE, "Statement", "Version", "StringLike"})),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_any_json_is_a_policy_or_one_error(value: Any) -> None:
    try:
        read(value)
    except AegisError as error:
        assert error.code == "verify.trust_policy_invalid"  # noqa: PT017 - both ends are right
