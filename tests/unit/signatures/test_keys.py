from __future__ import annotations

import base64
import re
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, padding, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from aegis.core import ed25519_points
from aegis.core.errors import Refused, UsageError
from aegis.signatures.keys import der
from aegis.signatures.keys import public as keys
from tests.support.signing import signing

P256 = signing.private("ecdsa-p256")
RSA = signing.private("rsa")
ED25519 = signing.private("ed25519")
PEM = signing.pem(P256)
DIGESTS = signing.digests(signing.CONTENT)


def _pem(spki: bytes, label: str = "PUBLIC KEY") -> str:
    return f"-----BEGIN {label}-----\n{signing.text64(spki)}\n-----END {label}-----\n"


def _rsa_spki(modulus: int, exponent: int) -> bytes:
    def integer(number: int) -> bytes:
        return der.element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))

    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    key = der.element(0x30, integer(modulus) + integer(exponent))
    return der.element(0x30, algorithm + der.element(3, b"\0" + key))


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", signing.KINDS)
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"\n  {text}\n\n",
        str.strip,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.encodebytes(text.encode()).decode(),
    ],
    ids=["pem", "crlf", "spaces around", "no line feed", "base64", "base64 in lines"],
)
def test_forms_of_a_key(kind: str, form: object) -> None:
    private = signing.private(kind)
    assert callable(form)
    key = keys.load_public_key(form(signing.pem(private)), name="k")
    assert (key.kind, key.spki) == (kind, signing.spki(private))
    assert keys.key_of_spki(key.spki) == key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("/no/such/cosign.pub", "neither PEM nor base64"),
        ("env://COSIGN_PUB_KEY", "neither PEM nor base64"),
        ("QUJD", "is not PEM"),
        (PEM + PEM, "holds 2 PEM blocks"),
        (PEM + signing.pem(RSA), "holds 2 PEM blocks"),
        (base64.b64encode((PEM + PEM).encode()).decode(), "holds 2 PEM blocks"),
        ("# our key\n" + PEM, "not exactly one PEM block"),
        (PEM + "x", "not exactly one PEM block"),
        (PEM.replace("\n", "\\n"), "not exactly one PEM block"),
        (PEM.replace("END PUBLIC", "END RSA"), "not exactly one PEM block"),
        (PEM.replace("KEY-----\n", "KEY-----\nProc-Type: 4\n\n", 1), "not exactly one PEM block"),
        (PEM.replace("M", "*", 1), "not exactly one PEM block"),
        (PEM.replace("PUBLIC KEY", "CERTIFICATE"), "is a certificate"),
        (PEM.replace("PUBLIC KEY", "RSA PUBLIC KEY"), "another kind of PEM"),
        (PEM.replace("PUBLIC KEY", "PGP PUBLIC KEY BLOCK"), "another kind of PEM"),
        (_pem(b""), "not supported"),
        (_pem(b"x"), "not supported"),
        (_pem(signing.spki(P256)[:-1]), "cut off"),
        (_pem(signing.spki(P256) + b"\0"), "too long"),
        (re.sub("(.)==", lambda last: chr(ord(last[1]) + 1) + "==", _pem(signing.spki(P256))), "not canonical base64"),
        ("A" * 40_000, "40000 characters"),
        (PEM.replace("-----BEGIN", "\N{EM DASH}BEGIN"), "not PEM"),
    ],
)
def test_what_is_not_exactly_one_key_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as error:
        keys.load_public_key(text, name="COSIGN_PUB_KEY")
    assert error.value.code == "verify.key_invalid"
    assert error.value.problem.startswith("COSIGN_PUB_KEY ")


@pytest.mark.parametrize(
    "text",
    [
        signing.private_pem(P256).decode(),
        signing.private_pem(RSA, "secret").decode(),
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        PEM + signing.private_pem(P256).decode(),
        base64.b64encode(signing.private_pem(P256)).decode(),
        "-----BEGIN PRIVATE KEY-----\ncut off",
    ],
)
def test_a_private_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="PRIVATE key") as error:
        keys.load_public_key(text, name="COSIGN_PUB_KEY")
    shown = str(error.value) + repr(error.value) + repr(error.value.__cause__)
    body = re.sub(r"-----[A-Z ]+-----", "", text).split()
    assert not any(line in shown for line in body if len(line) > 8)


