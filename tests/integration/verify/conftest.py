from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.verify.command import Command, write_key
from tests.support.scan.gitrepo import HERMETIC, GitRepo

CLEARED = ("COSIGN_PUB_KEY", "COSIGN_PASSWORD", "AWS_REGION", "AWS_ROLE_TO_ASSUME", "OCI_CLIENT_ID", "GITHUB_ACTIONS")


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")


@pytest.fixture
def aegis(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Private key 0."""
    return write_key(tmp_path)
