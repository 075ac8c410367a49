from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys import sign as sign_key
from aegis.signatures.types import KeySigner, Trust
from aegis.signatures.verify import verify_envelopes, verify_message
from tests.support.signing import signing

DIGESTS = signing.digests(signing.CONTENT)
COSIGN_KEY = (
    "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
    + signing.text64(b'{"kdf":{"name":"scrypt"}}')
    + "\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
).encode()
P256 = signing.private("ecdsa-p256")
PEM = signing.private_pem(P256)


def _key(kind: str) -> sign_key.PrivateKey:
    return sign_key.load_private_key(signing.private_pem(signing.private(kind)), name="k")


def _trust(key: sign_key.PrivateKey) -> Trust:
    return Trust(signers=(KeySigner("k", key.public),), now=signing.NOW)


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_file_s_bundle_verifies(kind: str) -> None:
    key = _key(kind)
    wanted = sign_key.needed_digest(key)
    data = sign_key.sign_file(key, {wanted: DIGESTS[wanted]} if wanted else {}, signing.CONTENT)
    bundle = parse_bundle(data, name="b")
    assert verify_message([bundle], DIGESTS, _trust(key), signing.CONTENT).signed_by[0].key == key.public.fingerprint
    # What cosign writes for the same key, but for the signature's own bytes.
    written, expected = json.loads(data), signing.message_bundle(signing.private(kind))
    written["messageSignature"]["signature"] = expected["messageSignature"]["signature"] = ""
    assert written == expected


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_statement_s_bundle_verifies(kind: str) -> None:
    key = _key(kind)
    data = sign_key.sign_statement(key, signing.STATEMENT, payload_type=signing.IN_TOTO)
    _, (envelope,) = verify_envelopes([parse_bundle(data, name="b")], _trust(key))
    assert (envelope.payload, envelope.payload_type) == (signing.STATEMENT, signing.IN_TOTO)
    written, expected = json.loads(data), signing.envelope_bundle(signing.private(kind))
    for document in (written, expected):
        (signature,) = document["dsseEnvelope"]["signatures"]
        signature["sig"] = ""
    assert written == expected


@pytest.mark.parametrize("kind", signing.KINDS)
def test_a_detached_signature_verifies(kind: str) -> None:
    key = _key(kind)
    data = sign_key.detached(key, DIGESTS, signing.CONTENT)
    assert not data.endswith(b"\n")
    assert verify_message([parse_bundle(data, name="b")], DIGESTS, _trust(key), signing.CONTENT)


def test_ed25519_needs_the_content() -> None:
    with pytest.raises(Refused) as error:
        sign_key.sign_file(_key("ed25519"), DIGESTS)
    assert error.value.code == "verify.content_needed"


@pytest.mark.parametrize("password", ["", "secret", "p\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_passwords(password: str) -> None:
    assert sign_key.load_private_key(PEM, name="k", password=password).public.spki == signing.spki(P256)
    if password:
        pem = signing.private_pem(P256, password)
        assert sign_key.load_private_key(pem, name="k", password=password).public.spki == signing.spki(P256)


def _other(private: dsa.DSAPrivateKey | x25519.X25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("pem", "password", "says"),
    [
        (b"", None, "is not PEM"),
        (b"\xff", None, "is not PEM"),
        (b"x" * 40_000, None, "40000 bytes"),
        (PEM + PEM, None, "holds 2 PEM blocks"),
        (PEM + signing.pem(P256).encode(), None, "holds 2 PEM blocks"),
        (b"comment\n" + PEM, None, "not exactly one PEM block"),
        (signing.pem(P256).encode(), None, "no PKCS#8 key"),
        (PEM.replace(b"PRIVATE", b"EC PRIVATE"), None, "no PKCS#8 key"),
        (PEM.replace(b"PRIVATE", b"OPENSSH PRIVATE"), None, "no PKCS#8 key"),
        (COSIGN_KEY, "", "cosign's own way"),
        (COSIGN_KEY.replace(b"SIGSTORE", b"COSIGN"), "", "cosign's own way"),
        (signing.private_pem(P256, "secret"), None, "no password"),
        (signing.private_pem(P256, "secret"), "hunter2", "password is wrong"),
        (signing.private_pem(P256, "secret"), "", "password is wrong"),
        (PEM.replace(b"-----\nM", b"-----\nA"), None, "is broken"),
        (_other(dsa.generate_private_key(2048)), None, "signs nothing here"),
        (_other(x25519.X25519PrivateKey.generate()), None, "signs nothing here"),
    ],
)
def test_keys_that_are_refused(pem: bytes, password: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        sign_key.load_private_key(pem, name="signing key", password=password)
    assert error.value.code == "verify.private_key_invalid"
    assert error.value.__cause__ is None
    shown = str(error.value)
    assert not any(line in shown for line in pem.decode("latin-1").split() if len(line) > 20)
    assert "secret" not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "private",
    [rsa.generate_private_key(65537, 1024), rsa.generate_private_key(3, 2048), ec.generate_private_key(ec.SECP256K1())],
)
def test_what_no_verifier_takes_is_not_signed_with(private: signing.Private) -> None:
    with pytest.raises(UsageError) as error:
        sign_key.load_private_key(signing.private_pem(private), name="k")
    assert error.value.code == "verify.key_invalid"


def test_the_key_is_not_shown() -> None:
    key = _key("ecdsa-p256")
    assert "PrivateKey object" not in repr(key)
    body = base64.b64decode("".join(PEM.decode().splitlines()[1:-1]))
    assert body.hex() not in repr(key)


@given(st.binary(max_size=300))
def test_only_usage_errors_leave_the_reader(data: bytes) -> None:
    body = signing.text64(data).encode()
    for pem in (data, b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(UsageError):
            sign_key.load_private_key(pem, name="k")
