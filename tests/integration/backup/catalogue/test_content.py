"""Rows 3, 7, 10 to 15, 22 and 23: archives that are whole, and do not hold what the database held."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psycopg
import pytest

from aegis.backup.inventory import Extension
from tests.support.backup.shop import run, shop
from tests.support.backup.way import PASS, RefusedError, Shelf, dumped, fails, programs, undecided
from tests.support.databases.postgres import Server, running


def test_03_one_letter_of_one_row(server: Server, database: str, shelf: Shelf, broken: bool) -> None:
    """What a flipped bit does that the archive's form does not tell: as many rows, restored without an error."""
    other = server.new_database(database)
    if broken:
        run(server, other, "UPDATE accounts SET note = overlay(note placing 'x' from 7 for 1) WHERE id = 77")
    shelf.newest().archive(dumped(server, other))
    assert shelf.drill() == (fails("table_content") if broken else PASS)


@pytest.mark.parametrize("what", ["healthy", "empty", "schema only", "staging"])
def test_07_a_dump_of_the_wrong_thing(server: Server, database: str, shelf: Shelf, what: str) -> None:
    """Its size looks right for a while, and it restores without an error."""
    stored = shelf.newest()
    other = server.new_database("template0" if what == "empty" else database)
    if what == "staging":
        run(server, other, "DELETE FROM orders WHERE account > 600")
    options = ["--schema-only"] if what == "schema only" else []
    stored.archive(dumped(server, other, *options))
    broken = fails("extension_missing" if what == "empty" else "table_content")
    assert shelf.drill() == (PASS if what == "healthy" else broken)


def role_url(server: Server, database: str, name: str, *statements: str) -> str:
    """The address of the shop for a role of its own."""
    run(server, database, f"CREATE ROLE {name} LOGIN PASSWORD 'of-{name}'", *statements)
    return server.url(database, user=name, password=f"of-{name}")


def test_10_row_security_hides_rows(server: Server, tmp_path: Path, broken: bool) -> None:
    """pg_dump with `--enable-row-security` dumps the rest without a word."""
    name = server.new_database()
    role = f"rls_{name}"
    run(server, name, "CREATE TABLE t AS SELECT i FROM generate_series(1, 10) AS i")
    run(server, name, "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (i < 6)")
    url = role_url(server, name, role, f"GRANT pg_read_all_data TO {role}")
    shelf = Shelf(tmp_path / "store")
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, name, url=url)
        assert caught.value.code == "backup_check.rows_hidden"
        assert shelf.backups() == []
    else:
        run(server, name, f"ALTER ROLE {role} BYPASSRLS")
        shelf.take(server, name, url=url)
        assert shelf.drill() == PASS


def test_11_a_table_that_the_role_may_not_read(server: Server, tmp_path: Path, broken: bool) -> None:
    name = server.new_database()
    role = f"reads_{name}"
    run(server, name, "CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE forgotten AS SELECT 2 AS b")
    url = role_url(server, name, role, f"GRANT SELECT ON t TO {role}")
    shelf = Shelf(tmp_path / "store")
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, name, url=url)
        assert caught.value.code == "backup_check.privilege_missing"
        assert shelf.backups() == []
    else:
        run(server, name, f"GRANT SELECT ON forgotten TO {role}")
        shelf.take(server, name, url=url)
        assert shelf.drill() == PASS


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], ""),
        (["--exclude-table=audit_trail"], "table_missing"),
        (["--exclude-table-data=audit_trail"], "table_content"),
        (["--schema=public", "--extension=hstore"], "restore_failed"),
        (["--no-large-objects"], "large_objects"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_11_a_dump_that_leaves_something_out(
    server: Server, database: str, shelf: Shelf, options: list[str], code: str
) -> None:
    shelf.newest().archive(dumped(server, database, *options))
    assert shelf.drill() == (fails(code) if options else PASS)


def test_12_owners_and_grants_are_missing(server: Server, database: str, shelf: Shelf, broken: bool) -> None:
    options = ["--no-owner", "--no-acl"] if broken else []
    shelf.newest().archive(dumped(server, database, *options))
    assert shelf.drill(tier="full") == (fails("schema_differs") if broken else PASS)


@pytest.mark.parametrize("what", ["healthy", "extension", "ICU", "locale"])
def test_13_what_the_engine_must_have_is_not_there(shelf: Shelf, what: str) -> None:
    """Restored without it, tables are lost and the rest reports success; told before anything is restored."""
    stored = shelf.newest()
    manifest = stored.manifest
    if what == "extension":
        stored.told(extensions=(*manifest.extensions, Extension(name="postgis", version="3.5")))
    elif what != "healthy":
        needs = {"locale_provider": "icu", "icu_locale": "de-DE"} if what == "ICU" else {"collate": "xx_YY.UTF-8"}
        stored.told(database=msgspec.structs.replace(manifest.database, **needs))
    assert shelf.drill() == (PASS if what == "healthy" else undecided("engine_lacks"))


@pytest.mark.parametrize("sequence", ["", "invoices", "accounts_id_seq"])
def test_14_a_sequence_is_behind(server: Server, database: str, shelf: Shelf, sequence: str) -> None:
    """The first insert after the recovery collides."""
    other = server.new_database(database)
    if sequence:
        run(server, other, f"SELECT setval('{sequence}', 12)")
    shelf.newest().archive(dumped(server, other))
    assert shelf.drill() == (fails("sequence_position") if sequence else PASS)


WRITES = """
case "$*" in *format=directory*) "$(dirname "$0")/psql" -qX -v ON_ERROR_STOP=1 "{}" -c "{}" >&2 || exit 9; esac
exec "$real" "$@"
"""
"""Somebody writes between the snapshot and the dump."""


def test_15_rows_change_while_they_are_dumped(server: Server, database: str, tmp_path: Path, broken: bool) -> None:
    """Counts of the live database differ from a good backup; only the snapshot's are those of the dump."""
    name = server.new_database(database)
    change = "DELETE FROM orders WHERE account < 50; UPDATE accounts SET note = ''; SELECT lo_unlink(4712)"
    writes = WRITES.format(server.socket_url(name), change)
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name, programs=programs(tmp_path / "writes", server.bin, pg_dump=writes))
    if broken:  # what is counted after the dump
        shelf.newest().archive(dumped(server, name))
    assert shelf.drill() == (fails("table_content") if broken else PASS)


