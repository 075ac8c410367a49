from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from aegis.core.errors import Refused, UsageError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys.public import key_of_spki
from aegis.signatures.types import (
    Bundle,
    CertificateSigner,
    Envelope,
    IdentitySigner,
    KeySigner,
    Signer,
    Trust,
    Verified,
)
from aegis.signatures.verify import needed_digests, needs_content, verify_envelopes, verify_message
from tests.support.signing import signing

ALICE, BOB, CAROL = (signing.private("ecdsa-p256", number) for number in range(3))
DIGESTS = signing.digests(signing.CONTENT)
IDENTITY = IdentitySigner(identity="a@example.com", issuer="https://issuer.example")
OTHER = b"other weights\n"
DAY = datetime.timedelta(days=1)


def _signer(key: signing.Private, name: str = "k", **window: Any) -> KeySigner:
    return KeySigner(name, key_of_spki(signing.spki(key)), **window)


def _trust(*signers: Signer, threshold: int = 1) -> Trust:
    return Trust(signers=signers, threshold=threshold, now=signing.NOW)


def _bundle(document: dict[str, Any] | bytes) -> Bundle:
    return parse_bundle(document if isinstance(document, bytes) else signing.dump(document), name="b")


def _message(key: signing.Private, content: bytes = signing.CONTENT) -> Bundle:
    return _bundle(signing.message_bundle(key, content))


def _bare(key: signing.Private, algorithm: hashes.HashAlgorithm | None = None) -> Bundle:
    return _bundle(signing.text64(signing.sign(key, signing.CONTENT, algorithm)).encode())


def _verify(bundles: Sequence[Bundle], trust: Trust, content: bytes = signing.CONTENT) -> Verified:
    return verify_message(bundles, signing.digests(content), trust, content)


def _refuse(code: str, bundles: Sequence[Bundle], trust: Trust, content: bytes = signing.CONTENT) -> Refused:
    with pytest.raises(Refused) as error:
        _verify(bundles, trust, content)
    assert error.value.code == code
    assert error.value.problem.isprintable()
    return error.value


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", signing.KINDS)
@pytest.mark.parametrize("form", ["bundle", "bundle without digest", ".sig", ".bundle"])
def test_every_key_in_every_format(kind: str, form: str) -> None:
    key = signing.private(kind)
    document = signing.message_bundle(key)
    signature = document["messageSignature"]["signature"]
    if form == "bundle without digest":
        document["messageSignature"]["messageDigest"] = {}
    found = _bundle({".sig": signature.encode(), ".bundle": {"base64Signature": signature}}.get(form, document))
    trust = _trust(_signer(key, "release"))
    digests = {name: DIGESTS[name] for name in needed_digests([found], trust)}
    content = signing.CONTENT if needs_content([found], trust) else None
    (signed,) = verify_message([found], digests, trust, content).signed_by
    assert (signed.signer, signed.method, signed.format) == ("release", "key", found.format)
    assert (signed.identity, signed.issuer, signed.signed_at, signed.log) == (None, None, None, None)
    assert signed.key == key_of_spki(signing.spki(key)).fingerprint
    assert any("proves no time" in notice for notice in signed.notices) == form.startswith(".")


@pytest.mark.parametrize("kind", signing.KINDS)
@pytest.mark.parametrize("change", [b"x", b"\0"])
def test_another_artifact_is_refused(kind: str, change: bytes) -> None:
    key = signing.private(kind)
    for content in (signing.CONTENT + change, signing.CONTENT[:-1], b""):
        _refuse("verify.wrong_signature", [_message(key)], _trust(_signer(key)), content)
        _refuse("verify.wrong_signature", [_bare(key)], _trust(_signer(key)), content)


def test_the_digest_in_a_bundle_is_only_a_hint_that_must_agree() -> None:
    trust = _trust(_signer(ALICE))
    document = signing.message_bundle(ALICE)
    document["messageSignature"]["messageDigest"]["digest"] = signing.text64(signing.digests(OTHER)["sha256"])
    # It names the other file, and the signature is over this one: whichever is checked, one of both is wrong.
    for content in (OTHER, signing.CONTENT):
        _refuse("verify.wrong_signature", [_bundle(document)], trust, content)


