"""Every byte of a bundle matters: each is changed once, and the bundle is refused or says exactly the same.

"The same" is judged by the whole answer: who signed, with which key, when, in which log. Only a timestamp token has
bytes that nothing signs (RFC 5652 5.4: the signature is over the signed attributes alone), and there the change must
not be seen in the answer.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from aegis.core.errors import Refused
from tests.doubles.sigstore.signer import PrivateSigstore
from tests.support.keyless.case import CONTENT, STATEMENT, Made


@pytest.mark.parametrize(
    ("how", "step"), [("rekor_v1", 1), ("rekor_v2", 1), ("old_bundle", 4), ("attestation", 4), ("intoto", 4)]
)
def test_changed_byte_is_refused_or_changes_nothing(how: str, step: int) -> None:
    own = PrivateSigstore()
    made = {
        "rekor_v1": lambda: _made(own, own.sign_file(CONTENT)),
        "rekor_v2": lambda: _made(own, own.sign_file(CONTENT, kind="hashedrekord-v2")),
        "old_bundle": lambda: _made(own, own.sign_older(CONTENT)),
        "attestation": lambda: _made(own, own.sign_statement(STATEMENT)),
        "intoto": lambda: _made(own, own.sign_statement(STATEMENT, kind="intoto")),
    }[how]()
    original, data = made.judge(), made.data
    stamp = data.find(b'"signedTimestamp":')
    for at in range(0, len(data), step):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        try:
            answer = Made(bytes(changed), own, content=made.content).judge()
        except Refused:
            continue
        assert answer == original
        assert 0 <= stamp < at, f"byte {at} is not in a timestamp, and nothing depends on it"


@pytest.mark.parametrize("field", ["signature", "certificate", "body", "promise", "root", "timestamp"])
def test_every_bit_of_what_is_signed_matters(field: str) -> None:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT, stamped=True)
    original = _made(own, bundle).judge()
    place, name = _place(bundle, field)
    data = base64.b64decode(place[name])
    for bit in range(0, len(data) * 8, 3 if len(data) < 100 else 61):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        place[name] = base64.b64encode(changed).decode()
        try:
            answer = _made(own, bundle).judge()
        except Refused:
            continue
        assert field == "timestamp"
        assert answer == original


@pytest.mark.parametrize("size", [0, 1, 2, 100, 1000, -2, -1])
def test_bundle_cut_short_is_refused(size: int) -> None:
    own = PrivateSigstore()
    data = _made(own, own.sign_file(CONTENT)).data
    with pytest.raises(Refused):
        Made(data[:size], own).judge()


def _made(own: PrivateSigstore, bundle: dict[str, Any]) -> Made:
    data = json.dumps(bundle, separators=(",", ":")).encode()
    return Made(data, own, content=None if "dsseEnvelope" in bundle else CONTENT)


def _place(bundle: dict[str, Any], field: str) -> tuple[dict[str, str], str]:
    material = bundle["verificationMaterial"]
    entry = material["tlogEntries"][0]
    places: dict[str, tuple[dict[str, str], str]] = {
        "signature": (bundle["messageSignature"], "signature"),
        "certificate": (material["certificate"], "rawBytes"),
        "body": (entry, "canonicalizedBody"),
        "promise": (entry["inclusionPromise"], "signedEntryTimestamp"),
        "root": (entry["inclusionProof"], "rootHash"),
        "timestamp": (material["timestampVerificationData"]["rfc3161Timestamps"][0], "signedTimestamp"),
    }
    return places[field]
