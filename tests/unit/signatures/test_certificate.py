from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.keyless.certificate import CLAIMS, check_signer, load_certificate, read_leaf
from aegis.signatures.types import IdentitySigner
from tests.doubles.sigstore.authority import issue
from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore
from tests.doubles.sigstore.signer import CLAIMS as NUMBERS

OWN = PrivateSigstore()
KEY = ec.generate_private_key(ec.SECP256R1())
DER = OWN.certificate(KEY).public_bytes(Encoding.DER)


def _with(*extensions: tuple[str, bytes]) -> bytes:
    """A leaf with raw values of Fulcio's extensions, by their last numbers."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(OWN.authority.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(AT)
        .not_valid_after(AT + datetime.timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(IDENTITY)]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    for number, value in extensions:
        oid = ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(OWN.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _code(data: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        read_leaf(data)
    return refusal.value.code


def test_leaf_is_read() -> None:
    leaf = read_leaf(DER)
    assert (leaf.kind, leaf.identity, leaf.issuer) == ("uri", IDENTITY, ISSUER)
    assert (leaf.not_before, leaf.not_after) == (AT, AT + datetime.timedelta(minutes=10))
    assert leaf.key.kind == "ecdsa-p256"


def test_claims_have_the_names_of_their_extensions() -> None:
    leaf = read_leaf(DER)
    assert leaf.claims == {
        name: NUMBERS[oid.rpartition(".")[2]] for name, oid in CLAIMS.items() if oid.rpartition(".")[2] in NUMBERS
    }
    assert leaf.claims["repository-id"] == "700000001"
    assert leaf.claims["runner-environment"] == "github-hosted"


def test_every_claim_has_an_extension_of_its_own() -> None:
    assert sorted(int(oid.rpartition(".")[2]) for oid in CLAIMS.values()) == list(range(9, 24))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x0c",
        b"\x0c\x05abc",  # longer than it is
        b"\x0c\x02abc",  # bytes after its end
        b"\x0c\x81\x03abc",  # not the shortest length
        b"\x13\x03abc",  # a PrintableString
        b"\x0c\x02\xff\xfe",  # no UTF-8
    ],
)
def test_claims_have_one_encoding(value: bytes) -> None:
    assert _code(_with(("8", b"\x0c\x05https"), ("15", value))) == "verify.certificate_invalid"


@pytest.mark.parametrize("size", [127, 128, 255, 256, 1000])
def test_long_claims_are_read(size: int) -> None:
    text = b"x" * size
    length = bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2)
    assert read_leaf(_with(("8", b"\x0c\x05https"), ("15", b"\x0c" + length + text))).claims["repository-id"] == (
        text.decode()
    )


def test_no_issuer() -> None:
    assert _code(_with()) == "verify.certificate_invalid"


def test_issuer_of_old_that_is_no_text() -> None:
    assert _code(_with(("1", b"\xff"))) == "verify.certificate_invalid"


def test_claims_of_other_tools_are_no_claims() -> None:
    assert read_leaf(_with(("8", b"\x0c\x05https"), ("99", b"\x0c\x01x"))).claims == {}


def test_a_bit_of_the_signature_that_is_said_to_be_unused() -> None:
    # Only a last bit of 0 may be unused, so one is looked for: every second signature ends in one.
    signed = next(der for der in (_with(("8", b"\x0c\x05https")) for _ in range(64)) if der[-1] & 1 == 0)
    certificate = load_certificate(signed)
    changed = bytearray(signed)
    changed[-len(certificate.signature) - 1] = 1
    with pytest.raises(Refused) as refused:
        load_certificate(bytes(changed))
    assert refused.value.code == "verify.certificate_invalid"


@pytest.mark.parametrize(
    "data",
    [b"", DER[:-1], DER + b"\0", DER[:100], b"\x30\x80\x00\x00"],
    ids=["empty", "cut", "longer", "start", "indefinite"],
)
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    assert _code(data) == "verify.certificate_invalid"


def test_serial_number_that_is_not_positive() -> None:
    """The library only warns of it (RFC 5280 4.1.2.2)."""
    data = _with(("8", b"\x0c\x05https"))
    at = data.index(b"\x02\x01\x07")
    assert _code(data[:at] + b"\x02\x01\xff" + data[at + 3 :]) == "verify.certificate_invalid"


def test_weak_key() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    certificate = issue(OWN.authority, weak, OWN.request())
    assert _code(certificate.public_bytes(Encoding.DER)) == "verify.unsupported_key"


@given(st.text(max_size=40))
@settings(deadline=None)
def test_only_the_exact_identity_is_it(identity: str) -> None:
    signer = IdentitySigner(identity=identity or "x", issuer=ISSUER)
    with pytest.raises(Refused, match="identity"):
        check_signer(read_leaf(DER), signer)


@given(st.binary(max_size=30), st.integers(0, len(DER) - 1))
@settings(deadline=None, max_examples=300)
def test_damaged_certificates_raise_only_refusals(data: bytes, at: int) -> None:
    damaged = DER[:at] + data + DER[at + len(data) :]
    try:
        read_leaf(damaged)
    except Refused:
        return
    load_certificate(damaged)