def test_a_label_for_another_hash_is_refused_though_its_digest_is_right() -> None:
    document = signing.message_bundle(ALICE)
    digest = {"algorithm": "SHA2_384", "digest": signing.text64(DIGESTS["sha384"])}
    document["messageSignature"]["messageDigest"] = digest
    assert needed_digests([_bundle(document)], _trust(_signer(ALICE))) == {"sha256", "sha384"}
    assert "label" in _refuse("verify.wrong_signature", [_bundle(document)], _trust(_signer(ALICE))).problem


def test_needed_digests() -> None:
    p384 = _signer(signing.private("ecdsa-p384"))
    bundle, bare = _message(ALICE), _bare(ALICE)
    assert needed_digests([bundle], _trust(_signer(ALICE))) == {"sha256"}
    assert needed_digests([_message(signing.private("ecdsa-p384"))], _trust(p384)) == {"sha384"}
    assert needed_digests([bare], _trust(p384)) == {"sha256", "sha384"}
    assert needed_digests([bare], _trust(IDENTITY)) == {"sha256"}
    assert needed_digests([bare], _trust(CertificateSigner("ca", ()))) == {"sha256", "sha384", "sha512"}
    assert needed_digests([_message(signing.private("ed25519"))], _trust(_signer(signing.private("ed25519")))) == set()


def test_content_is_asked_for_only_where_ed25519_may_have_signed() -> None:
    ed25519 = signing.private("ed25519")
    both = _trust(_signer(ed25519), _signer(ALICE))
    assert needs_content([_message(ed25519)], both)
    assert not needs_content([_message(ALICE)], both)
    assert not needs_content([_message(ed25519)], _trust(_signer(ALICE)))
    assert verify_message([_message(ALICE)], DIGESTS, both).signed_by
    with pytest.raises(Refused) as error:
        verify_message([_message(ed25519)], DIGESTS, both)
    assert error.value.code == "verify.content_needed"


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), None])
def test_older_cosign_signed_sha256_with_every_curve(algorithm: hashes.HashAlgorithm | None) -> None:
    key = signing.private("ecdsa-p384")
    assert _verify([_bare(key, algorithm)], _trust(_signer(key)))


def test_in_a_bundle_the_key_decides_the_hash() -> None:
    key = signing.private("ecdsa-p384")
    document = signing.message_bundle(key)
    document["messageSignature"] = {"signature": signing.text64(signing.sign(key, signing.CONTENT, hashes.SHA256()))}
    _refuse("verify.wrong_signature", [_bundle(document)], _trust(_signer(key)))


# --- confusion of kinds -----------------------------------------------------------------------------------------------


def _with_certificate() -> Bundle:
    """The signature by Alice's key is good; the certificate beside it says that it is somebody else's."""
    document = signing.message_bundle(ALICE)
    document["verificationMaterial"] = {"certificate": {"rawBytes": signing.text64(b"certificate")}}
    return _bundle(document)


@pytest.mark.parametrize(
    ("bundle", "signer"),
    [
        (_with_certificate(), _signer(ALICE)),
        (_message(ALICE), IDENTITY),
        (_message(ALICE), CertificateSigner("ca", ())),
        (_bare(ALICE), IDENTITY),
        (_bare(ALICE), CertificateSigner("ca", ())),
    ],
)
def test_one_kind_of_signer_does_not_stand_in_for_another(bundle: Bundle, signer: Signer) -> None:
    _refuse("verify.wrong_key", [bundle], _trust(signer))


def test_a_key_in_the_bundle_is_no_key_of_the_policy() -> None:
    document = {
        "base64Signature": signing.text64(signing.sign(BOB, signing.CONTENT)),
        "cert": signing.text64(signing.pem(BOB).encode()),
    }
    _refuse("verify.wrong_signature", [_bundle(document)], _trust(_signer(ALICE)))
    _refuse("verify.wrong_key", [_bundle(document)], _trust(IDENTITY))


def test_a_hint_explains_and_decides_nothing() -> None:
    document = signing.message_bundle(BOB)
    error = _refuse("verify.wrong_key", [_bundle(document)], _trust(_signer(ALICE)))
    assert signing.hint(BOB) in error.problem
    for hint in ("", "elsewhere", "elsewhere=", signing.hint(ALICE), "\x1b[31m\n::error::" + "x" * 500):
        document["verificationMaterial"]["publicKey"]["hint"] = hint
        _refuse("verify.wrong_signature", [_bundle(document)], _trust(_signer(ALICE)))
        assert _verify([_bundle(document)], _trust(_signer(BOB)))


