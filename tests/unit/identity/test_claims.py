from __future__ import annotations

import base64
import json
import time
import traceback

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.identity.claims import MAX_TOKEN, decode
from tests.doubles import github_oidc


def segment(document: object) -> str:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HEADER = {"alg": "RS256", "typ": "JWT"}
PAYLOAD = {"iss": "https://i.example", "sub": "s", "aud": "a", "exp": 2_000_000_000}


def compact(header: object = HEADER, payload: object = PAYLOAD) -> str:
    return f"{segment(header)}.{segment(payload)}.c2ln"


def test_a_token_of_github() -> None:
    token = github_oidc.Issuer().token("here", environment="staging")
    claims = decode(token)
    assert (claims.issuer, claims.audience, claims.subject) == (
        github_oidc.ISSUER,
        "here",
        "repo:octo/shop:ref:refs/heads/main",
    )
    assert claims.text("environment") == "staging"
    assert claims.text("repository_id") == "7001"
    assert claims.text("head_ref") == ""
    assert claims.text("no_such") is None
    assert claims.expires > time.time()
    assert claims.not_before is not None
    assert claims.not_before < time.time()


def test_values_are_told_as_json_writes_them() -> None:
    claims = decode(compact(payload={**PAYLOAD, "n": 12, "yes": True, "many": ["a"], "x": 1.5}))
    assert [claims.text(name) for name in ("n", "yes", "many", "x")] == ["12", "true", None, None]


def test_one_audience_in_a_list_is_one_audience() -> None:
    assert decode(compact(payload={**PAYLOAD, "aud": ["a"]})).audience == "a"


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("", "three base64url segments"),
        ("a.b", "three base64url segments"),
        ("a.b.c.d", "three base64url segments"),
        ("a.b.c\n", "three base64url segments"),
        ("é.b.c", "three base64url segments"),
        ("a" * MAX_TOKEN + ".b.c", "three base64url segments"),
        (f"{'a' * 5}.{segment(PAYLOAD)}.c", "its header is not base64url"),
        (compact(header=b"{"), "its header cannot be read: it is not JSON"),
        (compact(header={"typ": "JWT"}), "names no signature algorithm"),
        (compact(header={"alg": "none"}), "names no signature algorithm"),
        (compact(header={"alg": "NoNe"}), "names no signature algorithm"),
        (compact(payload=[1]), "it is no JSON object"),
        (compact(payload=b'{"sub":"a","sub":"b"}'), "names a key twice"),
        (compact(payload=b'{"exp":NaN}'), "NaN, which is no JSON"),
        (compact(payload=b"\xff"), "not UTF-8 at byte 0"),
        (compact(payload=b'{"exp":' + b"1" * 5000 + b"}"), "a number that is too long"),
        (compact(payload=b"[" * 9_000), "cannot be read"),
        (compact(payload={**PAYLOAD, "aud": ["a", "b"]}), "its claim 'aud' is list"),
        (compact(payload={**PAYLOAD, "aud": []}), "its claim 'aud' is list"),
        (compact(payload={**PAYLOAD, "sub": 7}), "its claim 'sub' is int"),
        (compact(payload={**PAYLOAD, "iss": ""}), "its claim 'iss' is str"),
        (compact(payload={**PAYLOAD, "exp": None}), "it never expires"),
        (compact(payload={**PAYLOAD, "exp": "soon"}), "its claim 'exp' is no time"),
        (compact(payload={**PAYLOAD, "exp": True}), "its claim 'exp' is no time"),
        (compact(payload={**PAYLOAD, "nbf": -1}), "its claim 'nbf' is no time"),
        (compact(payload={**PAYLOAD, "exp": 1e300}), "its claim 'exp' is no time"),
    ],
)
def test_what_is_no_usable_token(token: str, told: str) -> None:
    with pytest.raises(CouldNotDecide, match=told) as caught:
        decode(token)
    assert caught.value.code == "verify.token_invalid"


def test_no_part_of_a_token_is_shown() -> None:
    secret = "s3cret" * 9
    for token in (f"{secret}.{secret}", f"{segment(HEADER)}.{segment(secret.encode())}.{secret}"):
        with pytest.raises(CouldNotDecide) as caught:
            decode(token)
        shown = "".join(traceback.format_exception(caught.value))
        assert secret not in shown
        assert segment(secret.encode()) not in shown


def test_a_repr_holds_no_claims_that_were_not_asked_for() -> None:
    assert "mona" not in repr(decode(github_oidc.Issuer().token()))


@given(
    st.text(alphabet=st.characters(codec="ascii"), max_size=200)
    | st.binary(max_size=99).map(segment).map(lambda one: f"{one}.{one}.x")
)
def test_any_text_is_one_error(text: str) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        decode(text)
    assert caught.value.code == "verify.token_invalid"


def test_it_reads_what_a_jwt_library_reads() -> None:
    token = github_oidc.Issuer().token(actor="ünï")
    assert dict(decode(token).values) == jwt.decode(token, options={"verify_signature": False})
