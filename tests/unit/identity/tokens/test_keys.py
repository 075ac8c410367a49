"""Which keys of a set are used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.identity.tokens.keys import MAX_KEYS, MAX_SET, key_set, parse_key, parse_keys
from tests.doubles.oidc_issuer import b64, new_key

RSA, EC, ED = (new_key(name, alg).jwk() for name, alg in (("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")))
P521 = new_key("p521", "ES512").jwk()


def test_good_keys_and_their_algorithms() -> None:
    keys = key_set([RSA, EC, ED, P521, {**RSA, "alg": "PS512", "kid": "pss"}, new_key("free").jwk(alg=None)]).keys
    assert [set(key.algorithms) for key in keys[:5]] == [{"RS256"}, {"ES256"}, {"EdDSA"}, {"ES512"}, {"PS512"}]
    assert keys[5].algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("text", "no JSON object"),
        ({}, "type or curve"),
        ({**EC, "kty": "AKP"}, "type or curve"),
        ({**EC, "kty": ["EC"]}, "type or curve"),
        ({**EC, "crv": "secp256k1"}, "type or curve"),
        ({**EC, "crv": {}}, "type or curve"),
        ({**ED, "crv": "Ed448"}, "type or curve"),
        ({**ED, "crv": "X25519"}, "type or curve"),
        ({"kty": "oct", "k": "AAAA"}, "private"),
        ({**RSA, "d": "AQ"}, "private"),
        ({**RSA, "oth": []}, "private"),
        ({**EC, "kid": ""}, "kid"),
        ({**EC, "kid": 5}, "kid"),
        ({**EC, "kid": None}, "kid"),
        ({**EC, "kid": "k" * 257}, "kid"),
        ({**EC, "use": "enc"}, "use"),
        ({**EC, "use": None}, "use"),
        ({**EC, "use": ["sig"]}, "use"),
        ({**EC, "key_ops": []}, "key_ops"),
        ({**EC, "key_ops": ["sign"]}, "key_ops"),
        ({**EC, "key_ops": "verify"}, "key_ops"),
        ({**EC, "alg": "ES384"}, "alg"),
        ({**EC, "alg": "RS256"}, "alg"),
        ({**EC, "alg": "HS256"}, "alg"),
        ({**EC, "alg": None}, "alg"),
        ({**EC, "alg": ["ES256"]}, "alg"),
        ({**RSA, "n": RSA["n"] + "="}, "base64url"),
        ({**RSA, "n": "é"}, "no text in 'n'"),
        ({**RSA, "n": 5}, "no text in 'n'"),
        ({**RSA, "n": ""}, "empty or begins with a zero"),
        ({**RSA, "n": "AA" + RSA["n"][2:]}, "begins with a zero"),
        ({**RSA, "n": b64((1 << 2046).to_bytes(256, "big"))}, "RSA of"),
        ({**RSA, "n": b64(((1 << 2046) + 1).to_bytes(256, "big"))}, "RSA of 2047"),
        ({**RSA, "n": b64(((1 << 8193) + 1).to_bytes(1025, "big"))}, "RSA of 8194"),
        ({**RSA, "e": "AQ"}, "exponent"),
        ({**RSA, "e": "Aw"}, "exponent"),
        ({**RSA, "e": "AQAA"}, "exponent"),
        ({**RSA, "e": b64(((1 << 32) + 1).to_bytes(5, "big"))}, "exponent"),
        ({**EC, "x": EC["y"], "y": EC["x"]}, "not on its curve"),
        ({**EC, "x": b64(bytes(32)), "y": b64(bytes(32))}, "not on its curve"),
        ({**EC, "x": b64(bytes(31))}, "31 bytes in 'x'"),
        ({**EC, "y": EC["y"] + "AA"}, "bytes in 'y'|base64url"),
        ({**EC, "crv": "P-384"}, "32 bytes in 'x'"),
        ({**EC, "y": None}, "no text in 'y'"),
        ({**P521, "x": b64(b"\xff" * 66)}, "not on its curve"),
        ({**ED, "x": b64(bytes(32))}, "small order"),
        ({**ED, "x": b64(b"\xff" * 32)}, "only encoding|not on the curve"),
        ({**ED, "x": b64(bytes(31))}, "31 bytes"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_out_and_its_neighbours_stay(key: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_key(key)
    keys = key_set([RSA, key, EC])
    assert [each.kid for each in keys.keys] == ["rsa", "ec"]
    assert len(keys.left_out) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no array"),
        (b'{"keys": null}', "no array"),
        (b'{"keys": {"a": 1}}', "no array"),
        (b'{"keys": [], "keys": []}', "twice"),
        (b'{"keys": [{"kty": "RSA", "kty": "EC"}]}', "twice"),
        (b'{"keys": [NaN]}', "NaN"),
        (b'{"keys": [' + b"[" * 9 + b"]" * 9 + b"]}", "nested"),
        (b'{"keys": ' + b"[" * 20_000, "nested|JSON"),
        (b"\xff", "UTF-8"),
        (b'{"keys": [' + b" " * MAX_SET + b"]}", "more than"),
    ],
    ids=range(12),
)
def test_what_is_no_set_is_refused_whole(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_keys(data)


def test_the_number_of_keys_has_a_bound() -> None:
    entries = [{**EC, "kid": str(number)} for number in range(MAX_KEYS + 1)]
    assert len(parse_keys(json.dumps({"keys": entries[:-1]}).encode()).keys) == MAX_KEYS
    with pytest.raises(ValueError, match="65 keys"):
        parse_keys(json.dumps({"keys": entries}).encode())


def test_a_key_that_stands_twice_is_one_key() -> None:
    assert len(key_set([EC, EC]).keys) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted({*RSA, *EC, *ED})), inner),
        max_leaves=8,
    )
)
def test_only_value_errors_escape(entry: Any) -> None:
    assert len(key_set([entry, {**EC, **entry} if isinstance(entry, dict) else entry]).left_out) <= 2