def test_a_file_s_signature_and_an_attestation_are_different_things() -> None:
    """Content that is itself an encoded envelope: signed as a file, it must not pass as an attestation."""
    envelope = _bundle(signing.envelope_bundle(ALICE))
    signed = signing.pae(signing.STATEMENT)
    _refuse("verify.wrong_content", [envelope], _trust(_signer(ALICE)), signed)
    with pytest.raises(Refused) as error:
        verify_envelopes([_message(ALICE, signed)], _trust(_signer(ALICE)))
    assert error.value.code == "verify.wrong_content"


# --- days on which a key is trusted -----------------------------------------------------------------------------------

TODAY = signing.NOW.date()


@pytest.mark.parametrize(
    ("first", "last", "holds"),
    [
        (None, None, True),
        (TODAY, TODAY, True),
        (TODAY - DAY, None, True),
        (None, TODAY + DAY, True),
        (TODAY + DAY, None, False),
        (None, TODAY - DAY, False),
        (TODAY + DAY, TODAY - DAY, False),
    ],
)
def test_window_of_a_key(first: datetime.date | None, last: datetime.date | None, holds: bool) -> None:
    trust = _trust(_signer(ALICE, valid_from=first, valid_until=last))
    if holds:
        assert _verify([_message(ALICE)], trust)
    else:
        _refuse("verify.key_outside_window", [_message(ALICE)], trust)
        _refuse("verify.wrong_signature", [_message(ALICE)], trust, OTHER)


def test_days_are_those_of_utc() -> None:
    late = datetime.datetime(2026, 6, 15, 23, 30, tzinfo=datetime.timezone(-2 * datetime.timedelta(hours=1)))
    trust = dataclasses.replace(_trust(_signer(ALICE, valid_until=TODAY)), now=late)
    _refuse("verify.key_outside_window", [_message(ALICE)], trust)


# --- how many ---------------------------------------------------------------------------------------------------------


def test_nobody_signed() -> None:
    _refuse("verify.unsigned", [], _trust(_signer(ALICE)))


@pytest.mark.parametrize("trust", [_trust(), _trust(_signer(ALICE), threshold=0), _trust(threshold=0)])
def test_a_policy_that_asks_for_nobody_is_refused(trust: Trust) -> None:
    """A threshold of zero was met by no signature at all in go-tuf (GHSA-fphv-w9fq-2525)."""
    for bundles in ([], [_message(ALICE)]):
        with pytest.raises(UsageError) as error:
            _verify(bundles, trust)
        assert error.value.code == "verify.policy_incomplete"


def test_two_of_three() -> None:
    trust = _trust(_signer(ALICE, "alice"), _signer(BOB, "bob"), _signer(CAROL, "carol"), threshold=2)
    verified = _verify([_message(CAROL), _message(signing.private("rsa")), _bare(ALICE)], trust)
    assert [signed.signer for signed in verified.signed_by] == ["alice", "carol"]
    error = _refuse("verify.too_few_signers", [_message(CAROL), _message(BOB, OTHER)], trust)
    assert "1 different signers ('carol')" in error.problem
    assert "signature 2 by 'bob': verify.wrong_signature" in error.problem


def test_one_signer_counts_once() -> None:
    trust = _trust(_signer(ALICE, "alice"), _signer(BOB, "bob"), threshold=2)
    _refuse("verify.too_few_signers", [_message(ALICE), _message(ALICE), _bare(ALICE)], trust)
    same = _message(ALICE)
    _refuse("verify.too_few_signers", [same, same], trust)


def test_one_key_under_two_names_counts_once() -> None:
    trust = _trust(_signer(ALICE, "alice"), _signer(ALICE, "alice again"), threshold=2)
    _refuse("verify.too_few_signers", [_message(ALICE), _bare(ALICE)], trust)


def test_more_than_there_are_is_never_met() -> None:
    _refuse("verify.too_few_signers", [_message(ALICE)], _trust(_signer(ALICE), threshold=2))


def test_what_does_not_hold_does_no_harm_to_what_does() -> None:
    trust = _trust(IDENTITY, _signer(BOB), _signer(ALICE, "alice"))
    verified = _verify([_message(CAROL), _bundle(signing.envelope_bundle(ALICE)), _message(ALICE)], trust)
    assert [signed.signer for signed in verified.signed_by] == ["alice"]


