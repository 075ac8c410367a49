"""What was dropped after the snapshot is in its catalogs still, and nobody has rights on it any more."""

from __future__ import annotations

import psycopg
import pytest

from aegis.adapters.postgres.catalog import check_visible, read_tables
from aegis.adapters.postgres.session import session
from aegis.core.errors import CouldNotDecide
from tests.support.databases.postgres import Server


@pytest.mark.parametrize("statement", ["DROP TABLE goes", "DROP SCHEMA s CASCADE"])
def test_a_table_that_is_gone_is_no_question_of_rights(postgres: Server, postgres_url: str, statement: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("CREATE TABLE goes (a int); CREATE SCHEMA s; CREATE TABLE s.goes_too (a int)")
        with session(postgres_url, 60) as asked:
            asked.begin()
            asked.row("SELECT 1")
            other.execute(statement.encode())
            tables = read_tables(asked)
            assert {table.name for table in tables} == {"goes", "goes_too"}
            check_visible(tables)


def test_a_table_without_the_right_still_is(postgres: Server, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f"CREATE TABLE t (a int); CREATE ROLE of_{name} LOGIN PASSWORD 'x'".encode())
    with session(postgres.url(name, user=f"of_{name}", password="x"), 60) as asked:
        asked.begin()
        with pytest.raises(CouldNotDecide) as caught:
            check_visible(read_tables(asked))
        assert caught.value.code == "backup_check.privilege_missing"
