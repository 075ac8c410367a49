from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys.chain import verify_certificate
from aegis.signatures.types import CertificateSigner, SignedBy, Trust
from tests.doubles.sigstore.encoding import b64
from tests.support.signing import oms_certificates as oms
from tests.support.signing.oms_certificates import AUTHORITY, DAY, NOW, Holder, Profile

ROOT = oms.issue(AUTHORITY, oms.new_key())
HOLDER = oms.issue(Profile(), oms.new_key(), ROOT)
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "x", "predicate": {}}
CONTENT = b"weights"
DIGESTS = {name: hashlib.new(name, CONTENT).digest() for name in ("sha256", "sha384", "sha512")}


def _judge(
    bundle: dict[str, Any],
    *roots: Holder,
    subject: str | None = None,
    now: datetime.datetime = NOW,
) -> SignedBy:
    signer = CertificateSigner("release team", tuple(root.der for root in roots or (ROOT,)), subject)
    trust = Trust(signers=(signer,), now=now)
    digests = None if "dsseEnvelope" in bundle else DIGESTS
    return verify_certificate(parse_bundle(json.dumps(bundle).encode(), name="x"), signer, trust, digests=digests)


def _code(bundle: dict[str, Any], *roots: Holder, **how: Any) -> str:
    with pytest.raises(Refused) as refusal:
        _judge(bundle, *roots, **how)
    return refusal.value.code


def _signed(profile: Profile, parent: Holder = ROOT, chain: Sequence[Holder] = ()) -> dict[str, Any]:
    return oms.sign_statement(STATEMENT, oms.issue(profile, oms.new_key(), parent), chain)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "rsa3072"])
def test_every_kind_of_key(kind: str) -> None:
    holder = oms.issue(Profile(), oms.new_key(kind), ROOT)
    for bundle in (oms.sign_statement(STATEMENT, holder), oms.sign_file(CONTENT, holder)):
        signed = _judge(bundle)
        assert (signed.signer, signed.method, signed.signed_at) == ("release team", "certificate", None)
        assert any("nothing proves when" in notice for notice in signed.notices)


def test_intermediates_come_with_the_bundle() -> None:
    first = oms.issue(replace(AUTHORITY, name="first", path=1), oms.new_key("p384"), ROOT)
    second = oms.issue(replace(AUTHORITY, name="second", path=0), oms.new_key(), first)
    bundle = _signed(Profile(), second, [first, second, ROOT])
    assert _judge(bundle).method == "certificate"
    assert _code(_signed(Profile(), second, [second])) == "verify.certificate_untrusted"


def test_one_of_several_roots_is_enough() -> None:
    other = oms.issue(replace(AUTHORITY, name="other"), oms.new_key())
    assert _judge(_signed(Profile()), other, ROOT)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(purposes=()),
        Profile(signs=None),
        Profile(purposes=(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH)),
    ],
    ids=["no purpose named", "no key usage", "several purposes"],
)
def test_usages_that_do_for_signing(profile: Profile) -> None:
    assert _judge(_signed(profile))


