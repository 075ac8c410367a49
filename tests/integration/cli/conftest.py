from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import real_engine
from tests.support.gitrepo import HERMETIC, GitRepo


@pytest.fixture(scope="session")
def engine() -> Path:
    return real_engine()


@pytest.fixture(autouse=True)
def _surroundings(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AEGIS_SEMGREP_CORE", str(engine))


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")
