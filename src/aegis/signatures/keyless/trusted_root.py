"""Sigstore's trusted root: whose certificates, logs and timestamps are believed, and for which time.

The format is protojson of `TrustedRoot` (github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto).
It comes from the policy or from the package, never from the store that is judged. Reading it touches no network.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from aegis.core.errors import AegisError, UsageError
from aegis.signatures import strict_json
from aegis.signatures.formats.protojson import Message
from aegis.signatures.keys.public import KeyKind, PublicKey, key_of_spki
from aegis.signatures.shown import shown

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_WHAT = "the trusted root"
_MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_MOST = 100
"""Members of each list; the public good instance has two of each."""
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z")

_KEYS: dict[str, KeyKind] = {
    "PKIX_ECDSA_P256_SHA_256": "ecdsa-p256",
    "PKIX_ECDSA_P384_SHA_384": "ecdsa-p384",
    "PKIX_ECDSA_P521_SHA_512": "ecdsa-p521",
    "PKIX_RSA_PKCS1V15_2048_SHA256": "rsa",
    "PKIX_RSA_PKCS1V15_3072_SHA256": "rsa",
    "PKIX_RSA_PKCS1V15_4096_SHA256": "rsa",
    "PKCS1_RSA_PKCS1V5": "rsa",
    "PKIX_ED25519": "ed25519",
}
"""sigstore_common.proto `PublicKeyDetails`, as far as logs use it."""
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")


@dataclass(frozen=True, slots=True)
class Window:
    """When something is believed; both ends belong to it (sigstore_common.proto `TimeRange`)."""

    start: datetime.datetime
    end: datetime.datetime | None = None
    """None: until further notice."""

    def holds(self, at: datetime.datetime) -> bool:
        """Whether `at` lies in it."""
        return self.start <= at and (self.end is None or at <= self.end)

    def __str__(self) -> str:
        return f"from {self.start.isoformat()} to {self.end.isoformat() if self.end else 'now'}"


@dataclass(frozen=True, slots=True)
class Log:
    """A transparency log: Rekor, or a certificate transparency log."""

    url: str
    key: PublicKey
    key_id: bytes
    """What entries name it by."""
    checkpoint_id: bytes
    """What its checkpoints name it by: the first 4 bytes count."""
    window: Window


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, or a timestamp authority."""

    url: str
    certificates: tuple[Certificate, ...]
    """From the one that signs to the root."""
    window: Window


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """What is believed of the outside world."""

    authorities: tuple[Authority, ...]
    """Fulcio: they issue signing certificates."""
    logs: tuple[Log, ...]
    """Rekor."""
    certificate_logs: tuple[Log, ...]
    timestamp_authorities: tuple[Authority, ...]
    sha256: str
    """Of its JSON, hex: for caches of answers."""


def load_trusted_root(data: bytes | None) -> TrustedRoot:
    """The trusted root in `data`; None means that of the public good instance, as packaged with sigstore.

    Raises UsageError `verify.trusted_root_invalid`.
    """
    return _load(packaged_trusted_root() if data is None else data)


@lru_cache(maxsize=1)
def packaged_trusted_root() -> bytes:
    """The public good instance's trusted root, of the day when the installed sigstore was released."""
    from importlib.resources import files

    folder = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
    try:
        return files("sigstore._store").joinpath(folder, "trusted_root.json").read_bytes()
    except (OSError, ImportError) as error:
        raise _invalid(
            "is not in the installed sigstore package", "an environment made from locks/keyless.txt"
        ) from error


@lru_cache(maxsize=8)
def _load(data: bytes) -> TrustedRoot:
    try:
        return _read(data)
    except AegisError as error:
        if error.code == "verify.trusted_root_invalid":
            raise
        raise _invalid(error.problem.removeprefix(_WHAT).strip(), error.expected) from error


