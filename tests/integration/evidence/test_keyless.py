"""Signed verdicts as the job `evidence` of `aegis init` makes them: `aegis all`, then `put --keyless`."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from aegis.cli.main import main
from tests.doubles import github_oidc
from tests.doubles.sigstore import server
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.support.verdicts.evidence_desk import ON_GITHUB, Desk

TRUST = "trust-config.json"


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[github_oidc.Issuer]:
    with github_oidc.serve(github_oidc.Issuer(github_oidc.claims(sub=IDENTITY, iss=ISSUER))) as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(autouse=True)
def _sigstore(desk: Desk) -> Iterator[None]:
    """A private one, whose root the repository keeps."""
    at = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with server.serve(PrivateSigstore(at=at)) as running:
        (desk.folder / TRUST).write_text(json.dumps(running.trust_config()))
        desk.repository.commit({"keys/root.json": running.sigstore.trusted_root()})
        yield


def adopt(desk: Desk, identity: str) -> None:
    desk.section = {
        "store": "kept/",
        "signers": [{"identity": identity, "issuer": ISSUER}],
        "trusted-root": "keys/root.json",
    }
    policy = {"version": 1, "scan": {}, "evidence": desk.section}
    desk.repository.commit({"aegis.yml": yaml.safe_dump(policy), "src/shop.py": "x = 1\n"})


def judge(desk: Desk) -> str:
    """`aegis all` as the root action runs it, for the commit that it gives back."""
    commit = desk.repository.sha()
    environ = {
        **ON_GITHUB,
        "GITHUB_SHA": commit,
        "GITHUB_WORKSPACE": str(desk.repository.root),
        "GITHUB_OUTPUT": str(desk.folder / "outputs.txt"),
        "GITHUB_STEP_SUMMARY": str(desk.folder / "summary.md"),
        "AEGIS_INPUT_OUTPUT": str(desk.folder / "out"),
        "AEGIS_INPUT_UPLOAD": "never",
    }
    for name, value in environ.items():
        desk.patch.setenv(name, value)
    # as the runner makes them for each step
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        Path(environ[name]).touch()
    desk.patch.chdir(desk.repository.root)
    assert main(["all", "--github"]) == 0
    return commit


def test_what_a_job_signs_is_found_by_who_names_it(desk: Desk, issuer: github_oidc.Issuer) -> None:
    adopt(desk, IDENTITY)
    commit = judge(desk)
    put = desk.aegis("put", desk.folder / "out", "--keyless", "--trust-config", desk.folder / TRUST).ends(0)
    done = desk.find("--commit", commit, "--gate", "scan", "--max-age", "1h").ends(0)
    (found,) = done.json["verdicts"]
    assert (found["method"], found["identity"], found["commits"]) == ("keyless", IDENTITY, [commit])
    assert found["signed_at"] is not None
    (token,) = issuer.minted
    assert [line for line in (put.out + put.err).splitlines() if token in line] == [f"::add-mask::{token}"]
    assert all(token.encode() not in file.read_bytes() for file in desk.files())
    flags = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    root = desk.repository.root / "keys/root.json"
    desk.find("--commit", commit, "--from", "kept/", "--trusted-root", root, *flags).ends(0)
    others = ("--certificate-identity", f"{IDENTITY}x", "--certificate-oidc-issuer", ISSUER)
    assert desk.find("--commit", commit, "--trusted-root", root, *others).ends(1).problems == ["verify.wrong_identity"]


@pytest.mark.usefixtures("issuer")
def test_a_job_whose_identity_the_policy_does_not_name_stores_nothing(desk: Desk) -> None:
    adopt(desk, "https://github.com/octo/widgets/.github/workflows/aegis.yml@refs/heads/main")
    judge(desk)
    put = desk.aegis("put", desk.folder / "out", "--keyless", "--trust-config", desk.folder / TRUST)
    put.ends(1, "verify.wrong_identity")
    assert desk.files() == []


def test_outside_of_a_workflow_there_is_no_identity(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    adopt(desk, IDENTITY)
    judge(desk)
    assert desk.aegis("put", desk.folder / "out", "--keyless").code in {2, 3}
    assert desk.files() == []
