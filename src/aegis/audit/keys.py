"""The log's Ed25519 key, and the public half as others write it down (C2SP signed-note's verifier keys).

A key file is PKCS8 PEM, readable by its owner only. A vkey is one line: `<origin>+<key id>+<base64>`, the base64 of
0x01 and the raw public key.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.audit.faults import checkpoint_invalid, unavailable
from aegis.audit.folder import make_private
from aegis.core.encoding import base64_bytes
from aegis.core.note import ED25519, ed25519_key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAX_FILE = 16_384
"""Bytes; a key file has 119."""
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_VKEY = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key; its representation shows nothing of it."""

    private: Ed25519PrivateKey = field(repr=False)
    public: bytes
    """Raw, 32 bytes."""
    _secret: bytes = field(repr=False)
    """For `mac`: a hash of the private key, since a key should do one thing."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.private.sign(data)

    def mac(self, data: bytes) -> bytes:
        """16 bytes that only a holder of the key can make (keyed BLAKE2, RFC 7693)."""
        return hashlib.blake2b(data, digest_size=16, key=self._secret, person=b"aegis.journal").digest()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A log's public key: the key that signs for this origin, and for no other."""

    origin: str
    public: bytes = field(repr=False)
    """Raw, 32 bytes."""
    key_id: bytes

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether the key signed this."""
        from cryptography.exceptions import InvalidSignature

        try:
            _public(self.public).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        """The vkey."""
        return f"{self.origin}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


def signing_key(private: Ed25519PrivateKey) -> SigningKey:
    """What the log needs of a private key."""
    secret = hashlib.blake2b(private.private_bytes_raw(), person=b"aegis.mac.key").digest()
    return SigningKey(private, private.public_key().public_bytes_raw(), secret)


def check_origin(origin: str) -> str:
    """The name, if it can be a log's. Refuses with `audit.checkpoint_invalid`."""
    if not _NAME.fullmatch(origin):
        raise checkpoint_invalid(
            f"the origin {origin[:80]!a}", expected="a name without spaces and plus signs, e.g. example.com/audit/prod"
        )
    return origin


def verifier_of(key: SigningKey, origin: str) -> Verifier:
    """What others need to check this log's checkpoints; `str()` of it is the vkey."""
    return Verifier(check_origin(origin), key.public, ed25519_key_id(origin, key.public))


def parse_vkey(text: str) -> Verifier:
    """Read a vkey. Refuses with `audit.checkpoint_invalid`."""
    match = _VKEY.fullmatch(text.strip())
    expected = "<origin>+<8 hex digits>+<base64>, an Ed25519 verifier key of C2SP signed-note"
    if match is None:
        raise checkpoint_invalid(f"the verifier key {text[:80]!a}", expected=expected)
    try:
        data = base64_bytes(match[3])
    except ValueError as error:
        raise checkpoint_invalid(
            f"the verifier key of {match[1]!a} is not canonical base64", expected=expected
        ) from error
    origin, public = check_origin(match[1]), data[1:]
    if data[:1] != ED25519 or len(public) != 32:
        raise checkpoint_invalid(
            f"the verifier key of {origin!a} has the type {data[:1].hex()}", expected="type 01, Ed25519"
        )
    if ed25519_key_id(origin, public).hex() != match[2]:
        raise checkpoint_invalid(f"the verifier key's id {match[2]}", expected=ed25519_key_id(origin, public).hex())
    return Verifier(origin, public, bytes.fromhex(match[2]))


def load_key(path: Path) -> SigningKey:
    """The key in this file, which somebody has put there. Raises CouldNotDecide `audit.unavailable`."""
    try:
        return _load(path)
    except OSError as error:
        raise unavailable(
            f"the log's key {path}: {error.strerror or type(error).__name__}",
            expected="an Ed25519 key, PKCS8 PEM, at the place that was named",
            remedy="Put the log's key there. One is made only where AEGIS_AUDIT_KEY names none.",
        ) from error


def load_or_create_key(path: Path) -> SigningKey:
    """The key in this file, which is made (mode 0600, durable, never half) where there is none.

    Raises CouldNotDecide `audit.unavailable`. When several processes start at once, one file wins and all use it.
    """
    try:
        if not os.path.lexists(path):
            _create(path)
        return _load(path)
    except OSError as error:
        raise unavailable(f"the log's key {path}: {error.strerror or type(error).__name__}") from error


def _load(path: Path) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    # Kubernetes mounts secrets as links.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or not _is_private(about):
            raise unavailable(
                f"the log's key {path} has mode {stat.S_IMODE(about.st_mode):04o} and belongs to user {about.st_uid}",
                expected="a file of this user alone, mode 0600, or one of root that a group may read",
                remedy="Make it private. Who could read it can sign for this log: begin a new one with a new key.",
            )
        data = os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise unavailable(
            f"the log's key {path} cannot be read", expected="an Ed25519 key, PKCS8 PEM, no password"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise unavailable(f"the log's key {path} is of another kind", expected="an Ed25519 key")
    return signing_key(key)


def _is_private(about: os.stat_result) -> bool:
    """Its owner's alone; or root's, whose secrets a pod reads through its group."""
    mode = stat.S_IMODE(about.st_mode)
    return (about.st_uid == os.geteuid() and not mode & 0o077) or (about.st_uid == 0 and not mode & 0o037)


def _create(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    make_private(path.parent)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            os.write(descriptor, pem)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            # A link fails where the name is taken, where a rename would replace the key of a process that was first.
            os.link(scratch, path)
        except FileExistsError:
            return
    finally:
        scratch.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _public(raw: bytes) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(raw)
