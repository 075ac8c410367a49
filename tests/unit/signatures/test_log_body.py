from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from aegis.core.errors import Refused
from aegis.signatures.keyless.certificate import certificate_key
from aegis.signatures.keyless.log_body import Signed, check_body
from aegis.signatures.types import Envelope, MessageSignature
from tests.doubles.sigstore.encoding import b64
from tests.doubles.sigstore.entries import Body, EntryKind, Signature, body
from tests.doubles.sigstore.signer import IN_TOTO, PrivateSigstore

KEY = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = PrivateSigstore().certificate(KEY)
DER = CERTIFICATE.public_bytes(Encoding.DER)
SIGNATURE, DIGEST = b"a signature", hashlib.sha256(b"weights").digest()
ENVELOPE = Envelope(IN_TOTO, b"{}", SIGNATURE)
KINDS: list[EntryKind] = ["hashedrekord", "hashedrekord-v2", "dsse", "intoto"]


def _body(kind: EntryKind) -> Body:
    payload = b"{}" if kind in {"dsse", "intoto"} else b""
    return body(kind, Signature(SIGNATURE, CERTIFICATE, DIGEST, payload, IN_TOTO))


def _signed(kind: EntryKind) -> Signed:
    content = ENVELOPE if kind in {"dsse", "intoto"} else MessageSignature(SIGNATURE)
    return Signed(content, DER, certificate_key(CERTIFICATE), {"sha256": DIGEST})


def _judge(kind: EntryKind, document: Any) -> None:
    made = _body(kind)
    check_body(json.dumps(document).encode(), made.kind, made.version, _signed(kind))


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    if isinstance(value, list):
        members = list(enumerate(value))
    return [found for name, member in members for found in ((*path, name), *_places(member, (*path, name)))]


def _with(document: Any, path: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    document = copy.deepcopy(document)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = change(place[path[-1]])
    return document


def _becomes(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


@pytest.mark.parametrize("kind", KINDS)
def test_own_body(kind: EntryKind) -> None:
    _judge(kind, json.loads(_body(kind).data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value", [None, True, 1, 1.5, "", "x", [], {}, [{}], {"x": {}}, b64(b"x")], ids=lambda value: repr(value)
)
def test_nothing_else_fits_anywhere(kind: EntryKind, value: Any) -> None:
    document = json.loads(_body(kind).data)
    for path in _places(document):
        # Nobody can make this hash again: it is over JSON that is not canonical.
        if "envelopeHash" in path or path[:3] == ("spec", "content", "hash"):
            continue
        with pytest.raises(Refused) as refusal:
            _judge(kind, _with(document, path, _becomes(value)))
        assert refusal.value.code == "verify.log_entry_mismatch", path


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_more_and_none_less(kind: EntryKind) -> None:
    document = json.loads(_body(kind).data)
    for path in [(), *_places(document)]:
        place = document
        for step in path:
            place = place[step]
        if not isinstance(place, dict) or "envelopeHash" in path or path == ("spec", "content", "hash"):
            continue
        for changed in ({**place, "more": "x"}, *({k: v for k, v in place.items() if k != gone} for gone in place)):
            if {"envelopeHash", "hash"} & (set(place) - set(changed)) and kind != "hashedrekord":
                continue
            whole = _with(document, path, _becomes(changed)) if path else changed
            with pytest.raises(Refused):
                _judge(kind, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_other_certificate(kind: EntryKind) -> None:
    made = _body(kind)
    other = PrivateSigstore().certificate(KEY).public_bytes(Encoding.DER)
    with pytest.raises(Refused, match=r"certificate|signature"):
        check_body(made.data, made.kind, made.version, Signed(_signed(kind).content, other, _signed(kind).key,
                                                               {"sha256": DIGEST}))  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{}", b'{"kind":"dsse","kind":"dsse"}'])
def test_other_bytes(data: bytes) -> None:
    with pytest.raises(Refused):
        check_body(data, "dsse", "0.0.1", _signed("dsse"))


@pytest.mark.parametrize(
    ("kind", "version"),
    [("hashedrekord", "0.0.3"), ("intoto", "0.0.1"), ("dsse", "0.0.2"), ("rekord", "0.0.1"), ("", "")],
)
def test_kinds_that_no_signer_writes(kind: str, version: str) -> None:
    for about in KINDS:
        with pytest.raises(Refused) as refusal:
            check_body(b"{}", kind, version, _signed(about))
        assert refusal.value.code == "verify.log_entry_unsupported"
