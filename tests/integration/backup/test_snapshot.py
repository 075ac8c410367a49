"""One moment of a database: under writers, and where it can't be had as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from aegis.adapters.postgres import session as pg_session
from aegis.adapters.postgres.snapshot import Held, hold, read_inventory
from aegis.backup.compare import compare
from aegis.backup.inventory import Inventory
from aegis.backup.manifest import Dump, StoredObject, dump_manifest, manifest_of, parse_manifest, time_text
from aegis.core.errors import AegisError, CouldNotDecide
from tests.support.backup.databases import dump, fill, restore
from tests.support.databases.pooler import pooling
from tests.support.databases.postgres import Server, running

ROUNDS = 3
PATIENCE = 300
"""Seconds on a busy machine, for what is not to end by itself meanwhile."""
BANK = """
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
CREATE TABLE branches (id serial PRIMARY KEY, balance int NOT NULL);
CREATE TABLE history (id bigserial, account int, delta int, at timestamptz DEFAULT clock_timestamp());
INSERT INTO accounts SELECT i, 0 FROM generate_series(1, 2000) i;
INSERT INTO branches (balance) SELECT 0 FROM generate_series(1, 5) i;
"""
TRANSFER = """
UPDATE accounts SET balance = balance + 7 WHERE id = {account};
UPDATE branches SET balance = balance + 7 WHERE id = {account} % 5 + 1;
INSERT INTO history (account, delta) VALUES ({account}, 7);
DELETE FROM history WHERE id = (SELECT min(id) FROM history) AND {account} % 3 = 0;
"""


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    name = postgres.new_database()
    yield name
    postgres.drop_database(name)


@contextmanager
def writing(server: Server, database: str, writers: int = 4) -> Iterator[Callable[[], None]]:
    """Writers as those of pgbench; what is given waits until each has written once more."""
    stop = threading.Event()
    turns = [threading.Semaphore(0) for _ in range(writers)]

    def write(number: int) -> None:
        with psycopg.connect(server.url(database)) as connection:
            turn = 0
            while not stop.is_set():
                connection.execute(TRANSFER.format(account=(number * 977 + turn * 31) % 2000 + 1).encode())
                connection.commit()
                turns[number].release()
                turn += 1

    def each_wrote() -> None:
        for turn in turns:
            while turn.acquire(blocking=False):
                pass
            turn.acquire()

    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(write, number) for number in range(writers)]
        try:
            yield each_wrote
        finally:
            stop.set()
            for each in running:
                each.result()


def refused(run: Callable[[], object]) -> AegisError:
    with pytest.raises(CouldNotDecide) as caught:
        run()
    return caught.value


def content(inventory: Inventory) -> dict[str, tuple[int | None, str | None]]:
    return {table.name: (table.rows, table.hash) for table in inventory.tables}


def test_a_backup_under_writers_is_equal_to_its_restore(postgres: Server, database: str, tmp_path: Path) -> None:
    fill(postgres, database, BANK)
    url = postgres.url(database)
    seen = []
    with writing(postgres, database) as each_wrote:
        for turn in range(ROUNDS):
            each_wrote()
            with hold(url) as held, ThreadPoolExecutor(1) as beside:
                reading = beside.submit(held.read)
                each_wrote()
                file = dump(postgres, database, tmp_path / f"dump{turn}", f"--snapshot={held.snapshot}")
                inventory = held.finish(reading.result())
            restored = restore(postgres, file)
            assert compare(inventory, read_inventory(postgres.url(restored))) == ()
            postgres.drop_database(restored)
            seen.append(inventory)
        each_wrote()
        now = read_inventory(url)
    rules = [difference.rule for difference in compare(seen[-1], now)]
    assert rules.count("backup_check.table_content") == 3
    assert len({each.tables[0].hash for each in seen}) == ROUNDS


def test_a_manifest_of_a_real_snapshot_reads_back(postgres: Server, database: str) -> None:
    fill(postgres, database, BANK)
    with hold(postgres.url(database)) as held:
        began = held.clock()
        inventory = held.finish(held.read())
        snapshot = held.described(dump_began=began, dump_ended=held.clock())
        assert held.database == inventory.database
    manifest = manifest_of(
        inventory,
        snapshot=snapshot,
        dump=Dump(format="custom", compression="zstd:1", jobs=1, client_version="17.11"),
        objects=(StoredObject(name="dump", size=1, sha256="0" * 64),),
        tool="aegis",
    )
    assert parse_manifest(dump_manifest(manifest)) == manifest
    assert snapshot.time <= snapshot.dump_began <= snapshot.dump_ended
    assert manifest.id.startswith(snapshot.time[:4])


def test_two_rows_that_swap_a_value_are_told(postgres: Server, database: str) -> None:
    swaps = range(30)
    make = "CREATE TABLE s{i} AS SELECT * FROM (VALUES (1, 'a{i}'), (2, 'b{i}')) AS v (id, name);"
    fill(postgres, database, "".join(make.format(i=i) for i in swaps))
    before = read_inventory(postgres.url(database))
    fill(postgres, database, "".join(f"UPDATE s{i} SET id = 3 - id;" for i in swaps))
    differences = compare(before, read_inventory(postgres.url(database)))
    assert {each.what for each in differences} == {f'table "public"."s{i}"' for i in swaps}


def test_a_doubled_row_in_place_of_another_is_told(postgres: Server, database: str) -> None:
    fill(postgres, database, "CREATE TABLE t AS SELECT i % 2 AS v FROM generate_series(0, 9) i")
    before = read_inventory(postgres.url(database))
    fill(postgres, database, "UPDATE t SET v = 0 WHERE ctid IN ('(0,2)', '(0,4)')")  # 5 and 5 become 7 and 3
    (difference,) = compare(before, read_inventory(postgres.url(database)))
    assert (difference.rule, difference.what) == ("backup_check.table_content", 'table "public"."t"')
    assert difference.expected.startswith("10 rows of hash ")
    assert difference.found.startswith("10 rows of hash ")


def test_large_objects_that_swap_their_content_are_told(postgres: Server, database: str) -> None:
    fill(postgres, database, r"SELECT lo_from_bytea(1, 'one'), lo_from_bytea(2, 'two')")
    before = read_inventory(postgres.url(database))
    assert before.large_objects.count == 2
    fill(postgres, database, r"SELECT lo_put(1, 0, 'two'), lo_put(2, 0, 'one')")
    (difference,) = compare(before, read_inventory(postgres.url(database)))
    assert difference.rule == "backup_check.large_objects"


def test_a_dump_of_one_schema_has_no_large_objects(postgres: Server, database: str, tmp_path: Path) -> None:
    fill(postgres, database, "CREATE TABLE t (); SELECT lo_from_bytea(1, 'one')")
    expected = read_inventory(postgres.url(database))
    restored = restore(postgres, dump(postgres, database, tmp_path / "dump", "--table=t"))
    (difference,) = compare(expected, read_inventory(postgres.url(restored)))
    assert (difference.rule, difference.expected[:2], difference.found[:2]) == (
        "backup_check.large_objects",
        "1 ",
        "0 ",
    )


def test_a_sequence_that_stands_behind_is_told(postgres: Server, database: str, tmp_path: Path) -> None:
    fill(postgres, database, "CREATE TABLE t (id serial); INSERT INTO t SELECT FROM generate_series(1, 5)")
    expected = read_inventory(postgres.url(database))
    assert expected.sequences[0].owned_max == "5"
    restored = restore(postgres, dump(postgres, database, tmp_path / "dump"))
    assert compare(expected, read_inventory(postgres.url(restored))) == ()
    fill(postgres, restored, "SELECT setval('t_id_seq', 4)")
    (difference,) = compare(expected, read_inventory(postgres.url(restored)))
    assert (difference.rule, difference.expected, difference.found) == (
        "backup_check.sequence_position",
        "from 5 to 5",
        "4",
    )


def test_the_furthest_value_is_that_of_all_partitions(postgres: Server, database: str) -> None:
    fill(
        postgres,
        database,
        "CREATE TABLE p (at int, id serial, down int) PARTITION BY RANGE (at);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (3);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (3) TO (30);"
        "CREATE SEQUENCE falling INCREMENT -1 OWNED BY p.down;"
        "INSERT INTO p (at, down) SELECT i, -i FROM generate_series(0, 20) i;"
        "CREATE TABLE worded (id text); CREATE SEQUENCE of_text OWNED BY worded.id; INSERT INTO worded VALUES ('a')",
    )
    found = {each.name: each.owned_max for each in read_inventory(postgres.url(database)).sequences}
    assert found == {"falling": "-20", "p_id_seq": "21", "of_text": None}


def test_a_sequence_that_is_set_back_meanwhile_is_told(postgres: Server, database: str) -> None:
    fill(postgres, database, "CREATE SEQUENCE s; SELECT nextval('s') FROM generate_series(1, 9)")
    with hold(postgres.url(database)) as held:
        inventory = held.read()
        fill(postgres, database, "SELECT nextval('s')")
        assert held.finish(inventory).sequences[0].after.last == "10"
        fill(postgres, database, "SELECT setval('s', 2)")
        assert refused(lambda: held.finish(inventory)).code == "backup_check.tables_changed"


def test_a_stale_view_and_one_without_rows_are_no_difference(postgres: Server, database: str, tmp_path: Path) -> None:
    fill(
        postgres,
        database,
        "CREATE TABLE t AS SELECT 1 AS v; CREATE MATERIALIZED VIEW stale AS SELECT * FROM t; INSERT INTO t VALUES (2);"
        "CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA",
    )
    expected = read_inventory(postgres.url(database))
    assert [(each.name, each.populated, each.rows) for each in expected.matviews] == [
        ("never", False, None),
        ("stale", True, 1),
    ]
    file = dump(postgres, database, tmp_path / "dump")
    found = read_inventory(postgres.url(restore(postgres, file)))
    assert [each.rows for each in found.matviews] == [None, 2]
    assert compare(expected, found) == ()
    unrefreshed = read_inventory(
        postgres.url(restore(postgres, file, options=["--section=pre-data", "--section=data"]))
    )
    assert [each.rule for each in compare(expected, unrefreshed)] == ["backup_check.matview_state"]
    assert compare(expected, unrefreshed, refreshed=False) == ()


def test_without_checksums_rows_are_not_counted(postgres: Server, database: str) -> None:
    fill(postgres, database, BANK, "SELECT lo_create(1)")
    found = read_inventory(postgres.url(database), checksums="off")
    assert {(table.rows, table.hash) for table in found.tables} == {(None, None)}
    assert (found.large_objects.count, found.large_objects.hash) == (1, None)
    with pytest.raises(ValueError, match="checksums are 'off', not 'typed'"):
        compare(read_inventory(postgres.url(database)), found)


class TestRoles:
    @pytest.fixture
    def url(self, postgres: Server, database: str) -> str:
        fill(
            postgres,
            database,
            "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'reader'",
            "CREATE TABLE t (owner text); INSERT INTO t VALUES ('reader'), ('other'); CREATE SEQUENCE s",
        )
        return postgres.url(database, user="reader", password="reader")

    @pytest.fixture(autouse=True)
    def gone(self, postgres: Server, database: str) -> Iterator[None]:
        yield
        fill(postgres, database, "DROP OWNED BY reader; DROP ROLE reader")

    def test_one_that_may_read_all_reads_what_a_superuser_does(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT pg_read_all_data TO reader")
        found = read_inventory(url)
        assert found == read_inventory(postgres.url(database))
        assert ("reader", ("pg_read_all_data",)) in [(role.name, role.member_of) for role in found.roles]

    def test_a_table_that_it_may_not_read_is_named(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT SELECT ON s TO reader")
        error = refused(lambda: read_inventory(url))
        assert error.code == "backup_check.privilege_missing"
        assert '"public"."t"' in error.problem

    def test_a_sequence_that_it_may_not_read_is_named(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT SELECT ON t TO reader")
        error = refused(lambda: read_inventory(url))
        assert error.code == "backup_check.privilege_missing"
        assert '"public"."s"' in error.problem

    def test_a_schema_that_it_may_not_enter_counts_as_unreadable(
        self, postgres: Server, database: str, url: str
    ) -> None:
        fill(postgres, database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT SELECT ON s TO reader")
        fill(postgres, database, "CREATE SCHEMA hidden; CREATE TABLE hidden.h (); GRANT SELECT ON hidden.h TO reader")
        error = refused(lambda: read_inventory(url))
        assert (error.code, '"hidden"."h"' in error.problem) == ("backup_check.privilege_missing", True)

    def test_row_security_that_hides_rows_is_refused(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT pg_read_all_data TO reader; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        fill(postgres, database, "CREATE POLICY own ON t USING (owner = current_user)")
        error = refused(lambda: read_inventory(url))
        assert (error.code, '"public"."t"' in error.problem) == ("backup_check.rows_hidden", True)
        fill(postgres, database, "ALTER ROLE reader BYPASSRLS")
        assert content(read_inventory(url))["t"][0] == 2

    def test_large_objects_that_it_may_not_read_are_told(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT pg_read_all_data TO reader; SELECT lo_from_bytea(1, 'one')")
        error = refused(lambda: read_inventory(url))
        assert (error.code, "large objects" in error.problem) == ("backup_check.privilege_missing", True)
        fill(postgres, database, "GRANT SELECT ON LARGE OBJECT 1 TO reader")
        assert read_inventory(url) == read_inventory(postgres.url(database))

    def test_settings_of_the_role_change_nothing(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT pg_read_all_data TO reader")
        fill(postgres, database, "CREATE TABLE u AS SELECT now() at, 1.1::float8 f, interval '1 mon' i, 'x'::bytea b")
        before = read_inventory(url)
        for setting in (
            *(
                "timezone = 'Asia/Tokyo'",
                "datestyle = 'SQL, DMY'",
                "intervalstyle = 'iso_8601'",
                "bytea_output = 'escape'",
            ),
            *("extra_float_digits = -5", "search_path = nowhere", "quote_all_identifiers = on", "row_security = on"),
            *(
                "default_transaction_isolation = 'serializable'",
                "client_encoding = 'LATIN1'",
                "statement_timeout = '1h'",
            ),
        ):
            fill(postgres, database, f"ALTER ROLE reader SET {setting}")
        assert replace_roles(read_inventory(url), before) == before
        assert replace_roles(read_inventory(url, checksums="strict"), before).tables != before.tables

    def test_limits_of_the_role_do_not_end_a_backup(self, postgres: Server, database: str, url: str) -> None:
        fill(postgres, database, "GRANT pg_read_all_data TO reader")
        for limit in (
            "statement_timeout = '1h'",
            "idle_in_transaction_session_timeout = '1h'",
            "transaction_timeout = '1h'",
        ):
            fill(postgres, database, f"ALTER ROLE reader SET {limit}")
        with pg_session.session(url, 60) as reader:
            assert reader.row("SHOW statement_timeout") == ("1h",)
            reader.begin()
            for limit in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
                assert reader.row(f"SHOW {limit}") == ("0",)
            assert reader.row("SHOW transaction_read_only") == ("on",)


def replace_roles(inventory: Inventory, of: Inventory) -> Inventory:
    return msgspec.structs.replace(inventory, roles=of.roles)


def test_a_pooler_is_told(postgres: Server, database: str) -> None:
    with pooling(postgres, database) as pooler:
        with psycopg.connect(pooler.url, autocommit=True) as plain:  # which is what makes it dangerous
            assert plain.execute("SELECT 1").fetchone() == (1,)
        error = refused(lambda: read_inventory(pooler.url))
    assert error.code == "backup_check.address_pooled"
    assert "unused" not in str(error)


def test_a_server_that_is_too_old_is_told(postgres: Server, database: str) -> None:
    with pooling(postgres, database, major=13) as pooler:
        error = refused(lambda: read_inventory(pooler.url))
    assert (error.code, "major 13" in error.problem) == ("backup_check.database_too_old", True)


def test_on_a_standby_unlogged_tables_have_no_rows() -> None:
    with running() as server:
        name = server.new_database()
        fill(server, name, "CREATE UNLOGGED TABLE u AS SELECT 1 AS v; CREATE TABLE t AS SELECT 1 AS v")
        primary = read_inventory(server.url(name))
        server.stop()
        (server.data / "standby.signal").touch()
        server.start()
        error = refused(lambda: read_inventory(server.url(name)))
        assert "nobody knows of when its rows are" in error.problem
        (server.data / "standby.signal").unlink()
        server.stop()
        server.start()
        fill(server, name, "CREATE TABLE later AS SELECT 1 AS v; DROP TABLE later")
        with psycopg.connect(server.url(name), autocommit=True) as connection:
            # on the disk by then, whatever `synchronous_commit` says
            connection.execute("SET synchronous_commit = on")
            connection.execute("CREATE TABLE last AS SELECT 1 AS v; DROP TABLE last")
        server.kill()
        started = time_text(datetime.now(UTC))
        (server.data / "standby.signal").touch()
        server.start()  # it replays what was not written
        with hold(server.url(name)) as held:
            standby = held.finish(held.read())
            described = held.described(dump_began=held.clock(), dump_ended=held.clock())
            assert described.lsn != "0/0"
            assert described.time < started  # of when its last transaction was, not of now
    assert {each.name: (each.kind, each.rows) for each in standby.tables} == {
        "t": ("table", 1),
        "u": ("unlogged", None),
    }
    assert compare(standby, primary) == ()
    assert standby.database == primary.database


def test_rows_that_an_extension_wants_dumped_are_compared(tmp_path: Path) -> None:
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "jobs.control").write_text("default_version = '1'\nrelocatable = true\n")
    (folder / "jobs--1.sql").write_text(
        "CREATE TABLE job (id int); INSERT INTO job VALUES (0); CREATE TABLE cache (id int);\n"
        "SELECT pg_extension_config_dump('job', 'WHERE id > 0');\n"
    )
    with running(18, settings=[f"extension_control_path={tmp_path}:$system"]) as server:
        name = server.new_database()
        fill(server, name, "CREATE EXTENSION jobs; INSERT INTO job VALUES (1), (2); INSERT INTO cache VALUES (1)")
        expected = read_inventory(server.url(name))
        restored = restore(server, dump(server, name, tmp_path / "dump"))
        assert compare(expected, read_inventory(server.url(restored))) == ()
        fill(server, restored, "DELETE FROM job WHERE id = 2; INSERT INTO job VALUES (0)")
        (difference,) = compare(expected, read_inventory(server.url(restored)))
    assert (difference.rule, difference.what) == ("backup_check.table_content", 'table "public"."job"')
    assert [(each.name, each.kind, each.rows) for each in expected.tables] == [
        ("cache", "extension", None),
        ("job", "extension", 2),
    ]


def test_a_snapshot_of_another_server_is_told(postgres: Server, database: str) -> None:
    with hold(postgres.url(postgres.new_database())) as held:
        for snapshot in (held.snapshot, "0000FFFF-00000001-1"):
            with pg_session.session(postgres.url(database), 60) as reader:
                error = refused(lambda: reader.begin(snapshot))  # noqa: B023 - called at once
                assert error.code == "backup_check.address_pooled"


def test_a_truncate_waits_until_the_snapshot_is_given_up(postgres: Server, database: str) -> None:
    fill(postgres, database, "CREATE TABLE t AS SELECT 1 AS v; CREATE SEQUENCE s")
    with psycopg.connect(postgres.url(database), autocommit=True) as other:
        other.execute("SET lock_timeout = '50ms'")
        with hold(postgres.url(database)) as held:
            for statement in (b"TRUNCATE t", b"ALTER TABLE t ALTER v TYPE bigint", b"DROP TABLE t", b"DROP SEQUENCE s"):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute(statement)
            other.execute("INSERT INTO t VALUES (2)")
            assert content(held.read())["t"][0] == 1
        other.execute("SET lock_timeout = '60s'")  # the server may take a moment to see that it was given up
        other.execute("TRUNCATE t")


def test_a_migration_that_waits_for_the_snapshot_is_not_waited_for_in_turn(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_session, "LOCK_WAIT", 0.1)
    fill(postgres, database, "CREATE TABLE t AS SELECT 1 AS v")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as beside, psycopg.connect(postgres.url(database), autocommit=True) as watch:
        with hold(postgres.url(database)) as held:
            migration = beside.submit(fill, postgres, database, "TRUNCATE t")
            while watch.execute(waiting).fetchone() == (0,):
                pass
            error = refused(held.read)
        migration.result()
    assert (error.code, '"public"."t"' in error.problem) == ("backup_check.tables_changed", True)


@pytest.mark.parametrize(
    ("meanwhile", "found"),
    [(b"CREATE TABLE u ()", {"t", "u"}), (b"DROP TABLE t", set()), (b"ALTER TABLE t RENAME TO u", {"u"})],
    ids=["made", "dropped", "renamed"],
)
def test_tables_that_come_or_go_while_they_are_listed(
    postgres: Server, database: str, meanwhile: bytes, found: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read in another moment than the snapshot; what is new in that has no lock."""
    monkeypatch.setattr(pg_session, "LOCK_WAIT", PATIENCE)
    fill(postgres, database, "CREATE TABLE t AS SELECT 1 AS v")

    def locked() -> set[str]:
        with hold(postgres.url(database)) as held:
            names = set(content(held.read()))
            for name in names:
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    fill(postgres, database, f"BEGIN; LOCK TABLE {name} NOWAIT")
            return names

    with (
        ThreadPoolExecutor(1) as beside,
        psycopg.connect(postgres.url(database), autocommit=True) as watch,
        psycopg.connect(postgres.url(database)) as other,
    ):
        other.execute("LOCK TABLE t")
        reading = beside.submit(locked)
        while watch.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            pass
        other.execute(meanwhile)
        other.commit()
        assert reading.result() == found


