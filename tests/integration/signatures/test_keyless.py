"""Keyless signatures of every kind, and attacks on them: each is refused for its own reason, and nothing else is."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter

import pytest

from aegis.core.errors import Refused, UsageError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.signature import verify_keyless
from aegis.signatures.types import IdentitySigner, SignedBy, Trust
from aegis.signatures.verify import needed_digests, verify_envelopes, verify_message
from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore
from tests.support.keyless.all_cases import CASES
from tests.support.keyless.case import CONTENT, Case, Made, signature_of, verdict
from tests.support.keyless.valid import VALID

ATTACKS = [case for case in CASES if case.code is not None]


def _by_name(name: str) -> Made:
    return next(case for case in CASES if case.name == name).make()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    assert verdict(case.make()) == case.code


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_by_way_of_the_policys_signers(case: Case) -> None:
    """As the gate asks: with whatever hashes the bundle calls for."""
    made = case.make()
    trust = Trust(signers=(made.signer,), trusted_root=made.sigstore.trusted_root(), now=AT)
    code = None
    try:
        bundle = parse_bundle(made.data, name="x")
        if made.content is None:
            verify_envelopes([bundle], trust)
        else:
            digests = {name: hashlib.new(name, made.content).digest() for name in needed_digests([bundle], trust)}
            verify_message([bundle], digests, trust)
    except Refused as error:
        code = error.code
    assert code == case.code


def test_names_are_used_once() -> None:
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_answer_names_who_signed_when_and_where() -> None:
    own = PrivateSigstore()
    signed = Made(own.sign_file(CONTENT), own).judge()
    assert (signed.method, signed.identity, signed.issuer) == ("keyless", IDENTITY, ISSUER)
    assert signed.signed_at == "2025-06-01T12:00:00Z"
    assert signed.log == f"{own.log.key_id.hex()}:5"
    assert signed.format == "sigstore-bundle-v0.3"
    assert len(signed.key) == 64
    assert signed.notices == ()


@pytest.mark.parametrize("name", ["version_01_with_promise_only", "cosign_bundle_of_old"])
def test_promise_without_proof_is_told(name: str) -> None:
    assert any("only promised" in notice for notice in _by_name(name).judge().notices)


def test_the_earliest_of_all_proven_times_counts() -> None:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT, at=AT + datetime.timedelta(minutes=5))
    made = Made(own.stamp(bundle, own.timestamps.stamp(signature_of(bundle), AT + datetime.timedelta(minutes=3))), own)
    assert made.judge().signed_at == "2025-06-01T12:03:00Z"


def test_no_clock_is_read() -> None:
    """`Trust.now` may be any time: what counts is when the signature was made."""
    own = PrivateSigstore()
    made = Made(own.sign_file(CONTENT), own)
    for days in (-9000, 90000):
        signed = _judge(made, root=own.trusted_root(), now=AT + datetime.timedelta(days=days))
        assert signed.signed_at == "2025-06-01T12:00:00Z"


def test_packaged_root_knows_no_stranger() -> None:
    own = PrivateSigstore()
    made = Made(own.sign_file(CONTENT), own)
    with pytest.raises(Refused) as refusal:
        _judge(made, root=None)
    assert refusal.value.code == "verify.unknown_trust_key"


def test_broken_root_is_a_usage_error() -> None:
    own = PrivateSigstore()
    with pytest.raises(UsageError) as error:
        _judge(Made(own.sign_file(CONTENT), own), root=b"{}")
    assert error.value.code == "verify.trusted_root_invalid"


@pytest.mark.parametrize(
    "signer",
    [
        IdentitySigner(issuer=ISSUER),
        IdentitySigner(identity=IDENTITY, issuer=""),
        IdentitySigner(identity="", pattern="", issuer=ISSUER),
        IdentitySigner(identity=IDENTITY, pattern="^.*$", issuer=ISSUER),
    ],
)
def test_signer_who_is_nobody_is_a_usage_error(signer: IdentitySigner) -> None:
    own = PrivateSigstore()
    with pytest.raises(UsageError) as error:
        Made(own.sign_file(CONTENT), own, signer).judge()
    assert error.value.code == "verify.policy_incomplete"


def test_pattern_that_leaves_the_host_open_fits_nobody() -> None:
    own = PrivateSigstore()
    assert verdict(Made(own.sign_file(CONTENT), own, IdentitySigner(pattern="^.*$", issuer=ISSUER))) == (
        "verify.wrong_identity"
    )


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.name)
def test_refusals_are_in_one_line_and_say_what_to_do(case: Case) -> None:
    with pytest.raises(Refused) as refusal:
        case.make().judge()
    error = refusal.value
    assert error.problem
    assert error.expected
    assert error.remedy
    assert all("\n" not in text and text.isprintable() for text in (error.problem, error.expected, error.remedy))


def test_there_are_both_kinds_of_cases() -> None:
    assert len(VALID) >= 25
    assert len(ATTACKS) >= 90


def _judge(made: Made, *, root: bytes | None, now: datetime.datetime = AT) -> SignedBy:
    trust = Trust(signers=(made.signer,), trusted_root=root, now=now)
    bundle = parse_bundle(made.data, name="x")
    return verify_keyless(bundle, made.signer, trust, digest=hashlib.sha256(CONTENT).digest())
