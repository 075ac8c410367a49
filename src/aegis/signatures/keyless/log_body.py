"""What a log entry says was signed, compared with what was.

An entry that is valid, but of another artifact, signature or certificate, proves nothing (CVE-2022-36056): so the whole
body is compared, and nothing in it is left over. The types: github.com/sigstore/rekor/tree/main/pkg/types (v1) and
github.com/sigstore/rekor-tiles/blob/main/docs (v2, `hashedRekordV002`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.encoding import base64_bytes, pem_block
from aegis.core.errors import Refused
from aegis.signatures import strict_json
from aegis.signatures.keys.public import DIGESTS, PublicKey
from aegis.signatures.refusal import refused
from aegis.signatures.types import Envelope, MessageSignature

_HASH_NAMES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}
_DETAILS = {
    "ecdsa-p256": "PKIX_ECDSA_P256_SHA_256",
    "ecdsa-p384": "PKIX_ECDSA_P384_SHA_384",
    "ecdsa-p521": "PKIX_ECDSA_P521_SHA_512",
}
_RSA_DETAILS = {bits: f"PKIX_RSA_PKCS1V15_{bits}_SHA256" for bits in (2048, 3072, 4096)}


@dataclass(frozen=True, slots=True)
class Signed:
    """What the entry must be about."""

    content: MessageSignature | Envelope
    certificate: bytes
    """DER."""
    key: PublicKey
    digests: Mapping[str, bytes]
    """Of what was signed: the artifact, or the envelope's pre-authentication encoding."""


def check_body(body: bytes, kind: str, version: str, signed: Signed) -> None:
    """Whether `body` is the entry of exactly this signature.

    Refuses with `verify.log_entry_mismatch`, or `verify.log_entry_unsupported` for kinds that no signer writes for
    such a signature.
    """
    attestation = isinstance(signed.content, Envelope)
    check = _KINDS.get((attestation, kind, version))
    if check is None:
        raise refused(
            "verify.log_entry_unsupported",
            f"the log entry is of the kind {kind[:40]!a} {version[:40]!a}",
            expected=" or ".join(f"{name} {number}" for about, name, number in _KINDS if about is attestation),
        )
    document = strict_json.parse(body, what="the log entry")
    if not isinstance(document, dict) or (document.get("kind"), document.get("apiVersion")) != (kind, version):
        raise _mismatch("says in its body that it is of another kind")
    spec = document.get("spec")
    if set(document) != {"kind", "apiVersion", "spec"} or not isinstance(spec, dict):
        raise _mismatch("has other fields than its kind")
    check(spec, signed)


def _hashedrekord(spec: dict[str, Any], signed: Signed) -> None:
    name = DIGESTS.get(signed.key.kind, "")
    wanted = {
        "data": {"hash": {"algorithm": name, "value": signed.digests.get(name, b"").hex()}},
        "signature": {"content": _base64(signed.content.signature), "publicKey": {"content": ""}},
    }
    _compare(_certificate_out(spec, ("signature", "publicKey"), "content", signed), wanted)


def _tiled_hashedrekord(spec: dict[str, Any], signed: Signed) -> None:
    name = DIGESTS.get(signed.key.kind, "")
    verifier = {"keyDetails": _details(signed.key), "x509Certificate": {"rawBytes": _base64(signed.certificate)}}
    data = {"algorithm": _HASH_NAMES.get(name), "digest": _base64(signed.digests.get(name, b""))}
    signature = {"content": _base64(signed.content.signature), "verifier": verifier}
    _compare(spec, {"hashedRekordV002": {"data": data, "signature": signature}})


def _dsse(spec: dict[str, Any], signed: Signed) -> None:
    signature = {"signature": _base64(signed.content.signature), "verifier": ""}
    found = _certificate_out(spec, ("signatures", 0), "verifier", signed)
    # The envelope's own hash is over JSON that is not canonical: nobody can make it again.
    found.pop("envelopeHash", None)
    _compare(found, {"payloadHash": _payload_hash(signed), "signatures": [signature]})


def _intoto(spec: dict[str, Any], signed: Signed) -> None:
    found = _certificate_out(spec, ("content", "envelope", "signatures", 0), "publicKey", signed)
    content = found["content"]
    content.pop("hash", None)
    content["envelope"]["signatures"][0].pop("keyid", None)
    assert isinstance(signed.content, Envelope)  # noqa: S101 - by the table of kinds
    # Rekor stores the base64 that it is sent as bytes, so the signature is encoded twice.
    signature = {"sig": _base64(_base64(signed.content.signature).encode()), "publicKey": ""}
    envelope = {"payloadType": signed.content.payload_type, "signatures": [signature]}
    _compare(found, {"content": {"envelope": envelope, "payloadHash": _payload_hash(signed)}})


_KINDS: dict[tuple[bool, str, str], Callable[[dict[str, Any], Signed], None]] = {
    (False, "hashedrekord", "0.0.1"): _hashedrekord,
    (False, "hashedrekord", "0.0.2"): _tiled_hashedrekord,
    (True, "dsse", "0.0.1"): _dsse,
    (True, "intoto", "0.0.2"): _intoto,
    (True, "hashedrekord", "0.0.2"): _tiled_hashedrekord,
}
"""By whether it is of an attestation, kind and version."""


def _payload_hash(signed: Signed) -> dict[str, str]:
    assert isinstance(signed.content, Envelope)  # noqa: S101 - by the table of kinds
    return {"algorithm": "sha256", "value": hashlib.sha256(signed.content.payload).hexdigest()}


def _certificate_out(spec: dict[str, Any], path: tuple[str | int, ...], name: str, signed: Signed) -> dict[str, Any]:
    """`spec` with an empty text for the certificate (base64 of PEM, which has several spellings) that was compared."""
    place: Any = spec
    for step in path:
        inner = isinstance(place, list) if isinstance(step, int) else isinstance(place, dict) and step in place
        if not inner or (isinstance(step, int) and len(place) != 1):
            raise _mismatch("has other fields than its kind")
        place = place[step]
    try:
        label, certificate = pem_block(base64_bytes(place[name]).decode("ascii"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _mismatch("names no certificate") from error
    if label != "CERTIFICATE" or certificate != signed.certificate:
        raise _mismatch("is of another certificate")
    place[name] = ""
    return spec


def _compare(found: object, wanted: object) -> None:
    # As text, since for Python 1 equals True and 1.0.
    if repr(_sorted(found)) != repr(_sorted(wanted)):
        raise _mismatch("is of another artifact or signature")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _sorted(member)) for name, member in value.items())
    return [_sorted(member) for member in value] if isinstance(value, list) else value


def _details(key: PublicKey) -> str | None:
    if key.kind != "rsa":
        return _DETAILS.get(key.kind)
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return _RSA_DETAILS.get(getattr(load_der_public_key(key.spki), "key_size", 0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _mismatch(problem: str) -> Refused:
    return refused(
        "verify.log_entry_mismatch",
        f"the log entry {problem}",
        expected="the entry of exactly this artifact, signature and certificate",
    )
