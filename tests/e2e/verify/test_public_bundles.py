"""Signatures of the public good instance, as other tools made them over the years: out of Go modules of Sigstore.

They are judged offline with the packaged trusted root, long after their certificates have ended.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.signature import verify_keyless
from aegis.signatures.types import Bundle, Envelope, IdentitySigner, SignedBy, Trust
from tests.support.programs.gomod import module

_GITHUB, _OAUTH = "https://token.actions.githubusercontent.com", "https://github.com/login/oauth"
_RELEASE = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
_GO = "github.com/sigstore/sigstore-go@v1.2.2"


@dataclass(frozen=True)
class Public:
    module: str
    path: str
    identity: str
    issuer: str
    signed_at: str

    @property
    def bundle(self) -> Bundle:
        return parse_bundle((module(self.module) / self.path).read_bytes(), name=Path(self.path).name)


BUNDLES = [
    Public(_GO, "examples/bundle-provenance.json", _RELEASE, _GITHUB, "2023-04-18T17:45:12Z"),
    Public(
        _GO, "pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json", _RELEASE, _GITHUB,
        "2023-08-18T16:05:35Z",
    ),
    Public(_GO, "pkg/testing/data/bundles/dsse.sigstore.json", "brian@dehamer.com", _OAUTH, "2022-11-09T23:00:36Z"),
    Public(
        "github.com/sigstore/cosign/v3@v3.1.3", "pkg/cosign/testdata/oci-attestation.sigstore.json",
        "cody@soyland.com", _OAUTH, "2025-02-28T19:18:11Z",
    ),
    Public(
        "github.com/sigstore/protobuf-specs@v0.5.1", "gen/pb-rust/sigstore-protobuf-specs/assets/a.txt.sigstore",
        "a@tny.town", _OAUTH, "2024-01-26T19:35:30Z",
    ),
]  # fmt: skip


def _judge(public: Public, *, identity: str | None = None) -> SignedBy:
    bundle = public.bundle
    signer = IdentitySigner(identity=identity or public.identity, issuer=public.issuer)
    trust = Trust(signers=(signer,), now=datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC))
    digest = None if isinstance(bundle.content, Envelope) else bundle.content.digest
    return verify_keyless(bundle, signer, trust, digest=digest)


@pytest.mark.parametrize("public", BUNDLES, ids=lambda public: Path(public.path).name)
def test_public_bundles_verify(public: Public) -> None:
    assert _judge(public).signed_at == public.signed_at


@pytest.mark.parametrize("public", BUNDLES, ids=lambda public: Path(public.path).name)
def test_for_the_right_identity_only(public: Public) -> None:
    with pytest.raises(Refused) as refusal:
        _judge(public, identity="https://attacker.example/x")
    assert refusal.value.code == "verify.wrong_identity"
