"""n of m over all kinds of signers: keys, identities of a private Sigstore, and certificates."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys.public import key_of_spki
from aegis.signatures.types import CertificateSigner, IdentitySigner, KeySigner, Signer, Trust, Verified
from aegis.signatures.verify import needed_digests, verify_envelopes, verify_message
from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore
from tests.support.signing import oms_certificates as oms
from tests.support.signing import signing

OWN = PrivateSigstore()
KEY = signing.private("ecdsa-p256")
ROOT = oms.issue(oms.AUTHORITY, oms.new_key())
OTHER = "https://github.com/org/repo/.github/workflows/other.yml@refs/heads/main"
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "x", "predicate": {}}

BY_KEY = KeySigner("key", key_of_spki(signing.spki(KEY)))
BY_IDENTITY = IdentitySigner(identity=IDENTITY, issuer=ISSUER)
BY_PATTERN = IdentitySigner(pattern=f"^{re.escape(IDENTITY)}$", issuer=ISSUER)
BY_OTHER = IdentitySigner(identity=OTHER, issuer=ISSUER)
BY_CERTIFICATE = CertificateSigner("release team", (ROOT.der,))


def _keyless(identity: str = IDENTITY, **how: Any) -> dict[str, Any]:
    return OWN.sign_file(signing.CONTENT, request=OWN.request(identity=identity), **how)


def _certificate() -> dict[str, Any]:
    return oms.sign_file(signing.CONTENT, oms.issue(oms.Profile(), oms.new_key(), ROOT))


def _verify(bundles: list[dict[str, Any]], *signers: Signer, threshold: int) -> Verified:
    read = [parse_bundle(signing.dump(bundle), name="b") for bundle in bundles]
    trust = Trust(signers=signers, threshold=threshold, trusted_root=OWN.trusted_root(), now=AT)
    everything = signing.digests(signing.CONTENT)
    return verify_message(read, {name: everything[name] for name in needed_digests(read, trust)}, trust)


def _refuse(code: str, bundles: list[dict[str, Any]], *signers: Signer, threshold: int) -> str:
    with pytest.raises(Refused) as error:
        _verify(bundles, *signers, threshold=threshold)
    assert error.value.code == code
    return error.value.problem


def test_one_of_each_kind() -> None:
    bundles = [_certificate(), _keyless(), signing.message_bundle(KEY), _keyless(OTHER)]
    verified = _verify(bundles, BY_KEY, BY_IDENTITY, BY_CERTIFICATE, BY_OTHER, threshold=4)
    assert [signed.method for signed in verified.signed_by] == ["key", "keyless", "certificate", "keyless"]
    assert {signed.identity for signed in verified.signed_by} == {None, IDENTITY, OTHER}
    problem = _refuse("verify.too_few_signers", bundles[1:], BY_KEY, BY_IDENTITY, BY_CERTIFICATE, BY_OTHER, threshold=4)
    assert "signed by 3 different signers" in problem


def test_one_identity_counts_once_with_any_number_of_certificates_and_names() -> None:
    bundles = [_keyless(), _keyless(), _keyless(kind="hashedrekord-v2")]
    assert _verify(bundles, BY_IDENTITY, BY_PATTERN, threshold=1)
    _refuse("verify.too_few_signers", bundles, BY_IDENTITY, BY_PATTERN, threshold=2)


def test_one_ephemeral_key_with_two_certificates_counts_once() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bundles = [_keyless(key=key), _keyless(OTHER, key=key)]
    _refuse("verify.too_few_signers", bundles, BY_IDENTITY, BY_OTHER, threshold=2)


def test_one_authority_under_two_names_counts_once() -> None:
    again = replace(BY_CERTIFICATE, name="release team again")
    _refuse("verify.too_few_signers", [_certificate(), _certificate()], BY_CERTIFICATE, again, threshold=2)


def test_a_certificate_s_key_is_no_key_of_the_policy() -> None:
    """The key in the certificate is even the policy's: the policy still asked for a bare key."""
    _refuse("verify.wrong_key", [_keyless(key=KEY)], BY_KEY, threshold=1)
    _refuse("verify.wrong_key", [signing.message_bundle(KEY)], BY_IDENTITY, threshold=1)
    _refuse("verify.wrong_key", [signing.message_bundle(KEY)], BY_CERTIFICATE, threshold=1)


def test_the_days_of_a_certificate_s_signer() -> None:
    today = AT.date()
    late = replace(BY_CERTIFICATE, valid_until=today.replace(year=today.year - 1))
    _refuse("verify.key_outside_window", [_certificate()], late, threshold=1)
    assert _verify([_certificate()], replace(late, valid_until=today), threshold=1)


def test_envelopes_of_several_kinds() -> None:
    trust = Trust(signers=(BY_KEY, BY_IDENTITY), threshold=2, trusted_root=OWN.trusted_root(), now=AT)
    documents = [OWN.sign_statement(STATEMENT), signing.envelope_bundle(KEY)]
    read = [parse_bundle(signing.dump(document), name="b") for document in documents]
    verified, envelopes = verify_envelopes(read, trust)
    assert [signed.method for signed in verified.signed_by] == ["key", "keyless"]
    assert list(envelopes) == [bundle.content for bundle in read]


def test_the_reason_of_an_identity_is_more_telling_than_another_kind() -> None:
    _refuse("verify.wrong_identity", [_keyless(OTHER)], BY_KEY, BY_IDENTITY, threshold=1)