def test_authority_without_key_usage() -> None:
    """As `openssl req -x509` makes it."""
    root = oms.issue(replace(AUTHORITY, signs=None), oms.new_key())
    assert _judge(_signed(Profile(), root), root)


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        (Profile(signs=None, purposes=()), "not_code_signing"),
        (Profile(signs=False), "not_code_signing"),
        (Profile(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "not_code_signing"),
        (Profile(authority=True), "certificate_is_ca"),
        (Profile(certifies=True), "certificate_is_ca"),
        (Profile(end=NOW - DAY / 2), "certificate_expired"),
        (Profile(start=NOW + DAY / 2), "certificate_expired"),
        (Profile(critical=(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"),)),
         "certificate_untrusted"),
    ],
)  # fmt: skip
def test_leaf_that_is_not_taken(profile: Profile, code: str) -> None:
    assert _code(_signed(profile)) == f"verify.{code}"


def test_validity_holds_both_of_its_ends() -> None:
    bundle = _signed(Profile(start=NOW, end=NOW))
    assert _judge(bundle)
    assert _code(bundle, now=NOW + datetime.timedelta(seconds=1)) == "verify.certificate_expired"


@pytest.mark.parametrize(
    "authority",
    [
        replace(AUTHORITY, end=NOW - DAY / 2),
        replace(AUTHORITY, start=NOW + DAY / 2),
        replace(AUTHORITY, certifies=False),
        replace(AUTHORITY, authority=False),
    ],
    ids=["ended", "not begun", "may not certify", "no authority"],
)
def test_authority_that_is_not_taken(authority: Profile) -> None:
    root = oms.issue(authority, oms.new_key())
    assert _code(_signed(Profile(), root), root) == "verify.certificate_untrusted"


def test_stranger_with_the_same_name() -> None:
    stranger = oms.issue(AUTHORITY, oms.new_key())
    assert _code(_signed(Profile(), stranger)) == "verify.certificate_untrusted"
    # A root that comes with the bundle is no root.
    assert _code(_signed(Profile(), stranger, [stranger])) == "verify.certificate_untrusted"


def test_intermediate_beyond_its_limits() -> None:
    short = oms.issue(replace(AUTHORITY, name="short", path=0), oms.new_key(), ROOT)
    below = oms.issue(replace(AUTHORITY, name="below"), oms.new_key(), short)
    assert _code(_signed(Profile(), below, [short, below])) == "verify.certificate_untrusted"
    leaf = oms.issue(Profile(name="leaf"), oms.new_key(), ROOT)
    assert _code(_signed(Profile(), leaf, [leaf])) == "verify.certificate_untrusted"


def test_name_constraints_hold() -> None:
    limited = oms.issue(
        replace(
            AUTHORITY,
            name="limited",
            critical=(x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None),),
        ),
        oms.new_key(),
        ROOT,
    )
    outside = x509.SubjectAlternativeName([x509.DNSName("attacker.example")])
    assert _code(_signed(Profile(critical=(outside,)), limited, [limited])) == "verify.certificate_untrusted"


def test_subject() -> None:
    bundle = _signed(Profile(name="Release Team"))
    assert _judge(bundle, subject="CN=Release Team")
    for other in ("CN=Release", "Release Team", "cn=release team", ""):
        assert _code(bundle, subject=other) == "verify.subject_mismatch"


def test_other_content() -> None:
    bundle = _signed(Profile())
    bundle["dsseEnvelope"]["payload"] = b64(b"{}")
    assert _code(bundle) == "verify.wrong_signature"
    file = oms.sign_file(b"other", oms.issue(Profile(), oms.new_key(), ROOT))
    assert _code(file) == "verify.wrong_signature"
    del file["messageSignature"]["messageDigest"]
    assert _code(file) == "verify.wrong_signature"


def test_certificate_of_another_key() -> None:
    holder = oms.issue(Profile(), oms.new_key(), ROOT)
    assert _code(oms.sign_statement(STATEMENT, Holder(oms.new_key(), holder.certificate))) == "verify.wrong_signature"


def test_label_of_another_algorithm() -> None:
    bundle = oms.sign_file(CONTENT, oms.issue(Profile(), oms.new_key("p384"), ROOT))
    bundle["messageSignature"]["messageDigest"] = {"algorithm": "SHA2_256", "digest": b64(DIGESTS["sha256"])}
    assert _code(bundle) == "verify.wrong_signature"


def test_weak_key() -> None:
    holder = oms.issue(Profile(), oms.new_key("rsa1024"), ROOT)
    assert _code(oms.sign_statement(STATEMENT, holder)) == "verify.unsupported_key"


def test_bare_key() -> None:
    bundle = _signed(Profile())
    bundle["verificationMaterial"] = {"publicKey": {"hint": "x"}}
    assert _code(bundle) == "verify.wrong_key"


@pytest.mark.parametrize("roots", [(), (b"",), (ROOT.der[:-1],)])
def test_roots_that_are_none(roots: tuple[bytes, ...]) -> None:
    signer = CertificateSigner("release team", roots)
    bundle = parse_bundle(json.dumps(_signed(Profile())).encode(), name="x")
    with pytest.raises(UsageError) as error:
        verify_certificate(bundle, signer, Trust(signers=(signer,), now=NOW), digests=None)
    assert error.value.code == "verify.key_invalid"


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_damaged_certificates_raise_only_refusals(data: st.DataObject) -> None:
    der = bytearray(HOLDER.der)
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    bundle = oms.sign_statement(STATEMENT, HOLDER)
    bundle["verificationMaterial"]["x509CertificateChain"]["certificates"][0]["rawBytes"] = b64(bytes(der))
    with pytest.raises(Refused):
        _judge(bundle)
