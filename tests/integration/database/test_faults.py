"""A database that does not answer, that is of a newer version, or whose address nobody understands."""

from __future__ import annotations

import stat
import traceback
from pathlib import Path

import psycopg
import pytest

from aegis.adapters.postgres import connection as adapter
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis_multimodal_ai_system.database import Database, open_database
from tests.support.databases.postgres import Server, running
from tests.support.processes.privileges import as_nobody

SECRET = "hunter2secret"


def texts(error: BaseException) -> str:
    """All that a log could show of it, causes included."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def fails(code: str, database: Database) -> str:
    with pytest.raises(CouldNotDecide) as raised:
        database.states.get("m")
    assert raised.value.code == code
    return texts(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{SECRET}@host/db",
        f"postgresql+asyncpg://u:{SECRET}@host/db",
        f"POSTGRESQL://u:{SECRET}@host/db",
        f"postgresql://u:{SECRET}@host:{SECRET}/db?nonsense={SECRET}",
        f"postgresql://u:{SECRET}%zz@host/db",
        f"host=h password={SECRET}",
        f"{SECRET}",
        "sqlite://",
        "sqlite:///",
        f"sqlite:///file:x?key={SECRET}",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_database(url)
    assert refused.value.code == "runtime.database_url_invalid"
    assert SECRET not in str(refused.value) + repr(refused.value) + repr(vars(refused.value))
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_each_form_of_an_address(postgres: Server, scheme: str) -> None:
    name = postgres.new_database()
    database = open_database(postgres.url(name).replace("postgresql", scheme, 1))
    database.migrate()
    assert database.states.mark_unverified("m", "verify.expired").state == "unverified"
    database.close()
    postgres.drop_database(name)


def test_a_port_that_is_none_is_told_without_the_password() -> None:
    database = open_database(f"postgresql://u:{SECRET}@127.0.0.1:{SECRET}/db")
    assert SECRET not in fails("runtime.states_unavailable", database).replace(f":{SECRET}", "")


def test_nobody_listens() -> None:
    told = fails("runtime.states_unavailable", open_database(f"postgresql://u:{SECRET}@127.0.0.1:1/db"))
    assert SECRET not in told
    assert "127.0.0.1:1" in told


def test_a_wrong_password_is_not_told(postgres: Server) -> None:
    told = fails("runtime.states_unavailable", open_database(postgres.url(password=SECRET)))
    assert SECRET not in told


def test_tables_that_are_missing(database_url: str) -> None:
    fails("runtime.states_unavailable", open_database(database_url))


def test_the_server_goes_and_comes_back() -> None:
    with running() as server:
        database = open_database(server.url())
        database.migrate()
        database.states.revoke("m", "poisoned")
        server.stop()
        assert server.password not in fails("runtime.states_unavailable", database)
        server.start()
        state = database.states.get("m")
        assert state is not None
        assert state.state == "revoked"
        database.close()


def test_a_server_that_answers_no_more_counts_as_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter.connect, "__kwdefaults__", {"patience": 10.0})
    with running() as server:
        database = open_database(server.url())
        database.migrate()
        with server.frozen(), monkeypatch.context() as patched:
            patched.setattr(adapter, "_CONNECT", 2)
            fails("runtime.states_unavailable", database)
        monkeypatch.setattr(adapter, "_CONNECT", 300)  # it may take its time to come back
        assert database.states.get("m") is None
        database.close()


def test_a_lock_that_another_holds_is_not_waited_for_for_ever(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres.new_database()
    database = open_database(postgres.url(name))
    database.migrate()
    database.states.mark_unverified("m", "verify.expired")
    with monkeypatch.context() as patched:
        patched.setattr(adapter, "PATIENCE", 0.5)
        hurried = open_database(postgres.url(name))
    with psycopg.connect(postgres.url(name)) as holding:
        holding.execute("SELECT * FROM model_states FOR UPDATE")
        with pytest.raises(CouldNotDecide, match=r"57014|WaitTimeout") as raised:
            hurried.states.quarantine("m", "x")
        assert raised.value.code == "runtime.states_unavailable"
    assert database.states.quarantine("m", "x").state == "quarantined"
    hurried.close()
    database.close()
    postgres.drop_database(name)


def test_a_database_of_a_newer_version_is_refused(database: Database, database_url: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    old = open_database(database_url)
    with pytest.raises(CouldNotDecide, match="'9999'") as raised:
        old.migrate()
    assert raised.value.code == "runtime.database_newer"
    old.close()


def test_migrating_again_changes_nothing_and_needs_no_rights(database_url: str, postgres: Server) -> None:
    database = open_database(database_url)
    database.migrate()
    database.migrate()
    database.check()
    database.close()
    if not database_url.startswith("postgresql"):
        return
    with adapter.connect(database_url) as connection:
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'app'; GRANT SELECT, INSERT, UPDATE ON model_states TO app")
        connection.execute("GRANT SELECT ON alembic_version TO app")
    name = database_url.rpartition("/")[2]
    try:
        of_app = open_database(postgres.url(name, user="app", password="app"))
        of_app.migrate()
        assert of_app.states.mark_unverified("m", "verify.expired").state == "unverified"
        of_app.close()
    finally:
        with adapter.connect(database_url) as connection:
            connection.execute("DROP OWNED BY app; DROP ROLE app")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "aegis.db"
    file.write_bytes(b"not a database, but long enough to look like a page of one" * 20)
    fails("runtime.states_unavailable", open_database(f"sqlite:///{file}"))


def test_a_folder_in_the_place_of_one_is_told(tmp_path: Path) -> None:
    told = fails("runtime.states_unavailable", open_database(f"sqlite:///{tmp_path}"))
    assert f"SQLite in '{tmp_path}': IsADirectoryError" in told


def test_one_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "aegis.db").touch(0o444)
    database = open_database(f"sqlite:///{tmp_path}/aegis.db")
    told = as_nobody(tmp_path, lambda: fails("runtime.states_unavailable", database))
    assert f"SQLite in '{tmp_path}/aegis.db': PermissionError" in told


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fails("runtime.states_unavailable", open_database(f"sqlite:///{tmp_path}/file/below/aegis.db"))


def test_the_embedded_database_is_of_this_user_alone(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/data/aegis.db")
    database.migrate()
    database.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "aegis.db").stat().st_mode) == 0o600


def test_what_the_code_raises_is_handed_on(database: Database) -> None:
    with pytest.raises(AegisError, match="cannot be released"):
        database.states.release("m")
    assert database.states.get("m") is None
