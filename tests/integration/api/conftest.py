"""Issuers and a signed model for the service's process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.oidc_issuer import Issuers, serve_issuers
from tests.support.runtime.service import config_folder


@pytest.fixture(scope="session")
def issuers() -> Iterator[Issuers]:
    with serve_issuers() as served:
        yield served


@pytest.fixture(scope="session")
def auth_file(issuers: Issuers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return issuers.auth_file(tmp_path_factory.mktemp("auth"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return config_folder(tmp_path / "config")
