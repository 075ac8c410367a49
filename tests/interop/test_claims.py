"""What Fulcio writes into a certificate about a run, and what a policy asks of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.certificate import CLAIMS, read_leaf
from tests.interop import artifacts
from tests.interop.clients import AEGIS, Job
from tests.interop.instance import Sigstore
from tests.support.scan.gitrepo import GitRepo

HOST = "https://github.com/"
_NUMBERS = itertools.count(1)


def _expected(token: dict[str, Any]) -> dict[str, str]:
    """By the meaning that docs/oid-info.md of Fulcio gives to each."""
    repository, attempt = token["repository"], token["run_attempt"]
    return {
        "signer-workflow": HOST + token["job_workflow_ref"],
        "signer-workflow-sha": token["job_workflow_sha"],
        "runner-environment": token["runner_environment"],
        "repository": HOST + repository,
        "sha": token["sha"],
        "ref": token["ref"],
        "repository-id": token["repository_id"],
        "owner": HOST + token["repository_owner"],
        "owner-id": token["repository_owner_id"],
        "workflow": HOST + token["workflow_ref"],
        "workflow-sha": token["workflow_sha"],
        "trigger": token["event_name"],
        "run": f"{HOST}{repository}/actions/runs/{token['run_id']}/attempts/{attempt}",
        "visibility": token["repository_visibility"],
    }


def test_each_claim_is_read_as_fulcio_means_it(sigstore: Sigstore, job: Job, tmp_path: Path) -> None:
    leaf = _leaf(_signed(job, tmp_path))
    assert set(leaf.claims) == set(CLAIMS)
    assert leaf.claims == _expected(sigstore.issuer.claims)
    assert (leaf.kind, leaf.identity, leaf.issuer) == ("uri", sigstore.identity, sigstore.issuer.address)


def test_the_gate_asks_for_the_claims_of_its_policy(sigstore: Sigstore, job: Job, tmp_path: Path) -> None:
    _signed(job, tmp_path)
    claims = _expected(sigstore.issuer.claims)
    assert _judged(job, tmp_path, claims) == (0, [])
    for name in claims:
        assert _judged(job, tmp_path, {name: f"{claims[name]}x"}) == (1, ["verify.wrong_claim"]), name


def test_a_runner_of_their_own(sigstore: Sigstore, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sigstore.issuer.claims, "runner_environment", "self-hosted")
    _signed(job, tmp_path)
    assert _judged(job, tmp_path, {}) == (0, [])
    assert _judged(job, tmp_path, {}, **{"deny-self-hosted": True}) == (1, ["verify.self_hosted_runner"])


def test_a_run_in_an_environment(sigstore: Sigstore, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fulcio has an extension more for it (.23), which is no claim of a policy and does no harm."""
    monkeypatch.setitem(sigstore.issuer.claims, "environment", "staging")
    monkeypatch.setitem(sigstore.issuer.claims, "sub", "repo:octo/shop:environment:staging")
    bundle = _signed(job, tmp_path)
    oids = {each.oid.dotted_string for each in _leaf(bundle).certificate.extensions}
    assert "1.3.6.1.4.1.57264.1.23" in oids
    for verifier in ("aegis", "cosign", "sigstore"):
        assert job.verify(verifier, "file", tmp_path / "weights.bin", bundle).returncode == 0


def test_another_repository_s_workflow_is_another_identity(
    sigstore: Sigstore, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = job.who
    monkeypatch.setitem(
        sigstore.issuer.claims, "job_workflow_ref", "mallory/shop/.github/workflows/verify.yml@refs/heads/main"
    )
    bundle = _signed(job, tmp_path)
    for verifier in ("aegis", "cosign", "sigstore"):
        assert job.verify(verifier, "file", tmp_path / "weights.bin", bundle, who).returncode == 1
        assert job.verify(verifier, "file", tmp_path / "weights.bin", bundle).returncode == 0


def _signed(job: Job, folder: Path) -> Path:
    """The bundle beside a file in the folder."""
    artifact = artifacts.write("file", folder)
    done = job.sign("aegis", "file", artifact, folder / "weights.bin.sigstore.json")
    assert done.returncode == 0, done.stderr
    return folder / "weights.bin.sigstore.json"


def _leaf(bundle: Path) -> Any:
    return read_leaf(parse_bundle(bundle.read_bytes(), name=str(bundle)).certificates[0])


def _judged(job: Job, folder: Path, claims: dict[str, str], **more: Any) -> tuple[int, list[str]]:
    """The gate's exit code and its findings, for a policy that asks for these claims."""
    who = job.who
    signer = {"identity": who.identity, "issuer": who.issuer, "claims": claims, **more}
    section = {
        "trusted-root": "root.json",
        "artifacts": [{"name": "weights", "kind": "file", "source": "weights.bin", "signers": [signer]}],
    }
    repo = GitRepo.init(folder / f"repository-{next(_NUMBERS)}")
    names = ("weights.bin", "weights.bin.sigstore.json")
    repo.commit({
        "aegis.yml": yaml.safe_dump({"version": 1, "verify": section}),
        "root.json": json.dumps(who.trusted_root),
        **{name: (folder / name).read_bytes() for name in names},
    })  # fmt: skip
    done = job.run(*AEGIS, "verify", "--path", repo.root, "--format", "json", may_sign=False)
    assert done.stdout, done.stderr
    return done.returncode, [finding["rule"] for finding in json.loads(done.stdout)["findings"]]
