"""Key files and verifier keys."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from aegis.audit.keys import load_key, load_or_create_key, parse_vkey, verifier_of
from aegis.core.errors import CouldNotDecide, Refused
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.pem"
    with ThreadPoolExecutor(8) as pool:
        publics = {key.public for key in pool.map(load_or_create_key, [path] * 32)}
    assert len(publics) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["log.pem"]
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_a_key_that_somebody_should_have_put_there(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.pem"
    with pytest.raises(CouldNotDecide, match="No such file") as error:
        load_key(path)
    assert error.value.code == "audit.unavailable"
    made = load_or_create_key(path)
    assert load_key(path).public == made.public


def test_a_key_shows_nothing_of_itself() -> None:
    assert "secret" not in repr(KEY)
    assert "private" not in repr(KEY)


def pem(key: object, password: bytes = b"") -> bytes:
    assert isinstance(key, Ed25519PrivateKey) or hasattr(key, "private_bytes")
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    found: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return found


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_read_is_none(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)
    if mode == 0o640 and os.geteuid() == 0:
        load_or_create_key(path)  # a secret in a pod: root's, and a group's to read
        return
    with pytest.raises(CouldNotDecide, match="mode"):
        load_or_create_key(path)


def test_a_secret_that_kubernetes_mounts(tmp_path: Path) -> None:
    """A link to a file in a folder that is exchanged as a whole."""
    load_or_create_key(tmp_path / "data" / "key")
    (tmp_path / "key").symlink_to("data/key")
    load_or_create_key(tmp_path / "key")


@pytest.mark.parametrize("what", ["empty", "text", "ecdsa", "password", "public"])
def test_what_is_no_key(tmp_path: Path, what: str) -> None:
    key = Ed25519PrivateKey.generate()
    contents = {
        "empty": b"", "text": b"secret", "ecdsa": pem(generate_private_key(SECP256R1())),
        "password": pem(key, b"pw"), "public": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    }  # fmt: skip
    path = tmp_path / "key"
    path.write_bytes(contents[what])
    path.chmod(0o600)
    with pytest.raises(CouldNotDecide) as error:
        load_or_create_key(path)
    assert error.value.code == "audit.unavailable"
    assert "secret" not in str(error.value).replace("audit", "")


def test_a_key_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "dangling").symlink_to("nothing")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "dangling", tmp_path / "pipe" / "key"):
        with pytest.raises(CouldNotDecide):
            load_or_create_key(path)


def test_a_verifier_key_is_written_as_signed_note_says() -> None:
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + KEY.public).digest()[:4].hex()
    text = str(VERIFIER)
    assert text == ORIGIN + "+" + key_id + "+" + base64.b64encode(b"\x01" + KEY.public).decode()
    assert parse_vkey(text + "\n") == VERIFIER


@pytest.mark.parametrize(
    "text",
    ["", "x", "x+00000000+AA==", str(VERIFIER).replace("log.test", "log.best"), str(VERIFIER)[:-2] + "A=",
     str(VERIFIER).replace("+", " ", 1), ORIGIN + "+00000000+" + base64.b64encode(b"\x02" + KEY.public).decode(),
     str(VERIFIER).upper(), str(VERIFIER) + "A"],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_verifier_key(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_vkey(text)
    assert refusal.value.code == "audit.checkpoint_invalid"


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "x" * 256])
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(Refused, match="origin"):
        verifier_of(KEY, origin)
