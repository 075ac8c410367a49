"""A token that was valid is known again: for as long as it and its issuer's keys are good, and no longer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from aegis.identity.tokens import IssuerRule, JwksClient, KeysAt, KeySet, TokenRefused, Validator, key_set
from aegis.identity.tokens import keys as keys_module
from tests.support.tokens.attacks import AUDIENCE, ISSUER, attacks, world
from tests.support.tokens.judge import FixedKeys, validator
from tests.unit.identity.tokens.test_jwks import Network, unavailable


@dataclass
class Counted:
    """Counts how often a signature was checked."""

    signatures: int = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    count = Counted()
    holds = keys_module.VerifyingKey.holds

    def counting(self: keys_module.VerifyingKey, algorithm: str, signature: bytes, signed: bytes) -> bool:
        count.signatures += 1
        return holds(self, algorithm, signature, signed)

    monkeypatch.setattr(keys_module.VerifyingKey, "holds", counting)
    return count


@dataclass
class Deployment:
    """A validator with clocks of its own and an issuer."""

    network: Network = field(default_factory=lambda: Network(keys=(world().ec.jwk(), world().rsa.jwk())))
    at: float = float(world().now)

    def __post_init__(self) -> None:
        self.network.discovery = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        rule = IssuerRule(issuer=ISSUER, audiences=frozenset({AUDIENCE}))
        source = JwksClient(KeysAt(ISSUER), self.network.fetch, now=lambda: self.network.now)
        self.validator = Validator([(rule, source)], now=lambda: self.at, remembered=4)

    def code(self, token: str) -> str:
        try:
            self.validator.validate(token)
        except TokenRefused as error:
            return error.code
        return "valid"


def test_a_signature_is_checked_once(counted: Counted) -> None:
    judge, token = validator(world(), remembered=4), world().token(world().ec)
    assert len({id(judge.validate(token)) for _ in range(10)}) == 1
    assert counted.signatures == 1


def test_a_validator_without_memory_checks_each_time(counted: Counted) -> None:
    judge, token = validator(world()), world().token(world().ec)
    for _ in range(3):
        judge.validate(token)
    assert counted.signatures == 3


def test_a_remembered_token_expires() -> None:
    here = Deployment()
    token = world().token(world().ec)
    assert here.code(token) == "valid"
    here.at += 329
    assert here.code(token) == "valid"
    here.at += 1
    assert here.code(token) == "token.expired"


def test_a_remembered_token_is_not_valid_before_its_time() -> None:
    here = Deployment()
    token = world().token(world().ec)
    assert here.code(token) == "valid"
    here.at -= 41
    assert here.code(token) == "token.not_yet_valid"


def test_a_revoked_key_ends_its_remembered_tokens_with_the_set(counted: Counted) -> None:
    here = Deployment()
    long = world().token(world().ec, exp=world().now + 80_000)
    assert here.code(long) == "valid"
    here.network.keys = (world().rsa.jwk(),)
    here.network.now += 599 - 120  # the last fifth of the time begins
    assert here.code(long) == "valid"
    here.network.now += 121
    assert here.code(long) == "token.key_unknown"


def test_a_key_that_stays_is_checked_again_after_a_fetch(counted: Counted) -> None:
    here = Deployment()
    long = world().token(world().ec, exp=world().now + 80_000)
    for _ in range(3):
        assert here.code(long) == "valid"
    here.network.now += 600
    for _ in range(3):
        assert here.code(long) == "valid"
    assert counted.signatures == 2


def test_another_key_by_the_same_name_ends_its_remembered_tokens() -> None:
    here = Deployment()
    token = world().token(world().ec, exp=world().now + 80_000)
    assert here.code(token) == "valid"
    here.network.keys = ({**world().twins[0].jwk(), "kid": "ec-1"},)
    here.network.now += 600
    assert here.code(token) == "token.wrong_signature"


def test_remembered_tokens_end_when_the_keys_are_too_old() -> None:
    here = Deployment()
    token = world().token(world().ec, exp=world().now + 80_000)
    assert here.code(token) == "valid"
    here.network.down = unavailable()
    here.network.now += 24 * 3600 - 1
    assert here.code(token) == "valid"
    here.network.now += 1
    assert here.code(token) == "token.keys_unavailable"


def test_the_memory_is_bounded_and_keeps_what_was_used_last(counted: Counted) -> None:
    judge = validator(world(), remembered=3)
    first, *others = [world().token(world().ec, jti=str(number)) for number in range(5)]
    for token in others:
        judge.validate(first)
        judge.validate(token)
    judge.validate(first)
    assert counted.signatures == 5
    assert len(judge._known) == 3


def test_what_is_refused_is_not_remembered_and_no_token_stands_in_memory() -> None:
    judge = validator(world(), remembered=1000)
    for attack in attacks(world()):
        with pytest.raises(TokenRefused):
            judge.validate(attack.token)
    assert len(judge._known) == 0
    judge.validate(world().token(world().ec))
    assert [len(key) for key in judge._known] == [32]


def test_one_more_character_is_another_token() -> None:
    judge, token = validator(world(), remembered=4), world().token(world().ec)
    judge.validate(token)
    for other in (token + "=", token + "\n", token[:-1], token.swapcase(), " " + token):
        with pytest.raises(TokenRefused):
            judge.validate(other)


def test_many_threads_judge_alike() -> None:
    judge = validator(world(), remembered=3)
    good = [world().token(world().ec, jti=str(number)) for number in range(8)]
    bad = [attack.token for attack in attacks(world()) if attack.guard == "signature"][:8]

    def ask(number: int) -> bool:
        token = (good + bad)[number % 16]
        try:
            return bool(judge.validate(token)) == (token in good)
        except TokenRefused:
            return token in bad

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(800)))


def test_each_issuer_has_one_rule() -> None:
    rule = IssuerRule(issuer=ISSUER, audiences=frozenset({AUDIENCE}))
    with pytest.raises(ValueError, match="one rule"):
        Validator([(rule, FixedKeys(KeySet(()))), (rule, FixedKeys(key_set([])))])


@pytest.mark.parametrize(
    "changes",
    [
        {"audiences": frozenset()},
        {"audiences": frozenset({""})},
        {"issuer": ""},
        {"authorized_parties": frozenset({""})},
        {"leeway": 61},
        {"leeway": -1},
        {"max_lifetime": 0},
    ],
    ids=range(7),
)
def test_a_rule_that_takes_too_much_is_a_mistake(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a rule"):
        IssuerRule(**{"issuer": ISSUER, "audiences": frozenset({AUDIENCE}), **changes})  # type: ignore[arg-type]
