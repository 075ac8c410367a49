"""Whatever is sent: a token is valid, or TokenRefused is raised. And nothing is taken that two peers both refuse."""

from __future__ import annotations

import base64
import datetime
import json
from functools import cache
from typing import Any
from unittest import mock

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet as JoserfcKeySet

from aegis.identity.tokens import TokenRefused
from aegis.identity.tokens.text import base64url, json_object
from tests.doubles.oidc_issuer import SigningKey, b64, compact
from tests.support.tokens.attacks import AUDIENCE, CLIENT, ISSUER, attacks, world
from tests.support.tokens.judge import validator

KEYS: tuple[SigningKey, ...] = (world().rsa, world().ec, world().ed)


def taken(token: Any) -> bool:
    """Whether we take it; nothing but a refusal may be raised."""
    try:
        validator(world()).validate(token)
    except TokenRefused:
        return False
    return True


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "é.é.é", "\ud800.a.b", "e30.e30.", "\0" * 100, "." * 20_000, ".." + "A" * 16_000]
    + [world().token(world().ec) + tail for tail in ("\n", "\0", " ", "\r\n", "\u2028")],
    ids=range(16),
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert not taken(token)


@given(st.text())
def test_text(text: str) -> None:
    assert not taken(text)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=70))
def test_three_segments(header: bytes, payload: bytes, signature: bytes) -> None:
    assert not taken(".".join(map(b64, (header, payload, signature))))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([ISSUER, AUDIENCE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["RS256", "ES256", "EdDSA", "none", "HS256", "PS256"]) | VALUES,
        "kid": st.sampled_from([key.kid for key in KEYS]) | VALUES,
        "typ": st.sampled_from(["JWT", "jwt", "at+jwt"]) | VALUES,
        "crit": VALUES,
        "jwk": VALUES,
        "x5t": VALUES,
    },
)
NOW = world().now
TIMES = st.integers(NOW - 90, NOW + 90) | st.floats(NOW - 90.0, NOW + 90.0) | VALUES
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just(ISSUER) | VALUES,
        "sub": st.text(max_size=5) | VALUES,
        "aud": st.sampled_from([AUDIENCE, [AUDIENCE], [AUDIENCE, "x"]]) | VALUES,
        "azp": st.sampled_from([CLIENT, "x"]) | VALUES,
        "exp": TIMES,
        "iat": TIMES,
        "nbf": TIMES,
        "x": VALUES,
    },
)


@settings(max_examples=400)
@example(world().ed, {"alg": "EdDSA"}, {}, False, True)  # names no key, and only one fits
@given(st.sampled_from(KEYS), HEADERS, CLAIMS, st.booleans(), st.booleans())
def test_signed_tokens_of_any_content(
    key: SigningKey, header: dict[str, Any], claims: dict[str, Any], good_header: bool, good_claims: bool
) -> None:
    top = {**(world().header(key) if good_header else {}), **header}
    body = {**(world().claims() if good_claims else {}), **claims}
    try:
        token = compact(top, body, key)
    except (UnicodeEncodeError, ValueError):
        return
    if taken(token):
        assert by_pyjwt(token) or by_joserfc(token)


@settings(max_examples=400)
@given(
    st.sampled_from(KEYS),
    st.integers(0, 3000),
    st.binary(min_size=1, max_size=3),
    st.sampled_from(["cut", "put", "in"]),
)
def test_a_good_token_with_other_bytes(key: SigningKey, at: int, other: bytes, how: str) -> None:
    good = known_good(key.kid)
    place, text = at % len(good), other.decode("latin-1")
    changed = good[:place] + {"cut": "", "put": text, "in": text + good[place]}[how] + good[place + 1 :]
    if changed != good and taken(changed):
        # a signature of ECDSA can be written otherwise only as another pair of numbers
        raise AssertionError(f"taken with {how} at {place}: {changed[place : place + 3]!r}")


@cache
def known_good(kid: str) -> str:
    return world().token(next(key for key in KEYS if key.kid == kid))


@cache
def _joserfc_keys() -> JoserfcKeySet:
    return JoserfcKeySet.import_key_set({"keys": [key.jwk() for key in KEYS]})


