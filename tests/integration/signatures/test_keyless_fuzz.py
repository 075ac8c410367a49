"""Bundles that are nearly right: whatever they hold, they are refused, and by nothing but a refusal."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.signature import verify_keyless
from aegis.signatures.types import Bundle, MessageSignature, Trust
from tests.doubles.sigstore.signer import AT, PrivateSigstore
from tests.support.keyless.case import CONTENT, SIGNER, STATEMENT, Made

OWN = PrivateSigstore()
BUNDLES = [
    OWN.sign_file(CONTENT, stamped=True),
    OWN.sign_file(CONTENT, kind="hashedrekord-v2"),
    OWN.sign_statement(STATEMENT),
    OWN.sign_statement(STATEMENT, kind="intoto"),
    OWN.sign_older(CONTENT),
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=20), st.binary(max_size=40).map(
        lambda data: base64.b64encode(data).decode()
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    return [found for name, member in below for found in ((*path, name), *_paths(member, (*path, name)))]


def _changed(bundle: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(bundle)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@st.composite
def _changed_bundles(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    bundle = draw(st.sampled_from(BUNDLES))
    path = draw(st.sampled_from(_paths(bundle)))
    return bundle, _changed(bundle, path, draw(VALUES))


@settings(deadline=None, max_examples=600)
@given(_changed_bundles())
def test_changed_field(bundles: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bundle, changed = bundles
    content = None if "dsseEnvelope" in bundle else CONTENT
    original = Made(bundle, OWN, content=content).judge()
    try:
        answer = Made(changed, OWN, content=content).judge()
    except Refused:
        return
    # Absent and default are one in ProtoJSON, and a hint may be left out.
    assert answer == original


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400), st.sampled_from(["certificate", "timestamp", "body", "checkpoint"]))
def test_any_bytes_where_a_library_reads(data: bytes, where: str) -> None:
    bundle = parse_bundle(json.dumps(BUNDLES[1]).encode(), name="x")
    entry = copy.deepcopy(dict(bundle.log_entries[0]))
    if where == "body":
        entry["canonicalizedBody"] = base64.b64encode(data).decode()
    if where == "checkpoint":
        entry["inclusionProof"]["checkpoint"]["envelope"] = data.decode("latin-1")
    changed = Bundle(
        format=bundle.format,
        content=bundle.content,
        certificates=(data,) if where == "certificate" else bundle.certificates,
        log_entries=(entry,),
        timestamps=(data,) if where == "timestamp" else bundle.timestamps,
    )
    assert _refused(changed)


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_damaged_der(data: st.DataObject) -> None:
    bundle = parse_bundle(json.dumps(BUNDLES[1]).encode(), name="x")
    which = data.draw(st.sampled_from(["certificate", "timestamp"]))
    der = bytearray(bundle.certificates[0] if which == "certificate" else bundle.timestamps[0])
    start = data.draw(st.integers(0, len(der) - 1))
    end = data.draw(st.integers(start, min(start + 6, len(der))))
    der[start:end] = data.draw(st.binary(max_size=6))
    changed = Bundle(
        format=bundle.format,
        content=bundle.content,
        certificates=(bytes(der),) if which == "certificate" else bundle.certificates,
        log_entries=bundle.log_entries,
        timestamps=(bytes(der),) if which == "timestamp" else bundle.timestamps,
    )
    if which == "certificate":
        assert _refused(changed) or bytes(der) == bundle.certificates[0]
    else:
        _refused(changed)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_signature(data: bytes) -> None:
    bundle = parse_bundle(json.dumps(BUNDLES[0]).encode(), name="x")
    changed = Bundle(
        format=bundle.format,
        content=MessageSignature(data),
        certificates=bundle.certificates,
        log_entries=bundle.log_entries,
    )
    assert _refused(changed)


def _refused(bundle: Bundle) -> bool:
    trust = Trust(signers=(SIGNER,), trusted_root=OWN.trusted_root(), now=AT)
    try:
        verify_keyless(bundle, SIGNER, trust, digest=hashlib.sha256(CONTENT).digest())
    except Refused:
        return True
    return False
