"""The verify action as a consumer's workflow calls it, beside a cloud that judges tokens, sessions and requests."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.startup.environment import environment
from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud, cloud
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.e2e.actions.conftest import Stage, told
from tests.support import events, staged
from tests.support.act import ROOT, Act, Run
from tests.support.events import Event
from tests.support.leaks import secrets_in, without_masks
from tests.support.signing import pem, private

VERIFY, ROOT_ACTION = "org/aegis/actions/verify@v1", "org/aegis@v1"
KEY, TRUSTED_ROOT = "keys/model.pub", "keys/trusted_root.json"
BY_KEY = {"key": KEY}
BY_IDENTITY = {"identity": IDENTITY, "issuer": ISSUER, "claims": {"repository-id": "700000001"}}
FRAUD = {"name": "fraud", "kind": "model", "source": f"s3://{BUCKET}/fraud/", "signers": [BY_KEY]}
RANKING = {"name": "ranking", "kind": "model", "source": f"s3://{BUCKET}/ranking/", "signers": [BY_IDENTITY]}
SCAN = {"allow": [{"path": "src/shop/adapters/**", "provider": "aws", "reason": "adapter"}]}
INPUTS = {"aws-role-to-assume": ARN, "aws-region": REGION, "upload": "never"}
WARM = """\
      - name: A gate before this one
        run: mkdir -p "$RUNNER_TEMP/aegis" && ln -s "$INSTALLED"/* "$RUNNER_TEMP/aegis/"
"""
"""As after another gate with the same lock in the same job."""
KEEP = """\
      - name: Keep everything that the job leaves
        if: ${{ always() }}
        run: mkdir "$KEPT/$GITHUB_JOB-$$" && cp -a "$(dirname "$RUNNER_TEMP")/." "$KEPT/$GITHUB_JOB-$$/"
"""


@dataclass
class Staging(Stage):
    """A consumer whose models lie in a cloud."""

    cloud: Cloud = field(kw_only=True)
    sigstore: PrivateSigstore = field(kw_only=True)
    verify: dict[str, Any] = field(default_factory=dict)
    """The section of the policy, but for the addresses of the cloud."""
    token: bool = True
    """Whether the job may ask for an OIDC token."""
    actor: str = ""

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

    def surrounded(self) -> Act:
        """Act as the event needs it; it hides nothing, so that what is secret would be seen."""
        places = {"INSTALLED": self.act.env["INSTALLED"], "KEPT": str(self.kept), "TMPDIR": str(self.temporary)}
        env = {**places, **(self.cloud.job if self.token else {})}
        who = ("--actor", self.actor) if self.actor else ()
        return Act(self.act.action, self.act.work, self.act.path, env, ("--insecure-secrets", *who, *self.act.options))

    def run(self, event: Event) -> Run:
        """Run the workflow; fails if a secret stands anywhere afterwards."""
        run = self.surrounded().run(self.repository, event.name, event.payload)
        self.check_secrets(run)
        return run

    def changed(self, files: Mapping[str, str | bytes] | None = None, *, fork: bool = False) -> Run:
        """Run it for a pull request with these files, or with one that has nothing to do with models."""
        return self.run(events.pull_request(self.repository, files or {"README.md": "A shop.\n"}, fork=fork))

    def run_again(self) -> Run:
        """Run it once more for what is checked out."""
        shutil.rmtree(self.kept)
        return self.run(events.schedule())

    def check_secrets(self, run: Run) -> None:
        """Nothing that the job said or left holds one, byte by byte."""
        log = without_masks(run)
        assert secrets_in(self.cloud.secrets, log, [self.kept, self.temporary, self.act.work]) == []

    @property
    def kept(self) -> Path:
        """Copies of everything that the jobs left: workspace, files of commands, temporary folder."""
        return self._made("kept")

    @property
    def temporary(self) -> Path:
        """Where programs put temporary files."""
        return self._made("tmp")

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def verdict(self) -> dict[str, Any]:
        """The one verdict that the job wrote."""
        (file,) = self.kept.glob("*/tmp/aegis/verdict-*/verdict.json")
        found: dict[str, Any] = json.loads(file.read_bytes())
        return found

    def rules(self) -> list[str]:
        """The reasons of the verdict's findings."""
        return [finding["rule"] for finding in self.verdict()["findings"]]

    def sign(self, **request: Any) -> staged.Sign:
        """The builders' identity, or another."""
        return staged.by_identity(self.sigstore, **request)


def assert_refused(staging: Staging, run: Run, *rules: str) -> None:
    """Red for exactly these reasons, which stand in annotations and summary."""
    assert not run.green
    assert told(run) == "fail core.findings"
    assert staging.rules() == list(rules)
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
    cache = tmp_path_factory.mktemp("cache")
    place = environment("keyless", ROOT, cache, os.environ)
    folder = tmp_path_factory.mktemp("installed")
    (folder / place.name).symlink_to(place)
    return folder


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
        shutil.rmtree(folder)
