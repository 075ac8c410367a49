"""Project Wycheproof's vectors of JSON Web Signatures and keys (C2SP/wycheproof, fetched by hash).

Judged below claims, since their payloads are none: form, header, key and signature.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from aegis.identity.tokens import TokenRefused
from aegis.identity.tokens.compact import read_header
from aegis.identity.tokens.keys import key_set
from aegis.identity.tokens.text import base64url
from tests.support.programs.gomod import module

MODULE = "github.com/c2sp/wycheproof@v0.0.0-20260105152342-fca0d3ba9f12"
SHARED_SECRET = "HMAC: RFC 8725 3.2, a verifier that has the signer's secret could have signed"
OTHER_ALGORITHM = "the vector's key has another alg than its signature: RFC 7517 4.4, RFC 8725 3.1"
REFUSED_BY_US = {
    **dict.fromkeys(("hs256", "base64", "HS256", "HS384", "HS512", "jws_keyset", "rfc7520:Figure35"), SHARED_SECRET),
    **dict.fromkeys(("rfc7520:Figure20", "rfc7520:Figure27"), OTHER_ALGORITHM),
    **dict.fromkeys(("rfc7520WithKeyOps:Figure20", "rfc7520WithKeyOps:Figure27"), OTHER_ALGORITHM),
}
"""Groups, or tests of groups, that are valid there and refused here, with the reason."""


@cache
def vectors(name: str) -> list[tuple[str, str, Sequence[Any], Any, bool]]:
    """Group, test, keys, signature, and whether it is valid."""
    document = json.loads((module(MODULE) / "testvectors_v1" / name).read_text(encoding="utf-8"))
    return [
        (group["comment"], test["comment"], _entries(group), test["jws"], test["result"] == "valid")
        for group in document["testGroups"]
        for test in group["tests"]
    ]


def _entries(group: dict[str, Any]) -> Sequence[Any]:
    keys = group.get("public", group["private"])
    entries: Sequence[Any] = keys.get("keys", [keys])
    return entries


def takes(jws: Any, entries: Sequence[Any]) -> bool:
    if not isinstance(jws, str):
        return False  # the JSON serialization
    segments = jws.encode().split(b".")
    if len(segments) != 3:
        return False
    try:
        header = read_header(segments[0])
        base64url(segments[1])
        signature = base64url(segments[2])
        key = key_set(entries).find(header)
    except (TokenRefused, ValueError):
        return False
    return key.holds(header.algorithm, signature, jws.encode().rpartition(b".")[0])


@pytest.mark.parametrize(("name", "count"), [("json_web_signature_test.json", 401), ("json_web_key_test.json", 26)])
def test_nothing_is_taken_that_is_invalid_and_nothing_refused_without_a_reason(name: str, count: int) -> None:
    found = vectors(name)
    assert len(found) == count
    wrong = {
        f"{group}:{test}": "taken" if not valid else "refused"
        for group, test, entries, jws, valid in found
        if takes(jws, entries) != valid and not (valid and {group, f"{group}:{test}"} & set(REFUSED_BY_US))
    }
    assert wrong == {}


def test_enough_of_it_is_taken() -> None:
    """Or refusing everything would pass."""
    taken = [group for group, _, entries, jws, _ in vectors("json_web_signature_test.json") if takes(jws, entries)]
    assert len(taken) > 30
    assert {"es256", "rs256", "rs384", "rs512", "ps256", "ps384", "ps512", "rfc7520", "SpecialCaseEs256"} <= set(taken)


def test_each_exception_is_needed() -> None:
    needed = {
        name
        for file in ("json_web_signature_test.json", "json_web_key_test.json")
        for group, test, entries, jws, valid in vectors(file)
        if valid and not takes(jws, entries)
        for name in (group, f"{group}:{test}")
    }
    assert set(REFUSED_BY_US) <= needed
