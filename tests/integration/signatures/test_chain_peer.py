"""model_signing's own verifier on signatures by the certificate method. Each difference is listed with its source."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys.chain import verify_certificate
from aegis.signatures.types import CertificateSigner, Trust
from tests.support.signing import oms_certificates as oms
from tests.support.signing.oms_certificates import AUTHORITY, DAY, NOW, Holder, Profile

STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "x", "predicate": {}}
ROOT = oms.issue(AUTHORITY, oms.new_key())
BELOW = oms.issue(replace(AUTHORITY, name="below", path=0), oms.new_key("p384"), ROOT)
ENDED = oms.issue(replace(AUTHORITY, name="ended", end=NOW - DAY / 2), oms.new_key(), ROOT)

LEAVES: dict[str, Profile] = {
    "usual": Profile(),
    "no purpose": Profile(purposes=()),
    "no key usage": Profile(signs=None),
    "neither": Profile(signs=None, purposes=()),
    "purpose of a server": Profile(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    "no signatures, for code": Profile(signs=False),
    "ended": Profile(end=NOW - DAY / 2),
    "an authority": Profile(authority=True),
}
IT_ACCEPTS = {
    "purpose of a server": "RFC 5280 4.2.1.12: only for one of the purposes that are named",
    "ended": "it judges at the certificate's first second; RFC 5280 6.1.3 (a)(2) has the current time",
    "an authority": "RFC 5280 4.2.1.9 with the method's own wording: the leaf signs",
}


def _accepted(bundle: dict[str, Any], root: Holder) -> bool:
    signer = CertificateSigner("team", (root.der,))
    try:
        parsed = parse_bundle(json.dumps(bundle).encode(), name="x")
        verify_certificate(parsed, signer, Trust(signers=(signer,), now=NOW), digests=None)
    except Refused:
        return False
    return True


def _peer_accepts(bundle: dict[str, Any], root: Holder, folder: Path) -> bool:
    from model_signing._signing.sign_certificate import Verifier
    from sigstore_models.bundle.v1 import Bundle

    path = folder / "root.pem"
    path.write_bytes(root.certificate.public_bytes(Encoding.PEM))
    bundle["verificationMaterial"]["tlogEntries"] = []
    try:
        Verifier([path])._verify_bundle(Bundle.from_json(json.dumps(bundle)))
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", LEAVES)
def test_peer_differs_only_where_it_is_listed(name: str, tmp_path: Path) -> None:
    bundle = oms.sign_statement(STATEMENT, oms.issue(LEAVES[name], oms.new_key(), ROOT))
    ours = _accepted(bundle, ROOT)
    assert _peer_accepts(bundle, ROOT, tmp_path) is (ours or name in IT_ACCEPTS)
    assert not (ours and name in IT_ACCEPTS)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_every_curve(kind: str, tmp_path: Path) -> None:
    bundle = oms.sign_statement(STATEMENT, oms.issue(Profile(), oms.new_key(kind), BELOW), [BELOW])
    assert _accepted(bundle, ROOT)
    assert _peer_accepts(bundle, ROOT, tmp_path)


@pytest.mark.parametrize("chain", [[], [ROOT]], ids=["intermediate left out", "other intermediate"])
def test_gap_in_the_chain(chain: list[Holder], tmp_path: Path) -> None:
    bundle = oms.sign_statement(STATEMENT, oms.issue(Profile(), oms.new_key(), BELOW), chain)
    assert not _accepted(bundle, ROOT)
    assert not _peer_accepts(bundle, ROOT, tmp_path)


def test_stranger(tmp_path: Path) -> None:
    bundle = oms.sign_statement(STATEMENT, oms.issue(Profile(), oms.new_key(), ROOT))
    stranger = oms.issue(AUTHORITY, oms.new_key())
    assert not _accepted(bundle, stranger)
    assert not _peer_accepts(bundle, stranger, tmp_path)


def test_ended_intermediate_is_refused_by_us_alone(tmp_path: Path) -> None:
    bundle = oms.sign_statement(STATEMENT, oms.issue(Profile(), oms.new_key(), ENDED), [ENDED])
    assert not _accepted(bundle, ROOT)
    # It was still valid in the leaf's first second, at which the peer looks.
    assert _peer_accepts(bundle, ROOT, tmp_path)
