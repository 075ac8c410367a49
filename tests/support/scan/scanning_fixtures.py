"""What every test of a scan needs: the real engine, a new repository, and git without anybody's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs.engine import real_engine
from tests.support.scan.gitrepo import HERMETIC, GitRepo


@pytest.fixture(scope="session")
def engine() -> Path:
    return real_engine()


@pytest.fixture(autouse=True)
def hermetic(engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AEGIS_SEMGREP_CORE", str(engine))


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")
