from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.identity.role import parse_role, session_name


@pytest.mark.parametrize(
    ("arn", "partition", "name"),
    [
        ("arn:aws:iam::123456789012:role/aegis", "aws", "aegis"),
        ("arn:aws-cn:iam::123456789012:role/a/b/aegis-1", "aws-cn", "aegis-1"),
        ("arn:aws-us-gov:iam::123456789012:role/x_+=,.@-", "aws-us-gov", "x_+=,.@-"),
    ],
)
def test_roles(arn: str, partition: str, name: str) -> None:
    role = parse_role(arn)
    assert (role.arn, role.partition, role.account, role.name) == (arn, partition, "123456789012", name)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "aegis",
        "arn:aws:iam::12345678901:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/x\n",
        "arn:aws:iam::123456789012:role/" + "x" * 65,
        "arn:evil:iam::123456789012:role/x",
        "arn:aws:sts::123456789012:assumed-role/x/y",
        " arn:aws:iam::123456789012:role/x",
        "arn:aws:iam::123456789012:role/x y",
        "arn:aws:iam::123456789012:role/" + "a/" * 1100 + "x",
    ],
)
def test_what_is_no_role(arn: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_role(arn)
    assert caught.value.code == "verify.role_invalid"


@given(
    st.none() | st.text(max_size=30) | st.from_regex(r"[1-9][0-9]{0,18}", fullmatch=True),
    st.none() | st.text(max_size=30),
)
def test_a_session_name_is_always_one_that_sts_takes(run: str | None, attempt: str | None) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", session_name("backup-check", run, attempt))


def test_a_session_name_leads_to_the_run() -> None:
    assert session_name("verify", "9001", "2") == "aegis-verify-9001-2"
    assert session_name("verify", None, None) == "aegis-verify-local"
    assert session_name("verify", "9001\n", "2") == "aegis-verify-local"
