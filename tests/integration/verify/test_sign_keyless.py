"""`aegis sign … --keyless` as in a job: its token comes from GitHub's issuer and goes to the authority."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import github_oidc
from tests.doubles.sigstore import server
from tests.doubles.sigstore.server import Service
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.integration.verify.command import Command
from tests.support.signing.verifying import MODEL


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[github_oidc.Issuer]:
    with github_oidc.serve(github_oidc.Issuer(github_oidc.claims(sub=IDENTITY, iss=ISSUER))) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def sigstore(tmp_path: Path) -> Iterator[Service]:
    with server.serve(PrivateSigstore(at=datetime.datetime.now(datetime.UTC).replace(microsecond=0))) as running:
        (tmp_path / "trust-config.json").write_text(json.dumps(running.trust_config()))
        (tmp_path / "root.json").write_bytes(running.sigstore.trusted_root())
        yield running


def test_what_a_job_signs_is_taken_and_its_token_stands_in_no_answer(
    tmp_path: Path, issuer: github_oidc.Issuer, sigstore: Service, aegis: Command
) -> None:
    artifact, out = tmp_path / "config.json", tmp_path / "signature.json"
    artifact.write_bytes(MODEL["config.json"])
    done = aegis(
        "sign", "file", artifact, "--keyless", "--trust-config", tmp_path / "trust-config.json", "--bundle", out
    ).ends(0)
    (token,) = issuer.minted
    # `bundle="$(aegis sign …)"` would swallow a word to the runner, and hold what it is about
    assert done.out == f"{out}\n"
    assert done.err == f"::add-mask::{token}\n"
    assert token.encode() not in out.read_bytes()
    who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    aegis("verify", "file", artifact, *who, "--bundle", out, "--trusted-root", tmp_path / "root.json").ends(0)


def test_services_that_fail(tmp_path: Path, issuer: github_oidc.Issuer, sigstore: Service, aegis: Command) -> None:
    artifact, out = tmp_path / "config.json", tmp_path / "signature.json"
    artifact.write_bytes(MODEL["config.json"])
    before = sorted(tmp_path.rglob("*"))
    for path in (server.CERTIFICATES, server.ENTRIES):
        sigstore.fails = {path: [500]}
        aegis(
            "sign", "file", artifact, "--keyless", "--trust-config", tmp_path / "trust-config.json", "--bundle", out
        ).ends(3, "verify.signing_failed")
        assert sorted(tmp_path.rglob("*")) == before
