"""What a backup of one server comes to on another: roles, and roles that see one database only."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from aegis.adapters.postgres.dump import Dumper
from aegis.adapters.postgres.session import Session
from aegis.adapters.postgres.snapshot import read_inventory
from aegis.adapters.postgres.tools import tools_at
from aegis.backup.own_settings import OwnSetting
from aegis.core.errors import CouldNotDecide
from tests.support.backup.shop import run
from tests.support.backup.way import PASS, Ran, Shelf, command
from tests.support.databases.postgres import Server, binaries, running

USES = """
CREATE TABLE t (a int);
ALTER TABLE t OWNER TO owns;
GRANT SELECT (a) ON t TO may_read;
ALTER DEFAULT PRIVILEGES FOR ROLE has_defaults GRANT SELECT ON TABLES TO PUBLIC;
CREATE POLICY p ON t TO in_a_policy USING (true);
SELECT lo_create(77);
ALTER LARGE OBJECT 77 OWNER TO owns_large;
"""
USED = {"owns", "may_read", "has_defaults", "in_a_policy", "owns_large"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    """Whose cluster has roles that its dump names, and others."""
    name = server.new_database()
    run(server, name, *(f"CREATE ROLE {role}" for role in sorted(USED)))
    run(server, name, "CREATE ROLE idle LOGIN", "CREATE ROLE installs SUPERUSER")
    run(server, name, "SET ROLE installs; CREATE EXTENSION hstore", USES)
    return name


@pytest.fixture
def shelf(server: Server, database: str, tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path / "store")
    made.take(server, database)
    return made


def restore(shelf: Shelf, url: str, *words: str | Path) -> Ran:
    return command(
        *("backup", "restore", "latest", "--policy", shelf.written(), *words),
        programs=binaries(), environ={"AEGIS_DATABASE_URL": url} if url else {},
    )  # fmt: skip


def limited(server: Server, name: str, password: str) -> str:
    """The address of a new database for a role that may connect to no other one."""
    run(
        server, "postgres",
        f'CREATE DATABASE "{name}"',
        f"CREATE ROLE only_{password} LOGIN PASSWORD '{password}' BYPASSRLS",
        f"GRANT pg_read_all_data TO only_{password}",
        *(f"REVOKE CONNECT ON DATABASE {each} FROM PUBLIC" for each in ("postgres", "template1")),
    )  # fmt: skip
    return server.url(name.replace("=", "%3D"), user=f"only_{password}", password=password)


def test_roles_that_a_dump_names_are_told_from_others(server: Server, database: str) -> None:
    assert {each.name for each in read_inventory(server.url(database)).roles if each.used} == USED


def test_who_made_the_cluster_is_named_where_something_is_theirs(server: Server) -> None:
    name = server.new_database()
    assert not [each for each in read_inventory(server.url(name)).roles if each.used]
    run(server, name, "CREATE VIEW v AS SELECT 1")
    assert [each.name for each in read_inventory(server.url(name)).roles if each.used] == ["postgres"]
    run(server, name, "ALTER VIEW v OWNER TO pg_monitor", "GRANT SELECT ON v TO postgres")
    assert [each.name for each in read_inventory(server.url(name)).roles if each.used] == ["postgres"]


def test_only_roles_that_are_named_are_asked_of_a_target(shelf: Shelf, other: Server, tmp_path: Path) -> None:
    url = other.url(other.new_database())
    ran = restore(shelf, url)
    assert ran.code == 3
    told = ran.out + ran.err
    assert "backup_check.engine_lacks" in told
    assert all(f"role '{each}'" in told for each in USED)
    assert not any(f"role '{each}'" in told for each in ("idle", "installs"))
    assert "--no-owner" in told
    assert "--globals" in told

    file = tmp_path / "roles.sql"
    wrote = restore(shelf, "", "--globals", file)
    assert (wrote.code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600), wrote
    lines = [each for each in file.read_text("utf-8").splitlines() if each.startswith("CREATE ROLE")]
    assert {f"CREATE ROLE {each};" for each in USED} <= set(lines)
    run(other, "postgres", *(each for each in lines if each.removeprefix("CREATE ROLE ").removesuffix(";") in USED))
    ran = restore(shelf, url)
    assert ran.code == 0, ran


def test_roles_are_never_written_over_a_file(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "roles.sql"
    file.write_text("mine", "utf-8")
    link = tmp_path / "link.sql"
    link.symlink_to(tmp_path / "nowhere")
    for target in (file, link):
        ran = restore(shelf, "", "--globals", target)
        assert (ran.code, ran.reason) == (2, "core.wrong_usage")
    assert file.read_text("utf-8") == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_roles_that_were_changed_in_the_store_are_not_written(shelf: Shelf, tmp_path: Path) -> None:
    stored = shelf.newest()
    stored.change(stored.folder / "globals.sql", lambda data: data.replace(b"CREATE", b"CREATF", 1))
    ran = restore(shelf, "", "--globals", tmp_path / "roles.sql")
    assert (ran.code, ran.reason) == (1, "backup_check.object_damaged")
    assert not (tmp_path / "roles.sql").exists()


@pytest.mark.parametrize("name", ["alone", "a=b"])
def test_a_role_that_may_connect_to_its_own_database_only(server: Server, tmp_path: Path, name: str) -> None:
    url = limited(server, name, f"pw{len(name)}xyz")
    shelf = Shelf(tmp_path / "store")
    stored = shelf.take(server, name, url=url)
    assert b"CREATE ROLE" in (stored.folder / "globals.sql").read_bytes()


def test_no_words_are_told_beside_a_short_password(server: Server) -> None:
    run(server, "postgres", "CREATE ROLE short LOGIN PASSWORD 'p'")
    dumper = Dumper(tools=tools_at(binaries()), url=server.url("nowhere", user="short", password="p"))
    with pytest.raises(CouldNotDecide) as caught:
        dumper.globals("nowhere")
    assert caught.value.problem == (
        "pg_dumpall failed with exit code 1: its words are not shown beside so short a password"
    )


SEARCHED = "      smoke:\n        - name: searched\n          sql: SELECT count(*) = 1 FROM products\n"
PATH = '"a ""b"", c", app, "$user"'


@pytest.fixture
def searched(server: Server, tmp_path: Path) -> Shelf:
    """A backup of a database that has settings of its own."""
    name = server.new_database()
    run(
        server, name,
        "CREATE SCHEMA app", "CREATE TABLE app.products AS SELECT 1 AS i",
        f"ALTER DATABASE {name} SET search_path = {PATH}",
        f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'",
        f"""ALTER DATABASE {name} SET app.secret = 'it''s \\ "un=told"'""",
        f"ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'",
        f"ALTER ROLE idle IN DATABASE {name} SET work_mem = '7MB'",
    )  # fmt: skip
    shelf = Shelf(tmp_path / "store").of("database", SEARCHED)
    shelf.take(server, name)
    return shelf


@pytest.mark.usefixtures("database")
def test_questions_are_asked_under_the_settings_of_the_database(searched: Shelf) -> None:
    assert searched.drill(tier="full") == PASS
    assert "un=told" not in (searched.newest().folder / "manifest.json").read_text("utf-8")


@pytest.mark.usefixtures("database")
def test_settings_of_the_database_come_back(searched: Shelf, server: Server) -> None:
    name = server.new_database()
    ran = restore(searched, server.url(name))
    assert ran.code == 0, ran
    with psycopg.connect(server.url(name)) as connection:
        shown = [connection.execute(f"SHOW {each}".encode()).fetchone() for each in ("search_path", "timezone")]
        secret = connection.execute("SELECT current_setting('app.secret')").fetchone()
        of_role = connection.execute(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole JOIN pg_database d"
            " ON d.oid = setdatabase WHERE d.datname = current_database() AND rolname = 'idle'"
        ).fetchall()
    assert shown == [(PATH,), ("Asia/Tokyo",)]
    assert secret == ('it\'s \\ "un=told"',)
    assert of_role == [(["work_mem=7MB"],)]
    assert "'session_preload_libraries' is not set" in ran.out
    assert "GRANT … ON DATABASE" in ran.out
    assert "un=told" not in ran.out + ran.err


@pytest.mark.usefixtures("database")
def test_a_setting_that_a_target_refuses_is_told(searched: Shelf, other: Server) -> None:
    name = other.new_database()
    ran = restore(searched, other.url(name), "--no-owner")
    assert ran.code == 0, ran
    assert "the setting 'work_mem' for the role 'idle' is not set" in ran.out


@pytest.mark.usefixtures("database")
def test_a_setting_that_is_not_as_it_was_is_a_difference(
    searched: Shelf, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnSetting, "values", property(lambda setting: (f"{setting.value}", setting.name)[:1]))
    ran = restore(searched, server.url(server.new_database()))
    assert (ran.code, "backup_check.database_differs" in ran.out) == (1, True), ran


def test_a_tablespace_need_not_be_where_a_backup_is_restored(server: Server, other: Server, tmp_path: Path) -> None:
    place = server.folder / "fast"
    place.mkdir()
    place.chmod(0o777)
    name = server.new_database()
    run(server, name, f"CREATE TABLESPACE fast LOCATION '{place}'")
    run(server, name, "CREATE TABLE t TABLESPACE fast AS SELECT 1 AS a")
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name)
    ran = restore(shelf, other.url(other.new_database()))
    assert ran.code == 0, ran
    assert "tablespaces;" in ran.out


def test_a_database_without_an_encoding(server: Server, tmp_path: Path) -> None:
    run(server, "postgres", "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    run(server, "ascii", r"CREATE TABLE t AS SELECT convert_from('\xe9ff'::bytea, 'SQL_ASCII') AS x")
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, "ascii")
    assert shelf.drill(tier="full") == PASS


def test_checksums_let_their_locks_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name = server.new_database()
    run(server, name, *(f"CREATE TABLE t{i} (a int PRIMARY KEY, b int UNIQUE)" for i in range(160)))
    most = []
    row = Session.row

    def counted(asked: Session, query: str, what: str = "its catalog") -> object:
        found = row(asked, query, what)
        if what.startswith("table "):
            most.append(row(asked, "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")[0])
        return found

    monkeypatch.setattr(Session, "row", counted)
    assert len(read_inventory(server.url(name), jobs=1).tables) == 160
    assert len(most) == 160
    assert max(most) < 50 * 3 + 10
