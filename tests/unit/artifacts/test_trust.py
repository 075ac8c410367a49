"""Keys, certificates and roots: read from where the policy comes from, and what of them a record holds."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from aegis.artifacts.trust import digest_of, trust_of
from aegis.core.errors import UsageError
from aegis.core.policy import Signer
from aegis.signatures.types import CertificateSigner, IdentitySigner, KeySigner, Trust
from tests.support.signing.signing import NOW
from tests.support.signing.verifying import FILES, KEYS, NO_VARIABLE, by, materials, refusal_of

ENV = Signer(key="env:COSIGN_PUB_KEY")
PEM = FILES["keys/0.pub"].decode()
WHO = Signer(identity="https://x", issuer="https://i", claims={"ref": "r", "owner-id": "1"}, deny_self_hosted=True)


def root() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    builder = x509.CertificateBuilder(name, name, KEYS[0].public_key(), 7, NOW, NOW + datetime.timedelta(days=9))
    return builder.sign(KEYS[0], hashes.SHA256()).public_bytes(Encoding.PEM)


def trust(*rules: Signer, variable: str | None = None, files: dict[str, bytes] | None = None, now: int = 0) -> Trust:
    there = {**FILES, **(files or {})}
    return trust_of(rules, 1, None, materials(there, variable), NOW + datetime.timedelta(days=now))


def test_each_kind_of_signer() -> None:
    day = datetime.date(2026, 1, 1)
    cert = Signer(certificate="ca.pem", subject="CN=leaf", valid_from=day, valid_until=day)
    key, identity, certificate = trust(by(0, valid_from=day), WHO, cert, files={"ca.pem": root() * 2}).signers
    assert isinstance(key, KeySigner)
    assert (key.name, key.valid_from, key.valid_until) == ("keys/0.pub", day, None)
    assert identity == IdentitySigner(
        identity="https://x", issuer="https://i", claims={"owner-id": "1", "ref": "r"}, deny_self_hosted=True
    )
    assert isinstance(certificate, CertificateSigner)
    assert (len(certificate.roots), certificate.subject) == (2, "CN=leaf")
    assert (certificate.valid_from, certificate.valid_until) == (day, day)


@pytest.mark.parametrize(
    "variable", [PEM, base64.b64encode(PEM.encode()).decode(), "keys/0.pub", "keys/0.pub\n", f"\n{PEM}\n\n"]
)
def test_every_form_of_the_variable_is_the_same_key(variable: str) -> None:
    (signer,) = trust(ENV, variable=variable).signers
    (expected,) = trust(by(0)).signers
    assert isinstance(signer, KeySigner)
    assert isinstance(expected, KeySigner)
    assert signer.key == expected.key


@pytest.mark.parametrize("variable", [None, ""])
def test_a_variable_that_is_not_set(variable: str | None) -> None:
    assert refusal_of(lambda: trust(ENV, variable=variable), UsageError) is NO_VARIABLE


@pytest.mark.parametrize("variable", ["x", "-----BEGIN PUBLIC KEY-----", PEM + PEM, "../k.txt", " "])
def test_a_variable_that_holds_no_key(variable: str) -> None:
    assert refusal_of(lambda: trust(ENV, variable=variable), UsageError).code == "verify.key_invalid"


def test_a_path_in_the_variable_leads_nowhere_but_into_the_repository() -> None:
    error = refusal_of(lambda: trust(ENV, variable="/etc/ssl/own.pem"), UsageError)
    assert error.code == "verify.key_missing"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"])
def test_a_file_without_certificates(content: bytes) -> None:
    error = refusal_of(lambda: trust(Signer(certificate="ca.pem"), files={"ca.pem": content}), UsageError)
    assert error.code == "verify.key_invalid"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", root()])
def test_a_file_that_is_no_key(content: bytes) -> None:
    error = refusal_of(lambda: trust(by(0), files={"keys/0.pub": content}), UsageError)
    assert error.code == "verify.key_invalid"


def test_the_record_holds_whatever_decides_and_not_the_time() -> None:
    from dataclasses import replace

    plain = trust(by(0), WHO)
    others = [
        trust(by(1), WHO),
        trust(WHO),
        trust(by(0), Signer(identity="https://x", issuer="https://i", claims={"ref": "r", "owner-id": "1"})),
        replace(plain, threshold=2),
        replace(plain, trusted_root=b"{}"),
        trust(by(0, valid_until=datetime.date(2030, 1, 1)), WHO),
    ]
    assert digest_of(plain) == digest_of(trust(by(0), WHO, now=400))
    assert len({digest_of(each) for each in [plain, *others]}) == 1 + len(others)


@pytest.mark.parametrize("rule", [by(0, valid_until=NOW.date()), by(0, valid_from=NOW.date())])
def test_the_record_ends_with_the_days_of_a_key(rule: Signer) -> None:
    days = [digest_of(trust(rule, now=day)) for day in (-1, 0, 1)]
    assert len(set(days)) == 2
    ends = rule.valid_until is not None
    assert (days[0] == days[1]) is ends
    assert (days[1] == days[2]) is not ends