def test_keys_that_are_weak_or_of_other_kinds_are_refused() -> None:
    n = RSA.public_key().public_numbers().n  # type: ignore[union-attr] # it is an RSA key
    point = signing.spki(P256)
    # sect163k1 and brainpool are named curves too; X9.62 allows explicit ones, which is how CVE-2020-0601 came about.
    others: list[tuple[bytes, str]] = [
        (_rsa_spki(rsa.generate_private_key(65537, 1024).public_key().public_numbers().n, 65537), "RSA of 1024 bits"),
        (_rsa_spki((1 << 2046) + 1, 65537), "RSA of 2047 bits"),
        (_rsa_spki((1 << 2048) + 1, 65537), "RSA of 2049 bits"),
        (_rsa_spki((1 << 8199) + 1, 65537), "RSA of 8200 bits"),
        (signing.spki(RSA) + b"\0", "strict DER"),
        (signing.spki(RSA)[:-1], "strict DER"),
        (b"\x30\x83\x00" + signing.spki(RSA)[2:], "strict DER"),
        (signing.spki(RSA).replace(b"\x30\x82\x01\x0a", b"\x30\x83\x00\x01\x0a"), "strict DER"),
        (signing.spki(RSA).replace(b"\x0f\x00\x30", b"\x0f\x01\x30"), "strict DER"),
        (_rsa_spki(n, 3), "exponent"),
        (_rsa_spki(n, 1), "exponent"),
        (_rsa_spki(n, 65538), "exponent"),
        (_rsa_spki(n, (1 << 31) + 11), "exponent"),
        (_rsa_spki(n - 1, 65537), "modulus"),
        (point[:-1] + bytes([point[-1] ^ 1]), "not on its curve"),
        (point[:26] + b"\4" + bytes(64), "not on its curve"),
        (_compressed(P256), "not supported"),
        *((_spki_of(private), "not supported") for private in _unsupported()),
    ]
    for spki, says in others:
        with pytest.raises(UsageError, match=says) as error:
            keys.load_public_key(_pem(spki), name="k")
        assert error.value.code == "verify.key_invalid"
        with pytest.raises(UsageError, match=says):
            keys.key_of_spki(spki)


def _unsupported() -> list[ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey | ed448.Ed448PrivateKey]:
    return [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        dsa.generate_private_key(2048),
        ed448.Ed448PrivateKey.generate(),
    ]


def _spki_of(private: ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey | ed448.Ed448PrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _compressed(private: signing.Private) -> bytes:
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    return der.element(0x30, algorithm + der.element(3, b"\0" + point))


def test_an_rsa_key_for_pss_only_is_another_algorithm() -> None:
    pss = signing.spki(RSA).replace(bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01010a"))
    with pytest.raises(UsageError, match="not supported"):
        keys.load_public_key(_pem(pss), name="k")


@pytest.mark.parametrize("kind", signing.KINDS)
def test_no_byte_of_a_key_can_change_unnoticed(kind: str) -> None:
    """Another key, at most: never the same key in other bytes, and never anything but the one error."""
    spki = signing.spki(signing.private(kind))
    for at in range(len(spki)):
        changed = spki[:at] + bytes([spki[at] ^ 0x40]) + spki[at + 1 :]
        try:
            key = keys.key_of_spki(changed)
        except UsageError:
            continue
        assert key.spki == changed
        assert kind in {"rsa", "ed25519"}, "a point was taken that is not on the curve"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_only_usage_errors_leave_the_reader(data: bytes) -> None:
    for text in (data.decode("latin-1"), _pem(data), base64.b64encode(data).decode()):
        with pytest.raises(UsageError):
            keys.load_public_key(text, name="k")


# --- Ed25519 points ---------------------------------------------------------------------------------------------------

P = 2**255 - 19


@pytest.mark.parametrize("y", sorted(ed25519_points.SMALL_ORDER))
@pytest.mark.parametrize("sign", [0, 1])
def test_points_of_small_order_are_refused(y: int, sign: int) -> None:
    with pytest.raises(UsageError, match="point"):
        keys.key_of_spki(bytes.fromhex("302a300506032b6570032100") + (y | sign << 255).to_bytes(32, "little"))


def test_small_order_is_what_the_list_says() -> None:
    """Eight doublings end at the neutral element; no other y of the curve was forgotten, for there are eight points."""
    d = -121665 * pow(121666, -1, P) % P
    points = set()
    for y in ed25519_points.SMALL_ORDER:
        square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        if x * x % P != square:
            x = x * pow(2, (P - 1) // 4, P) % P
        assert x * x % P == square
        points |= {(x, y), (-x % P, y)}
    assert len(points) == 8
    for x, y in points:
        for _ in range(3):
            product = d * x * x * y * y % P
            x, y = 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P
        assert (x, y) == (0, 1)


@pytest.mark.parametrize("data", [(P + 3).to_bytes(32, "little"), (2).to_bytes(32, "little"), bytes(31), bytes(33)])
def test_what_is_no_point_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"encoding|curve|bytes"):
        ed25519_points.check(data)


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "algorithm"), [*keys.DIGESTS.items(), ("ed25519", "ed25519")])
def test_signatures_hold_by_the_algorithm_of_the_key(kind: str, algorithm: str) -> None:
    private = signing.private(kind)
    key = keys.key_of_spki(signing.spki(private))
    signature = signing.sign(private, signing.CONTENT)
    assert keys.check_signature(key, signature, digests=DIGESTS, content=signing.CONTENT) == algorithm
    other = signing.CONTENT + b"x"
    with pytest.raises(Refused) as error:
        keys.check_signature(key, signature, digests=signing.digests(other), content=other)
    assert error.value.code == "verify.wrong_signature"


