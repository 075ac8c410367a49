"""Each test runs over SQLite and over a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_multimodal_ai_system.database import Database, open_database
from tests.integration.database.logs import with_tables
from tests.support.databases.patient_aegis import patient
from tests.support.databases.postgres import Server, postgres

__all__ = ["postgres"]


@pytest.fixture(autouse=True, scope="module")
def patient_module() -> Iterator[None]:
    """For all tests."""
    with patient():
        yield


@pytest.fixture(scope="session")
def template(postgres: Server) -> str:
    """A database with this version's tables, to be copied."""
    name = postgres.new_database()
    with patient():
        with_tables(postgres.url(name))
    return name


@pytest.fixture
def log_url(postgres: Server, template: str) -> Iterator[str]:
    """A database of the test's own for an audit log."""
    name = postgres.new_database(template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database's address."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/aegis.db"
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.new_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """With its tables."""
    opened = open_database(database_url)
    opened.migrate()
    yield opened
    opened.close()
