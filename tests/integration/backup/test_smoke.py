"""Questions to a restored database: one statement, one boolean, read-only, bounded, no rows in the answer."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from aegis.adapters.postgres.smoke import ask
from aegis.backup.drill import Answered
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Smoke
from tests.support.databases.postgres import Server, running

SECRET = "4929-1234-5678-9012"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    url = server.url(server.new_database())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE cards (number text UNIQUE); INSERT INTO cards VALUES ('{SECRET}')".encode())
        connection.execute(
            "CREATE FUNCTION fails() RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION '%', (SELECT number FROM cards); END $$"
        )
    return url


def asked(url: str, sql: str, seconds: float = 60) -> Answered:
    (answer,) = ask(url, [Smoke(name="cards are there", sql=sql)], seconds=seconds)
    assert answer.name == "cards are there"
    return answer


@pytest.mark.parametrize(
    ("sql", "ok", "said"),
    [
        ("SELECT count(*) > 0 FROM cards", True, "true"),
        ("SELECT count(*) > 0 FROM cards;", True, "true"),
        ("SELECT number LIKE '%4%' FROM cards -- 100 % of them", True, "true"),
        ("TABLE cards", False, "no boolean"),
        ("SELECT false", False, "false"),
        ("SELECT NULL::boolean", False, "null"),
        ("SELECT 1", False, "no boolean"),
        ("SELECT 'true'", False, "no boolean"),
        ("SELECT true WHERE false", False, "it gives no row"),
        ("SELECT true FROM generate_series(1, 2)", False, "it gives more than one row"),
        ("SELECT true, true", False, "it gives 2 columns, not one boolean"),
        ("SELECT", False, "it gives 0 columns, not one boolean"),
        ("", False, "it gives no rows"),
        ("-- nothing", False, "it gives no rows"),
        ("SELECT true; SELECT true", False, "it failed: SyntaxError (SQLSTATE 42601)"),
        ("ROLLBACK; DELETE FROM cards; SELECT true", False, "it failed: SyntaxError (SQLSTATE 42601)"),
        ("SELEC true", False, "it failed: SyntaxError (SQLSTATE 42601)"),
        ("SELECT true FROM users", False, "it failed: UndefinedTable (SQLSTATE 42P01)"),
        ("SELECT fails()", False, "it failed: RaiseException (SQLSTATE P0001)"),
        ("DELETE FROM cards RETURNING true", False, "it failed: ReadOnlySqlTransaction (SQLSTATE 25006)"),
        ("DROP TABLE cards", False, "it failed: ReadOnlySqlTransaction (SQLSTATE 25006)"),
        ("COMMIT", False, "it gives no rows"),
    ],
)
def test_what_counts_as_true(url: str, sql: str, ok: bool, said: str) -> None:
    answer = asked(url, sql)
    assert (answer.ok, answer.said) == (ok, said)
    assert SECRET not in repr(answer)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM cards").fetchone() == (1,)


def test_a_question_that_never_ends(url: str) -> None:
    with pytest.raises(CouldNotDecide, match=r"has no answer after 0\.2 s") as caught:
        asked(url, "SELECT pg_sleep(3600) IS NULL", seconds=0.2)
    assert caught.value.code == "backup_check.engine_exhausted"


def test_no_question_depends_on_another(url: str) -> None:
    first = Smoke(name="sets", sql="SELECT set_config('search_path', 'nowhere', false) = 'nowhere'")
    second = Smoke(name="finds", sql="SELECT count(*) = 1 FROM cards")
    assert [each.ok for each in ask(url, [first, second])] == [True, True]
    assert ask(url, []) == ()


def test_a_server_that_is_gone_says_nothing_of_the_backup(server: Server) -> None:
    for url in (server.url("nowhere"), server.url().replace(f":{server.port}/", ":1/")):
        with pytest.raises(CouldNotDecide, match="'q'") as caught:
            ask(url, [Smoke(name="q", sql="SELECT true")])
        assert caught.value.code == "backup_check.engine_failed"
        assert server.password not in str(caught.value)


def test_a_server_that_goes_meanwhile(url: str) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        asked(url, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert caught.value.code == "backup_check.engine_failed"