def test_15_a_sequence_is_set_back_while_it_is_dumped(
    server: Server, database: str, tmp_path: Path, broken: bool
) -> None:
    name = server.new_database(database)
    writes = WRITES.format(server.socket_url(name), f"SELECT setval('invoices', {3 if broken else 5000})")
    shelf = Shelf(tmp_path / "store")
    backs = programs(tmp_path / "writes", server.bin, pg_dump=writes)
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, name, programs=backs)
        assert caught.value.code == "backup_check.tables_changed"
        assert shelf.backups() == []
    else:
        shelf.take(server, name, programs=backs)
        assert shelf.drill() == PASS


def test_15_tables_cannot_be_rewritten_meanwhile(server: Server, database: str, tmp_path: Path, broken: bool) -> None:
    """TRUNCATE empties a table for older snapshots, too; it waits until the backup is done, or gives up."""
    name = server.new_database(database)
    statement = "SET lock_timeout = '100ms'; TRUNCATE audit_trail" if broken else "DELETE FROM audit_trail"
    writes = WRITES.format(server.socket_url(name), statement).replace(" || exit 9", "")
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name, programs=programs(tmp_path / "writes", server.bin, pg_dump=writes))
    assert shelf.drill() == PASS
    with psycopg.connect(server.socket_url(name)) as connection:
        assert connection.execute("SELECT count(*) FROM audit_trail").fetchone() == (200 if broken else 0,)


def test_23_a_page_of_the_source_is_torn(tmp_path: Path, broken: bool) -> None:
    with running(settings=["zero_damaged_pages=off"]) as own:
        name = shop(own)
        with psycopg.connect(own.socket_url(name), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            (file,) = connection.execute("SELECT pg_relation_filepath('accounts')").fetchone() or ("",)
        own.stop()
        if broken:
            with (own.data / file).open("r+b") as heap:
                heap.seek(3 * 8192)
                heap.write(b"\xff" * 512)
        own.start()
        shelf = Shelf(tmp_path / "store")
        if broken:
            with pytest.raises(RefusedError) as caught:
                shelf.take(own, name)
            assert caught.value.code in ("backup_check.dump_failed", "backup_check.database_unavailable")
            assert shelf.backups() == []
        else:
            shelf.take(own, name)
            assert shelf.drill() == PASS


def test_23_a_unique_index_of_the_source_missed_a_row(
    server: Server, database: str, tmp_path: Path, broken: bool
) -> None:
    """The dump has the row twice, as the table has it; only a restore that makes the index tells."""
    name = server.new_database(database)
    unique = "UPDATE pg_index SET indisunique = {} WHERE indexrelid = 'accounts_mail_key'::regclass"
    if broken:
        run(
            server, name, "SET allow_system_table_mods = on", unique.format(False),
            "INSERT INTO accounts (mail) SELECT mail FROM accounts WHERE id = 7", unique.format(True),
        )  # fmt: skip
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name)
    assert shelf.drill() == (fails("restore_failed") if broken else PASS)
