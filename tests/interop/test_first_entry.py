"""The very first entry of a log: its index is 0, which protojson may leave out, and its proof is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import artifacts
from tests.interop.clients import Job
from tests.interop.instance import running


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    (tmp_path / "services").mkdir()
    with running(tmp_path / "services") as instance:
        yield Job.within(tmp_path, instance)


@pytest.mark.parametrize("kind", ["file", "attestation"])
def test_it_is_taken(job: Job, tmp_path: Path, kind: str) -> None:
    artifact, bundle = artifacts.write(kind, tmp_path), tmp_path / "signature.json"
    signed = job.sign("cosign", kind, artifact, bundle)
    assert signed.returncode == 0, signed.stderr
    (entry,) = json.loads(bundle.read_bytes())["verificationMaterial"]["tlogEntries"]
    assert "logIndex" not in entry
    # sigstore-python 4.5.1 refuses such a bundle: it wants the field
    for verifier in ("aegis", "cosign"):
        done = job.verify(verifier, kind, artifact, bundle)
        assert done.returncode == 0, done.stderr
