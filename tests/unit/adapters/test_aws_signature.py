"""Held against botocore's own signer, which is too slow to be imported by a gate."""

from __future__ import annotations

import datetime
from urllib.parse import quote

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from aegis.adapters.aws.signature import signed_headers, target
from aegis.core.ports.credentials import AwsCredentials

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


class Signer(auth.S3SigV4Auth):  # type: ignore[misc] # botocore has no types
    """At a fixed time."""

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


@given(
    st.lists(TEXT.filter(bool), min_size=1, max_size=4).map("/".join),
    st.dictionaries(TEXT.filter(bool), TEXT, max_size=4),
    st.sampled_from([None, "token//+="]),
    st.sampled_from([{}, {"Range": "bytes=5-9", "If-Match": '"abc-1"'}]),
)
def test_it_is_what_botocore_computes(
    key: str, query: dict[str, str], token: str | None, headers: dict[str, str]
) -> None:
    address = target(f"/bucket/{key}", query.items())
    ours = signed_headers(
        "GET",
        address,
        {"Host": "127.0.0.1:9000", **headers},
        AwsCredentials("AKIDEXAMPLE", "secret/+key", token),
        region="eu-central-1",
        now=NOW,
    )
    path = quote(f"/bucket/{key}", safe="/~")
    request = AWSRequest("GET", f"http://127.0.0.1:9000{path}", headers=headers, params=query)
    Signer(Credentials("AKIDEXAMPLE", "secret/+key", token), "s3", "eu-central-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["X-Amz-Date"] == request.headers["X-Amz-Date"]
    assert ours.get("X-Amz-Security-Token") == token


def test_a_target_is_encoded_once_and_its_query_is_sorted() -> None:
    assert target("/b/a b+c%20é~", [("prefix", "a/b c"), ("list-type", "2")]) == (
        "/b/a%20b%2Bc%2520%C3%A9~?list-type=2&prefix=a%2Fb%20c"
    )
    assert target("/b", [("versions", "")]) == "/b?versions="
