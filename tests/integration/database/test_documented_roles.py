"""The database's roles as docs/infra.md makes them: its own SQL, run by an owner who is no superuser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from aegis_multimodal_ai_system.database import open_database
from tests.integration.database.logs import event, opened
from tests.support.databases.postgres import Server

PAGE = Path(__file__).resolve().parents[3] / "docs" / "infra.md"
TABLES = ("audit_entries", "audit_log", "audit_nodes", "model_states")
PASSWORD = "of-this-test"


def statements() -> tuple[str, str]:
    """Before the first migration, and after it."""
    section = PAGE.read_text("utf-8").partition("\n## Roles of the database\n")[2].partition("\n## ")[0]
    before, after = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return before, after


def run(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(cast("Any", text))


@pytest.fixture
def name(postgres: Server) -> Iterator[str]:
    """A database of the role `aegis`, with the tables and the roles that the page makes."""
    name = postgres.new_database()
    run(
        postgres.url(),
        f"CREATE ROLE aegis LOGIN CREATEROLE PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO aegis WITH ADMIN OPTION",
    )
    run(postgres.url(), f'ALTER DATABASE "{name}" OWNER TO aegis')
    owner = postgres.url(name, user="aegis", password=PASSWORD)
    before, after = statements()
    try:
        run(owner, before)
        for role in ("aegis_api", "aegis_backup"):
            run(postgres.url(), f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        database = open_database(owner)
        database.migrate()
        database.close()
        run(owner, after)
        yield name
    finally:
        postgres.drop_database(name)
        run(postgres.url(), "DROP ROLE IF EXISTS aegis_api; DROP ROLE IF EXISTS aegis_backup; DROP ROLE aegis")


def test_the_service_works_and_can_take_nothing_back(postgres: Server, name: str) -> None:
    url = postgres.url(name, user="aegis_api", password=PASSWORD)
    database = open_database(url)
    database.migrate()  # it is of this version, which is all that the service asks
    assert database.states.mark_unverified("m", "verify.expired").state == "unverified"
    database.close()
    with opened(url) as log:
        assert log.append(event()).index == 0
        log.check()
    for table in TABLES:
        for refused in (
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} ADD x int",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(url, refused)
    for refused in ("UPDATE audit_entries SET entry = ''", "CREATE TABLE mine ()", "CREATE ROLE mine"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(url, refused)


def test_backups_read_everything_and_write_nothing(postgres: Server, name: str) -> None:
    url = postgres.url(name, user="aegis_backup", password=PASSWORD)
    for table in (*TABLES, "alembic_version"):
        run(url, f"SELECT * FROM {table}")
    for table in TABLES:
        for refused in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(url, refused)