def test_the_most_telling_reason_is_given() -> None:
    expired = _signer(ALICE, "alice", valid_until=TODAY - DAY)
    error = _refuse("verify.key_outside_window", [_message(ALICE)], _trust(IDENTITY, _signer(BOB, "bob"), expired))
    assert "by 'bob': verify.wrong_key" in error.problem
    _refuse("verify.wrong_signature", [_message(ALICE)], _trust(IDENTITY, _signer(ALICE)), OTHER)
    # Nobody holds, so the threshold is not what is wrong.
    _refuse("verify.wrong_signature", [_message(ALICE)], _trust(_signer(ALICE), _signer(BOB), threshold=2), OTHER)


def test_reasons_are_bounded() -> None:
    trust = _trust(*(_signer(BOB, "\x1b[31m\n" + "x" * 1000) for _ in range(20)))
    error = _refuse("verify.wrong_signature", [_bare(ALICE)] * 20, trust)
    assert "and 390 more" in error.problem
    assert len(error.problem) < 3000


# --- attestations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", signing.KINDS)
def test_envelopes(kind: str) -> None:
    key = signing.private(kind)
    verified, envelopes = verify_envelopes([_bundle(signing.envelope_bundle(key))], _trust(_signer(key)))
    assert [envelope.payload for envelope in envelopes] == [signing.STATEMENT]
    assert len(verified.signed_by) == 1


def test_only_envelopes_that_hold_are_returned() -> None:
    broken = signing.envelope_bundle(ALICE, b"{}")
    broken["dsseEnvelope"]["payload"] = signing.text64(b'{"evil":1}')
    bundles = [
        _bundle(broken),
        _bundle(signing.envelope_bundle(ALICE, b'{"a":1}')),
        _bundle(signing.envelope_bundle(CAROL, b'{"c":1}')),
        _message(ALICE),
        _bundle(signing.envelope_bundle(ALICE, b'{"a":2}')),
    ]
    verified, envelopes = verify_envelopes(bundles, _trust(_signer(ALICE)))
    assert [envelope.payload for envelope in envelopes] == [b'{"a":1}', b'{"a":2}']
    assert len(verified.signed_by) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payloadType", "text/plain"),
        ("payloadType", signing.IN_TOTO + " "),
        ("payload", signing.text64(signing.STATEMENT + b" ")),
        ("payload", ""),
    ],
)
def test_type_and_payload_are_signed(field: str, value: str) -> None:
    document = signing.envelope_bundle(ALICE)
    document["dsseEnvelope"][field] = value
    with pytest.raises(Refused) as error:
        verify_envelopes([_bundle(document)], _trust(_signer(ALICE)))
    assert error.value.code == "verify.wrong_signature"


def test_lengths_in_the_encoding_are_bytes() -> None:
    key, kind = ALICE, "application/vnd.\N{LATIN SMALL LETTER E WITH ACUTE}"
    document = signing.envelope_bundle(key)
    signed = f"DSSEv1 {len(kind.encode())} {kind} 2 {{}}".encode()
    document["dsseEnvelope"] = {
        "payload": signing.text64(b"{}"), "payloadType": kind,
        "signatures": [{"sig": signing.text64(signing.sign(key, signed))}],
    }  # fmt: skip
    assert verify_envelopes([_bundle(document)], _trust(_signer(key)))


# --- every byte -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
@pytest.mark.parametrize(
    "data",
    [
        signing.dump(signing.message_bundle(ALICE)),
        signing.dump(signing.envelope_bundle(ALICE)),
        signing.dump({"base64Signature": signing.text64(signing.sign(ALICE, signing.CONTENT))}),
        signing.text64(signing.sign(ALICE, signing.CONTENT)).encode(),
        signing.text64(signing.sign(ALICE, signing.CONTENT)).encode() + b"\n",
    ],
    ids=["bundle", "envelope", "older bundle", "sig", "sig with line feed"],
)
def test_a_changed_byte_is_refused_or_changes_no_meaning(data: bytes, flip: int) -> None:
    """Only the hint, which no one vouches for, may change without being noticed."""
    original = _bundle(data)
    trust = _trust(_signer(ALICE))
    held = 0
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        try:
            bundle = _bundle(changed)
            if isinstance(original.content, Envelope):
                _, (envelope,) = verify_envelopes([bundle], trust)
                assert envelope == original.content
            else:
                _verify([bundle], trust)
        except Refused:
            continue
        held += 1
        assert dataclasses.replace(bundle, key_hint=original.key_hint) == original
    assert held <= len(original.key_hint or "")


def test_signatures_are_not_changed_by_verifying() -> None:
    bundle = _message(ALICE)
    before = copy.deepcopy(bundle)
    _verify([bundle], _trust(_signer(ALICE)))
    assert bundle == before
