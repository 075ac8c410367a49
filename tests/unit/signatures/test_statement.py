from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.statement import MAX_BYTES, PAYLOAD_TYPE, parse_statement
from aegis.signatures.types import Envelope
from tests.support.signing.models import envelope

V1 = "https://in-toto.io/Statement/v1"


def valid(**changed: Any) -> dict[str, Any]:
    return {
        "_type": V1,
        "subject": [{"name": "a.bin", "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://example.com/p/v1",
        "predicate": {"x": 1},
        **changed,
    }


def refusal(value: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        parse_statement(envelope(value))
    return refused.value


def test_everything_in_it_is_read() -> None:
    payload = json.dumps(valid()).encode()
    read = parse_statement(envelope(payload))
    assert read.subjects[0].name == "a.bin"
    assert read.subjects[0].digest == {"sha256": "ab" * 32}
    assert (read.predicate_type, read.predicate, read.version) == ("https://example.com/p/v1", {"x": 1}, "v1")
    assert read.sha256 == hashlib.sha256(payload).hexdigest()


def test_the_version_that_cosign_writes_is_read_and_told_apart() -> None:
    assert parse_statement(envelope(valid(_type="https://in-toto.io/Statement/v0.1"))).version == "v0.1"


def test_unknown_fields_are_ignored_and_an_unset_predicate_is_empty() -> None:
    value = valid(extra=1)
    value["subject"][0]["annotations"] = {"a": "b"}
    del value["subject"][0]["name"]
    del value["predicate"]
    read = parse_statement(envelope(value))
    assert (read.subjects[0].name, read.predicate) == ("", {})


def test_several_digests_of_several_subjects() -> None:
    digests = {"sha512": "cd" * 64, "gitCommit": "ef" * 20}
    read = parse_statement(envelope(valid(subject=[{"digest": {"sha256": "ab" * 32}}, {"digest": digests}])))
    assert [subject.digest for subject in read.subjects] == [{"sha256": "ab" * 32}, digests]


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json", f"{PAYLOAD_TYPE} ", PAYLOAD_TYPE.upper()])
def test_another_payload_type_is_refused(kind: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_statement(Envelope(kind, json.dumps(valid()).encode(), b""))
    assert refused.value.code == "verify.wrong_payload_type"


@pytest.mark.parametrize(
    "changed",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"_type": "https://in-toto.io/Statement/v1 "},
        {"_type": None},
        {"_type": ["https://in-toto.io/Statement/v1"]},
        {"subject": []},
        {"subject": {}},
        {"subject": None},
        {"subject": ["a"]},
        {"subject": [{"name": "a"}]},
        {"subject": [{"name": "a", "digest": {}}]},
        {"subject": [{"name": "a", "digest": []}]},
        {"subject": [{"name": 1, "digest": {"sha256": "ab" * 32}}]},
        {"subject": [{"name": None, "digest": {"sha256": "ab" * 32}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "AB" * 32}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "ab" * 31}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "ab" * 32 + "\n"}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "zz" * 32}}]},
        {"subject": [{"name": "a", "digest": {"sha256": 1}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "ab" * 32, "sha512": "ab"}}]},
        {"subject": [{"name": "a", "digest": {"other": ""}}]},
        {"subject": [{"name": "a", "digest": {"other": "abc"}}]},
        {"subject": [{"digest": {"sha256": "ab" * 32}}] * 4097},
        {"predicateType": ""},
        {"predicateType": 1},
        {"predicateType": None},
        {"predicate": None},
        {"predicate": []},
        {"predicate": "x"},
    ],
)
def test_what_is_no_statement_is_refused(changed: dict[str, Any]) -> None:
    assert refusal(valid(**changed)).code == "verify.statement_malformed"


@pytest.mark.parametrize(
    ("value", "says"),
    [("x\ny", r"'x\\ny'"), ({}, "an object"), ([], "a list"), (None, "missing"), (1.5, "1\\.5"), (True, "True")],
)
def test_a_refusal_says_what_stood_there(value: Any, says: str) -> None:
    with pytest.raises(Refused, match=rf"its _type is {says}\n"):
        parse_statement(envelope(valid(_type=value)))


@pytest.mark.parametrize("key", ["_type", "subject", "predicateType"])
def test_each_field_is_needed(key: str) -> None:
    value = valid()
    del value[key]
    assert refusal(value).code == "verify.statement_malformed"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{",
        json.dumps(valid()).encode() + b"x",
        b"\xef\xbb\xbf" + json.dumps(valid()).encode(),
        json.dumps(valid()).encode()[:-1] + b', "predicateType": "https://example.com/other"}',
        b'{"predicate": ' + b"[" * 100 + b"]" * 100 + b"}",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(payload: bytes) -> None:
    assert refusal(payload).code == "verify.statement_malformed"


def test_a_gigantic_statement_is_refused_unread() -> None:
    assert refusal(b"[" * (MAX_BYTES + 1)).code == "verify.bundle_too_large"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(V1),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_type", "subject", "predicateType", "predicate", "digest", "name", "sha256"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_nothing_but_refusals_comes_out(value: Any) -> None:
    with contextlib.suppress(Refused):
        parse_statement(envelope(value))


@given(st.data())
def test_a_spoiled_statement_gives_nothing_but_refusals(data: st.DataObject) -> None:
    value = valid()
    value[data.draw(st.sampled_from(sorted(value)))] = data.draw(JSON)
    with contextlib.suppress(Refused):
        parse_statement(envelope(value))
