"""Every attack is refused for its own reason, and for no other than its guard's sake."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from aegis.identity.tokens import TokenRefused
from tests.doubles.oidc_issuer import SigningKey
from tests.support.tokens.attacks import AUDIENCE, CLIENT, OTHER, REMOVED, TYPED, Attack, attacks, world
from tests.support.tokens.guards import GUARDS, without
from tests.support.tokens.judge import validator

ATTACKS = {attack.id: attack for attack in attacks(world())}


def outcome(token: Any, guard: str | None) -> str:
    """What happens to a token: its subject, the reason of its refusal, or the name of what escaped."""
    try:
        return f"accepted {validator(world(), package=without(guard)).validate(token).subject}"
    except Exception as error:
        return str(getattr(error, "code", type(error).__name__))


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_for_its_reason(attack: Attack) -> None:
    assert outcome(attack.token, None) == f"token.{attack.code}"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_ends_otherwise_without_its_guard(attack: Attack) -> None:
    assert outcome(attack.token, attack.guard) != f"token.{attack.code}"


def test_each_guard_has_an_attack_and_each_attack_its_own_name() -> None:
    assert {attack.guard for attack in ATTACKS.values()} == set(GUARDS)
    assert max(Counter(attack.id for attack in attacks(world())).values()) == 1
    assert len(ATTACKS) >= 120


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_refusal_does_not_repeat_the_token(attack: Attack) -> None:
    with pytest.raises(TokenRefused) as caught:
        validator(world()).validate(attack.token)
    said = f"{caught.value} {caught.value!r}"
    assert len(said) < 600
    if isinstance(attack.token, str) and attack.token:
        assert not [part for part in attack.token.split(".") if len(part) > 8 and part in said]
    assert "evil" not in said
    assert "root" not in said


def good_keys() -> dict[str, SigningKey]:
    w = world()
    algorithms = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    free = {name: replace(w.free, algorithm=name) for name in algorithms}
    return {**free, "RS256-alg": w.rsa, "ES256": w.ec, "ES384": w.p384, "ES512": w.p521, "EdDSA": w.ed}


@pytest.mark.parametrize("name", good_keys())
def test_a_good_token_of_each_algorithm_is_taken(name: str) -> None:
    assert validator(world()).validate(world().token(good_keys()[name])).subject == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, AUDIENCE]},
        {"aud": [AUDIENCE, OTHER], "azp": CLIENT},
        {"nbf": REMOVED},
        {"iat": world().now - 100, "exp": world().now - 29},
        {"iat": world().now - 100, "exp": world().now - 29.5},
        {"iat": world().now + 30},
        {"nbf": world().now + 30},
        {"iat": world().now - 10, "exp": world().now - 10 + 24 * 3600},
        {"sub": "ä" * 1024},
        {"deep": {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}},
        {"number": 1.5e300, "large": 10**31, "negative": -(2**63)},
        {"text": "\U0001f600 \u0000"},
    ],
    ids=lambda changes: "-".join(changes) + str(len(str(changes))),
)
def test_what_is_unusual_and_right_is_taken(changes: dict[str, Any]) -> None:
    assert validator(world()).validate(world().token(**changes)).subject in {"ada", "ä" * 1024}


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", REMOVED], ids=["JWT", "jwt", "application", "absent"])
def test_the_type_is_a_media_type(typ: object) -> None:
    assert validator(world()).validate(world().token(header={"typ": typ})).subject == "ada"


def test_a_rule_may_ask_for_another_type_and_for_claims() -> None:
    w = world()
    token = w.token(w.typed, {"typ": "at+jwt"}, iss=TYPED, hd="example.com")
    assert validator(w).validate(token).issuer == TYPED


def test_a_token_without_kid_is_taken_where_one_key_fits() -> None:
    w = world()
    token = w.token(w.ed, {"kid": REMOVED})
    assert validator(w, w.good).validate(token).subject == "ada"


def test_claims_cannot_be_changed() -> None:
    valid = validator(world()).validate(world().token(act={"groups": ["a"]}))
    with pytest.raises(TypeError):
        valid.claims["sub"] = "root"
    with pytest.raises(TypeError):
        valid.claims["act"]["groups"] = ()
    assert valid.claims["act"]["groups"] == ("a",)


def test_claims_do_not_stand_in_the_text_of_a_valid_token() -> None:
    assert "hunter2" not in repr(validator(world()).validate(world().token(password="hunter2")))


def test_white_space_around_the_json_is_json() -> None:
    w = world()
    assert validator(w).validate(w.raw(payload=b" \n" + json.dumps(w.claims()).encode() + b"\t")).subject == "ada"
