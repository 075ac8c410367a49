"""One server and one shop for each process of the tests; each test breaks a copy of its backups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backup.shop import shop
from tests.support.backup.way import Shelf
from tests.support.databases.patient_aegis import patient
from tests.support.databases.postgres import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def database(server: Server) -> str:
    """The shop, which no test changes."""
    return shop(server)


@pytest.fixture(scope="session")
def healthy(server: Server, database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shelf]:
    """A backup of the shop in each form, which no test changes."""
    shelves = {}
    for form in ("directory", "custom"):
        shelves[form] = Shelf(tmp_path_factory.mktemp("healthy") / form)
        with patient():
            shelves[form].take(server, database, stream=form == "custom")
    return shelves


@pytest.fixture
def shelf(healthy: dict[str, Shelf], tmp_path: Path) -> Shelf:
    """A copy of the backup that several sessions wrote."""
    return healthy["directory"].copy(tmp_path / "store")


@pytest.fixture
def streamed(healthy: dict[str, Shelf], tmp_path: Path) -> Shelf:
    """A copy of the backup that was streamed."""
    return healthy["custom"].copy(tmp_path / "streamed")


@pytest.fixture(params=[False, True], ids=["healthy", "broken"])
def broken(request: pytest.FixtureRequest) -> bool:
    """Each row of the catalogue runs twice: with its fault, and as its healthy twin."""
    return bool(request.param)