@pytest.mark.parametrize("kind", signing.KINDS)
def test_another_key_of_the_same_kind_does_not_fit(kind: str) -> None:
    key = keys.key_of_spki(signing.spki(signing.private(kind, 1)))
    with pytest.raises(Refused) as error:
        keys.check_signature(
            key, signing.sign(signing.private(kind), signing.CONTENT), digests=DIGESTS, content=signing.CONTENT
        )
    assert error.value.code == "verify.wrong_signature"


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("ecdsa-p256", hashes.SHA384()),
        ("ecdsa-p256", hashes.SHA1()),
        ("ecdsa-p384", hashes.SHA256()),
        ("ecdsa-p384", hashes.SHA512()),
        ("ecdsa-p521", hashes.SHA256()),
        ("rsa", hashes.SHA512()),
        ("rsa", hashes.SHA1()),
    ],
)
def test_a_signature_by_another_hash_is_refused(kind: str, algorithm: hashes.HashAlgorithm) -> None:
    private = signing.private(kind)
    key = keys.key_of_spki(signing.spki(private))
    with pytest.raises(Refused):
        keys.check_signature(
            key, signing.sign(private, signing.CONTENT, algorithm), digests=DIGESTS, content=signing.CONTENT
        )


@pytest.mark.parametrize("kind", ["ecdsa-p384", "ecdsa-p521"])
def test_older_formats_have_sha256_for_every_curve(kind: str) -> None:
    private = signing.private(kind)
    key = keys.key_of_spki(signing.spki(private))
    for algorithm, name in ((hashes.SHA256(), "sha256"), (None, keys.DIGESTS[key.kind])):
        signature = signing.sign(private, signing.CONTENT, algorithm)
        assert keys.check_signature(key, signature, digests=DIGESTS, content=None, legacy=True) == name


