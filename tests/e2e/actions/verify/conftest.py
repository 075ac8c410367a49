"""The verify action as a consumer's workflow calls it, beside a cloud that judges tokens, sessions and requests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud, cloud
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.e2e.actions.conftest import told
from tests.e2e.actions.watched import KEEP, WARM, Watched, installed_lock
from tests.support.actions import staged
from tests.support.actions.act import Act, Run
from tests.support.signing.signing import pem, private

VERIFY, ROOT_ACTION = "org/aegis/actions/verify@v1", "org/aegis@v1"
KEY, TRUSTED_ROOT = "keys/model.pub", "keys/trusted_root.json"
BY_KEY = {"key": KEY}
BY_IDENTITY = {"identity": IDENTITY, "issuer": ISSUER, "claims": {"repository-id": "700000001"}}
FRAUD = {"name": "fraud", "kind": "model", "source": f"s3://{BUCKET}/fraud/", "signers": [BY_KEY]}
RANKING = {"name": "ranking", "kind": "model", "source": f"s3://{BUCKET}/ranking/", "signers": [BY_IDENTITY]}
SCAN = {"allow": [{"path": "src/shop/adapters/**", "provider": "aws", "reason": "adapter"}]}
INPUTS = {"aws-role-to-assume": ARN, "aws-region": REGION, "upload": "never"}


@dataclass
class Staging(Watched):
    """A consumer whose models lie in a cloud."""

    sigstore: PrivateSigstore = field(kw_only=True)
    verify: dict[str, Any] = field(default_factory=dict)
    """The section of the policy, but for the addresses of the cloud."""

    def policy(self, **changes: Any) -> str:
        """The policy file."""
        verify = {"aws": self.cloud.places, "trusted-root": TRUSTED_ROOT, **self.verify, **changes}
        return yaml.safe_dump({"version": 1, "scan": SCAN, "verify": verify})

    def adopt(self, files: Mapping[str, str | bytes] | None = None) -> None:
        """The first commit, with policy, key and trusted root."""
        key = pem(private("ecdsa-p256", 0))
        root = self.sigstore.trusted_root()
        given: dict[str, str | bytes] = {"aegis.yml": self.policy(), KEY: key, TRUSTED_ROOT: root}
        super().adopt({**given, **(files or {})})

    def sign(self, **request: Any) -> staged.Sign:
        """The builders' identity, or another."""
        return staged.by_identity(self.sigstore, **request)


def assert_refused(staging: Staging, run: Run, *rules: str) -> None:
    """Red for exactly these reasons, which stand in annotations and summary."""
    assert not run.green
    assert told(run) == "fail core.findings"
    assert sorted(staging.rules()) == sorted(rules)
    for rule in rules:
        assert any(note.title.startswith(f"{rule}:") for note in run.errors()), run.annotations


def assert_misconfigured(run: Run, reason: str, *says: str) -> None:
    """Red because of the workflow or the policy, with exit code 2."""
    assert not run.green
    assert told(run) == f"error {reason}"
    for text in says:
        assert any(text in note.message for note in run.errors()), run.annotations
    assert "exit status 2" in run.log or "exitcode '2'" in run.log, run.log[-2000:]


def assert_undecided(staging: Staging, run: Run, reason: str, *says: str) -> None:
    """Red for want of an answer, with exit code 3."""
    assert not run.green
    assert told(run) == f"error {reason}"
    assert staging.verdict()["decision"] == "could-not-decide"
    for text in says:
        assert any(text in note.message for note in run.errors()), run.annotations


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the environment of the action's default lock, as a gate before left it."""
    return installed_lock("keyless", tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def sigstore() -> PrivateSigstore:
    """The Sigstore of the tests' organisation."""
    return PrivateSigstore()


@pytest.fixture
def served() -> Iterator[Cloud]:
    """A cloud that trusts the job, with empty buckets."""
    with cloud() as running:
        yield running


@pytest.fixture
def staging(
    tmp_path: Path, exported: Path, uv_folder: Path, installed: Path, sigstore: PrivateSigstore, served: Cloud
) -> Iterator[Staging]:
    """A consumer of the verify action: one model signed by a key, one by an identity."""
    work = tmp_path / "runner"
    work.mkdir()
    act = Act(exported, work, (uv_folder,), {"INSTALLED": str(installed)})
    stage = Staging(tmp_path, act, VERIFY, dict(INPUTS), before=WARM, after=KEEP, cloud=served, sigstore=sigstore)
    stage.verify = {"artifacts": [FRAUD, RANKING]}
    served.put(staged.model(staged.WEIGHTS, staged.by_key()), "fraud/")
    served.put(staged.model(staged.WEIGHTS, stage.sign()), "ranking/")
    yield stage
    # pytest keeps the folders of three runs, and a runner's are large
    for folder in (work, stage.kept):
        shutil.rmtree(folder, ignore_errors=True)
