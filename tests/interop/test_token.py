"""The job's OIDC token: it goes to Fulcio, and into nothing that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import artifacts
from tests.interop.clients import VERIFIERS, Job
from tests.interop.instance import Sigstore


@pytest.mark.parametrize("kind", VERIFIERS)
def test_it_is_masked_and_stands_nowhere(sigstore: Sigstore, job: Job, tmp_path: Path, kind: str) -> None:
    artifact, out = artifacts.write(kind, tmp_path), tmp_path / "signature.json"
    done = job.sign("aegis", kind, artifact, out)
    token = sigstore.issuer.minted[-1]
    # stdout is the answer, e.g. for `bundle="$(aegis sign …)"`: it would swallow a word to the runner
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert done.stderr == f"::add-mask::{token}\n"
    for part in (token, token.split(".")[1], token.split(".")[2]):
        for file in tmp_path.rglob("*"):
            assert file.is_dir() or part.encode() not in file.read_bytes(), file
        for service in sigstore.services.values():
            assert part not in service.log.read_text(errors="replace"), service.name


def test_one_token_a_signature(sigstore: Sigstore, job: Job, tmp_path: Path) -> None:
    artifact, before = artifacts.write("file", tmp_path), len(sigstore.issuer.minted)
    for number in (1, 2):
        assert job.sign("aegis", "file", artifact, tmp_path / f"{number}.json").returncode == 0
        assert len(sigstore.issuer.minted) == before + number