def test_rsa_pss_is_refused() -> None:
    assert isinstance(RSA, rsa.RSAPrivateKey)
    signature = RSA.sign(signing.CONTENT, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    with pytest.raises(Refused):
        keys.check_signature(keys.key_of_spki(signing.spki(RSA)), signature, digests=DIGESTS, content=None)


def test_ed25519_needs_the_content_and_takes_no_prehash() -> None:
    key = keys.key_of_spki(signing.spki(ED25519))
    with pytest.raises(Refused) as error:
        keys.check_signature(key, signing.sign(ED25519, signing.CONTENT), digests=DIGESTS, content=None)
    assert error.value.code == "verify.content_needed"
    with pytest.raises(Refused) as error:
        keys.check_signature(key, bytes(63), digests=DIGESTS, content=None)
    assert error.value.code == "verify.wrong_signature"
    # Ed25519ph prefixes its own domain (RFC 8032 2); others just sign the digest. Neither signs the content.
    domain = b"SigEd25519 no Ed25519 collisions" + bytes([1, 0]) + DIGESTS["sha512"]
    for signed in (DIGESTS["sha512"], DIGESTS["sha256"], domain):
        with pytest.raises(Refused):
            keys.check_signature(key, signing.sign(ED25519, signed), digests=DIGESTS, content=signing.CONTENT)


def test_rfc_8032_vector() -> None:
    """RFC 8032 7.1, TEST 3."""
    spki = bytes.fromhex("302a300506032b6570032100fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert keys.check_signature(keys.key_of_spki(spki), signature, digests={}, content=b"\xaf\x82") == "ed25519"


def test_ecdsa_signatures_have_one_encoding() -> None:
    key = keys.key_of_spki(signing.spki(P256))
    r, s = utils.decode_dss_signature(signing.sign(P256, signing.CONTENT))
    ri, si = (number.to_bytes(33, "big").lstrip(b"\0") for number in (r, s))
    ri, si = ((b"\0" if part[0] & 0x80 else b"") + part for part in (ri, si))
    good = der.element(0x30, der.element(2, ri) + der.element(2, si))
    keys.check_signature(key, good, digests=DIGESTS, content=None)
    spellings = {
        "zero in front": der.element(0x30, der.element(2, b"\0" + ri) + der.element(2, si)),
        "bytes after the end": good + b"\0",
        "bytes inside": der.element(0x30, der.element(2, ri) + der.element(2, si) + b"\5\0"),
        "long length": bytes([0x30, 0x81]) + good[1:],
        "indefinite length": b"\x30\x80" + good[2:] + b"\0\0",
        "third integer": der.element(0x30, der.element(2, ri) + der.element(2, si) + der.element(2, b"\1")),
        "raw": r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        "cut off": good[:-1],
        "zeros (CVE-2022-21449)": der.element(0x30, der.element(2, b"\0") + der.element(2, b"\0")),
        "ones": der.element(0x30, der.element(2, b"\1") + der.element(2, b"\1")),
        "nothing": b"",
    }
    for name, signature in spellings.items():
        assert not _holds(key, signature), name


def _holds(key: keys.PublicKey, signature: bytes) -> bool:
    try:
        keys.check_signature(key, signature, digests=DIGESTS, content=None)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("kind", signing.KINDS)
def test_no_byte_of_a_signature_can_change(kind: str) -> None:
    private = signing.private(kind)
    key = keys.key_of_spki(signing.spki(private))
    signature = signing.sign(private, signing.CONTENT)
    for at in range(len(signature)):
        for flip in (0x01, 0x80):
            changed = signature[:at] + bytes([signature[at] ^ flip]) + signature[at + 1 :]
            with pytest.raises(Refused):
                keys.check_signature(key, changed, digests=DIGESTS, content=signing.CONTENT)


@given(st.binary(max_size=150))
def test_only_refusals_leave_the_check(signature: bytes) -> None:
    for kind in signing.KINDS:
        key = keys.key_of_spki(signing.spki(signing.private(kind)))
        with pytest.raises(Refused):
            keys.check_signature(key, signature, digests=DIGESTS, content=signing.CONTENT)


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_key_loads_neither_certificates_nor_validators() -> None:
    """The key path is quick because of what it does not import."""
    program = f"""
import sys, datetime
from aegis.signatures import types, verify
from aegis.signatures.formats import bundle
from aegis.signatures.keys import public as keys
key = keys.load_public_key({PEM!r}, name="k")
trust = types.Trust(signers=(types.KeySigner("k", key),), now=datetime.datetime.now(datetime.UTC))
found = bundle.parse_bundle({signing.dump(signing.message_bundle(P256))!r}, name="b")
verify.verify_message([found], {{"sha256": {DIGESTS["sha256"]!r}}}, trust)
slow = ("sigstore", "pydantic", "requests", "cryptography.x509", "cryptography.hazmat.primitives.serialization",
        "cryptography.hazmat.primitives.ciphers", "msgspec", "yaml")
print([name for name in sys.modules if name.startswith(slow)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert ran.stdout.strip() == "[]"