def _read(data: bytes) -> TrustedRoot:
    document = strict_json.parse(data, what=_WHAT)
    if not isinstance(document, dict):
        raise _invalid("is no JSON object", _MEDIA_TYPE)
    root = Message(document, _WHAT)
    root.only("mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")
    if root.text("mediaType") != _MEDIA_TYPE:
        raise root.wrong("mediaType", _MEDIA_TYPE)
    found = TrustedRoot(
        authorities=_authorities(root, "certificateAuthorities"),
        logs=_logs(root, "tlogs"),
        certificate_logs=_logs(root, "ctlogs"),
        timestamp_authorities=_authorities(root, "timestampAuthorities"),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    if not found.authorities or not found.logs:
        raise _invalid("names no certificate authority or no log", "at least one of each")
    return found


def _logs(root: Message, name: str) -> tuple[Log, ...]:
    fields = ("baseUrl", "hashAlgorithm", "publicKey", "logId", "checkpointKeyId", "operator")
    found = tuple(_log(item) for item in root.messages(name, *fields, most=_MOST))
    if len({log.key_id for log in found}) != len(found):
        raise root.wrong(name, "each log once, with one window")
    return found


def _log(item: Message) -> Log:
    if item.text("hashAlgorithm") != "SHA2_256":
        raise item.wrong("hashAlgorithm", "SHA2_256, which Merkle trees are made with (RFC 6962 2.1)")
    public = item.message("publicKey", "rawBytes", "keyDetails", "validFor")
    details = public.text("keyDetails")
    if details not in _KEYS:
        raise public.wrong("keyDetails", ", ".join(_KEYS))
    raw = public.required_data("rawBytes")
    key = key_of_spki(_spki_of_rsa(raw) if details == "PKCS1_RSA_PKCS1V5" else raw)
    if key.kind != _KEYS[details]:
        raise public.wrong("rawBytes", f"a key of {details}")
    key_id = item.message("logId", "keyId").required_data("keyId")
    checkpoint_id = item.message("checkpointKeyId", "keyId").data("keyId") or key_id
    if len(checkpoint_id) < 4:
        raise item.wrong("checkpointKeyId", "at least 4 bytes")
    return Log(item.text("baseUrl"), key, key_id, checkpoint_id, _window(public))


def _authorities(root: Message, name: str) -> tuple[Authority, ...]:
    fields = ("subject", "uri", "certChain", "validFor", "operator")
    return tuple(_authority(item) for item in root.messages(name, *fields, most=_MOST))


def _authority(item: Message) -> Authority:
    from cryptography.x509 import load_der_x509_certificate

    chain = item.message("certChain", "certificates")
    certificates = []
    for member in chain.messages("certificates", "rawBytes", most=_MOST):
        try:
            certificates.append(load_der_x509_certificate(member.required_data("rawBytes")))
        except ValueError as error:
            raise member.wrong("rawBytes", "a certificate in DER") from error
    if not certificates:
        raise chain.wrong("certificates", "at least one certificate")
    return Authority(item.text("uri"), tuple(certificates), _window(item))


def _window(item: Message) -> Window:
    """A window without a start is refused: protobuf cannot tell it from one that was forgotten."""
    valid = item.message("validFor", "start", "end")
    start = _time(valid, "start")
    end = _time(valid, "end") if valid.has("end") else None
    if end is not None and end < start:
        raise valid.wrong("end", "a time after the start")
    return Window(start, end)


def _time(valid: Message, name: str) -> datetime.datetime:
    text = valid.text(name)
    found = _TIME.fullmatch(text)
    try:
        if found:
            # Python's times end at microseconds.
            return datetime.datetime.fromisoformat(f"{found[1]}{(found[2] or '.0')[:7]}+00:00")
    except ValueError:
        pass
    raise valid.wrong(name, f"a time such as 2025-01-31T12:00:00Z, not {shown(text)}")


def _spki_of_rsa(key: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 3279 2.3.1) around an RSAPublicKey, as old CT logs are given."""
    from aegis.signatures.keys.der import element

    return element(0x30, _RSA + element(0x03, b"\x00" + key))


def _invalid(problem: str, expected: str) -> UsageError:
    return UsageError(
        "verify.trusted_root_invalid",
        f"{_WHAT} {problem}",
        expected=expected,
        remedy="Write it anew with `cosign trusted-root create`, or leave `trusted-root` out for the public one.",
    )