def test_a_view_that_is_dropped_meanwhile_is_told(postgres: Server, database: str) -> None:
    """LOCK doesn't take materialized views."""
    fill(postgres, database, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one")
    with hold(postgres.url(database)) as held:
        fill(postgres, database, "DROP MATERIALIZED VIEW v")
        assert refused(held.read).code == "backup_check.tables_changed"


def test_an_answer_that_takes_too_long_is_told(postgres: Server, database: str) -> None:
    with pg_session.session(postgres.url(database), 0.2) as reader:
        assert refused(lambda: reader.row("SELECT pg_sleep(30)")).code == "backup_check.database_unavailable"


def test_a_server_that_does_not_answer_is_told_without_its_password(postgres: Server, database: str) -> None:
    for url in (
        postgres.url(database, password="s3cret-s3cret"),
        f"postgresql://postgres:s3cret-s3cret@127.0.0.1:1/{database}",
        postgres.url("no-such-database"),
    ):
        error = refused(lambda url=url: read_inventory(url))  # type: ignore[misc] # the loop's own
        assert error.code == "backup_check.database_unavailable"
        assert "s3cret" not in str(error)


def test_a_session_that_is_ended_meanwhile_is_told(postgres: Server, database: str) -> None:
    fill(postgres, database, "CREATE TABLE t AS SELECT 1 AS v; CREATE SEQUENCE s")
    with psycopg.connect(postgres.socket_url(), autocommit=True) as admin:

        def end_all() -> Held:
            with hold(postgres.url(database)) as held:
                inventory = held.read()
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
                held.finish(inventory)
                return held

        assert refused(end_all).code == "backup_check.database_unavailable"


def test_a_reading_that_waits_can_be_ended(postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind somebody who waits for the table, the sums wait too."""
    monkeypatch.setattr(pg_session, "LOCK_WAIT", PATIENCE)
    fill(postgres, database, BANK)
    url = postgres.url(database)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'accounts'::regclass"
    with hold(url, jobs=1) as held, ThreadPoolExecutor(2) as beside, psycopg.connect(url, autocommit=True) as looker:

        def waited(number: int) -> None:
            while (looker.execute(waiting.encode()).fetchone() or (0,))[0] < number:
                continue

        with psycopg.connect(url) as other:
            locking = beside.submit(other.execute, "LOCK TABLE accounts")
            waited(1)
            reading = beside.submit(held.read)
            waited(2)
            held.cancel()
            # not tables_changed, as after its own patience with locks
            assert refused(reading.result).code == "backup_check.database_unavailable"
            other.cancel_safe(timeout=PATIENCE)
            with pytest.raises(psycopg.errors.QueryCanceled):
                locking.result()


def test_a_reading_that_is_about_to_ask_can_be_ended(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order to end it comes when the server has nothing to end yet."""
    about, ordered = threading.Event(), threading.Event()
    row = pg_session.Session.row

    def asked(of: pg_session.Session, query: str, what: str = "its catalog") -> object:
        if not what.startswith("table"):
            return row(of, query, what)
        about.set()
        assert ordered.wait(PATIENCE)
        return row(of, "SELECT pg_sleep(3600)", what)

    fill(postgres, database, BANK)
    with hold(postgres.url(database), jobs=1) as held, ThreadPoolExecutor(1) as beside:
        monkeypatch.setattr(pg_session.Session, "row", asked)
        reading = beside.submit(held.read)
        assert about.wait(PATIENCE)
        held.cancel()
        ordered.set()
        assert refused(reading.result).code == "backup_check.database_unavailable"


def test_one_that_was_ended_before_it_began_does_not_begin(postgres: Server, database: str) -> None:
    fill(postgres, database, BANK)
    with hold(postgres.url(database)) as held:
        held.cancel()
        assert "cancelled" in refused(held.read).problem