def by_joserfc(token: str) -> bool:
    """Whether joserfc takes it, asked for what we ask for."""
    try:
        parsed = joserfc_jwt.decode(token, _joserfc_keys(), algorithms=[key.algorithm for key in KEYS])
        joserfc_jwt.JWTClaimsRegistry(
            now=NOW,
            leeway=30,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        ).validate(parsed.claims)
    except Exception:
        return False
    return True


class Then(datetime.datetime):
    """PyJWT's clock, which cannot be set, at the time of the tokens: a long run must not age them."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Then:
        return cls.fromtimestamp(NOW, tz)


@mock.patch("jwt.api_jwt.datetime", Then)
def by_pyjwt(token: str) -> bool:
    """Whether PyJWT takes it."""
    try:
        header = jwt.get_unverified_header(token)
        # as a client that looks keys up has it: a token that names none means the only one of its algorithm
        key = next(key for key in KEYS if (header.get("kid", key.kid), header["alg"]) == (key.kid, key.algorithm))
        jwt.decode(
            token,
            jwt.PyJWK(key.jwk()),
            algorithms=[key.algorithm],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=30,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
    except Exception:
        return False
    return True


def test_the_peers_take_what_is_good() -> None:
    """Or their refusals would say nothing."""
    for key in KEYS:
        token = known_good(key.kid)
        assert taken(token)
        assert by_pyjwt(token)
        assert by_joserfc(token)


REFUSED_ON_PURPOSE = {
    "duplicates": "RFC 8725 2.4 and RFC 7493 2.3: which of two values counts is the reader's choice",
    "parameters": "RFC 8725 3.10: what a header asks for is followed by nobody, so a header that asks is refused",
    "names": "RFC 7515 4.1.4, 4.1.9: kid and typ are text",
    "type": "RFC 8725 3.11: a token of one kind is not taken for another",
    "audience-alone": "OpenID Connect Core 3.1.3.7: other audiences only from a known client",
    "subject": "every entry of the audit log names somebody",
    "lifetime": "a token that lives for years cannot be taken back",
    "rsa-bits": "RFC 7518 3.3",
    "exponent": "FIPS 186-5 A.1.1",
    "use": "RFC 7517 4.2",
    "key-ops": "RFC 7517 4.3",
    "one-key": "RFC 7517 4.5",
    "private": "RFC 7517 9.2: a private key that is public is nobody's",
    "minimal": "RFC 7518 2",
    "long-integer": "RFC 7493 2.2",
    "long-float": "RFC 7493 2.2",
    "depth": "RFC 8259 9: a reader may limit the depth",
    "surrogates": "RFC 7493 2.1",
    "start": "a token from the future is a wrong clock",
    "constants": "RFC 8259 6",
    "finite": "RFC 8259 6",
    "padding": "RFC 7515 2",
    "alphabet": "RFC 7515 2",
    "strict": "RFC 7515 2",
    "tail": "RFC 4648 3.5",
    "time-form": "RFC 7519 2: a NumericDate is a number",
    "time-bool": "RFC 7519 2: a NumericDate is a number",
    "utf-8": "RFC 7519 7.2: claims are UTF-8",
    "control": "RFC 8259 7",
    "bom": "RFC 8259 8.1",
    "size": "a header of a request has a bound",
}
"""Guards of ours beyond which a peer takes a token that the issuer did sign, and why we do not."""


def test_what_a_peer_takes_and_we_refuse_is_refused_on_purpose() -> None:
    unlisted = {
        attack.guard
        for attack in attacks(world())
        if isinstance(attack.token, str) and (by_pyjwt(attack.token) or by_joserfc(attack.token))
    } - set(REFUSED_ON_PURPOSE)
    assert unlisted == set()


@given(st.binary(max_size=40))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = base64.urlsafe_b64encode(data).rstrip(b"=")
    assert base64url(text) == data


@given(st.text(alphabet="AQgwBx-_+/= \n", max_size=12).map(str.encode))
def test_no_two_texts_stand_for_the_same_bytes(text: bytes) -> None:
    try:
        data = base64url(text)
    except ValueError:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=") == text


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_is_read_as_the_standard_library_reads_it(value: dict[str, Any]) -> None:
    try:
        data = json.dumps(value).encode()
        parsed = json_object(data)
    except ValueError:
        return
    assert json.loads(json.dumps(_thawed(parsed))) == json.loads(data)


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_thawed(item) for item in value]
    return {name: _thawed(item) for name, item in value.items()} if hasattr(value, "items") else value
