"""Services that answer, and refuse or are not trusted: the job says so, and leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.doubles.github import Fault
from tests.interop.clients import VERIFIERS, Job
from tests.interop.instance import AUDIENCE, Sigstore
from tests.interop.strangers import PARTS, with_another
from tests.interop.undecided import could_not_decide


@pytest.mark.parametrize("kind", VERIFIERS)
def test_token_that_its_issuer_has_not_signed(
    sigstore: Sigstore, job: Job, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sigstore.issuer, "give", sigstore.issuer.token(AUDIENCE, key="mallory"))
    could_not_decide(job, tmp_path, kind, "verify.signing_failed", "HTTP 400")


def test_token_of_another_issuer(sigstore: Sigstore, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = sigstore.issuer.token(AUDIENCE, iss="https://issuer.example")
    monkeypatch.setattr(sigstore.issuer, "give", stranger)
    could_not_decide(job, tmp_path, "file", "verify.signing_failed", "HTTP 400")


def test_run_of_which_fulcio_is_told_too_little(
    sigstore: Sigstore, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sigstore.issuer.claims, "job_workflow_sha")
    could_not_decide(job, tmp_path, "file", "verify.signing_failed", "HTTP 400")


def test_no_token(sigstore: Sigstore, job: Job, tmp_path: Path) -> None:
    sigstore.issuer.faults.append(Fault(status=403, message="no"))
    could_not_decide(job, tmp_path, "file", "verify.token_refused")
    assert sigstore.issuer.faults == []


@pytest.mark.parametrize("part", PARTS)
def test_services_that_the_trust_config_does_not_trust(sigstore: Sigstore, tmp_path: Path, part: str) -> None:
    distrusting = replace(sigstore, trusted_root=with_another(sigstore.trusted_root, part))
    could_not_decide(Job.within(tmp_path, distrusting), tmp_path, "file", "verify.signing_failed")
