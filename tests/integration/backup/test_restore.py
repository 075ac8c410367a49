"""Restores into the engine and into databases of people: what passes, what is told before, what is contained."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
import pytest
from psycopg import sql

from aegis.adapters.objects.local import LocalStore
from aegis.adapters.postgres.archive import recognised
from aegis.adapters.postgres.engine import Engine, running_engine
from aegis.adapters.postgres.restore import (
    DATABASE,
    Limits,
    Restored,
    Tier,
    check_target,
    prepare,
    refuse_uninvited,
    restore,
    restore_into,
)
from aegis.adapters.postgres.snapshot import read_inventory
from aegis.adapters.postgres.tools import tools_at
from aegis.backup.compare import Difference, compare
from aegis.backup.fetching import Found, fetch
from aegis.backup.inventory import Extension, Inventory, Role
from aegis.backup.manifest import StoredObject
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from tests.support.backup.inventories import manifest
from tests.support.databases.postgres import Server, binaries, majors, running

PROGRAM = Path("/tmp/aegis-test-was-owned")  # a name that nothing else uses
FILLER = "f" * 600
"""A comment on a table, which stands in an archive as it is, so that other SQL of its length can take its place."""
SCHEMA = f"""
CREATE TABLE accounts (id int PRIMARY KEY, mail text NOT NULL, note text, paid numeric);
INSERT INTO accounts SELECT i, md5(i::text) || '@example.org', repeat(md5(i::text), 6), i / 7.0
    FROM generate_series(1, 3000) AS i;
CREATE INDEX accounts_note ON accounts (note);
CREATE UNIQUE INDEX accounts_mail ON accounts (mail);
CREATE TABLE orders (account int REFERENCES accounts, at timestamptz, mood text) PARTITION BY RANGE (account);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10000);
CREATE INDEX orders_at ON orders (at);
INSERT INTO orders SELECT i, 'epoch'::timestamptz + i * interval '1 day', 'glad' FROM generate_series(1, 500) AS i;
CREATE SEQUENCE invoices; SELECT nextval('invoices');
CREATE MATERIALIZED VIEW totals AS SELECT sum(paid) FROM accounts;
CREATE TABLE "two
lines" (a int); INSERT INTO "two
lines" VALUES (1);
CREATE EXTENSION hstore;
SELECT lo_from_bytea(0, 'large');
COMMENT ON TABLE accounts IS '{FILLER}';
CREATE FUNCTION owned() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN EXECUTE $e$ COPY (SELECT 1) TO PROGRAM 'touch {PROGRAM}' $e$; END $$;
"""
EVENT_TRIGGER = """
CREATE FUNCTION event() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'an event trigger ran'; END $$;
CREATE FUNCTION greeting() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN IF session_user = 'aegis_engine' THEN RAISE EXCEPTION 'a login trigger ran'; END IF; END $$;
CREATE EVENT TRIGGER greeting ON login EXECUTE FUNCTION greeting();
CREATE EVENT TRIGGER always ON ddl_command_start EXECUTE FUNCTION event();
"""


@dataclass(frozen=True)
class Source:
    server: Server
    database: str
    inventory: Inventory

    def dump(self, path: Path, form: str = "c", compression: str = "") -> Path:
        arguments = [f"--compress={compression}"] if compression else []
        command = [str(self.server.bin / "pg_dump"), f"-F{form}", *arguments, "-f", str(path)]
        subprocess.run([*command, self.server.url(self.database)], check=True)
        return path


def source_of(server: Server) -> Source:
    database = server.new_database()
    with psycopg.connect(server.socket_url(database), autocommit=True) as connection:
        connection.execute("CREATE ROLE owner_of_it LOGIN PASSWORD 'hidden'; CREATE ROLE \"gr\noup\"")
        connection.execute('GRANT "gr\noup" TO owner_of_it')
        connection.execute(SCHEMA.encode())
        connection.execute("ALTER TABLE accounts OWNER TO owner_of_it")
        if server.major >= 17:
            connection.execute(EVENT_TRIGGER.encode())
    return Source(server, database, read_inventory(server.url(database)))


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with running() as server:
        yield source_of(server)


@pytest.fixture(scope="module")
def one_engine() -> Iterator[Engine]:
    with running_engine(binaries()) as engine:
        yield engine


def drop(engine: Engine) -> None:
    with psycopg.connect(engine.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))


@pytest.fixture
def engine(one_engine: Engine) -> Iterator[Engine]:
    yield one_engine
    drop(one_engine)


def prove(engine: Engine, path: Path, expected: Inventory, tier: Tier = "full") -> tuple[Difference, ...]:
    prepare(engine, expected)
    restored = restore(engine, recognised(path), tier=tier)
    refuse_uninvited(engine, expected)
    return compare(expected, read_inventory(restored.url), refreshed=tier != "data")


def indexes(restored: Restored) -> set[str]:
    with psycopg.connect(restored.url) as connection:
        rows = connection.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'").fetchall()
        return {name for (name,) in rows}


@pytest.mark.parametrize("major", [major for major in majors() if major != 17])
def test_a_backup_of_each_major_is_restored_and_equal(major: int, tmp_path: Path) -> None:
    with running(major) as server, running_engine(binaries(major)) as engine:
        source = source_of(server)
        assert prove(engine, source.dump(tmp_path / "custom", "c"), source.inventory, "proof") == ()
        drop(engine)
        newest = {"compression": "zstd:1"} if major >= 16 else {}
        assert prove(engine, source.dump(tmp_path / "folder", "d", **newest), source.inventory) == ()


@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4"])
@pytest.mark.parametrize("form", ["c", "d"])
def test_every_form_is_restored_and_equal(
    source: Source, engine: Engine, tmp_path: Path, form: str, compression: str
) -> None:
    assert prove(engine, source.dump(tmp_path / "dump", form, compression), source.inventory) == ()
    assert not PROGRAM.exists()


def test_the_tiers(source: Source, engine: Engine, tmp_path: Path) -> None:
    path = source.dump(tmp_path / "dump")
    found = {}
    for tier in ("data", "proof", "full"):
        assert prove(engine, path, source.inventory, tier) == ()
        found[tier] = indexes(Restored(engine.url(DATABASE), "full", 0, 0, True))
        drop(engine)
    assert found["data"] == set()
    assert found["full"] - found["proof"] == {"accounts_note", "orders_at", "orders_1_at_idx"}
    assert found["proof"] == {"accounts_pkey", "accounts_mail"}


def test_roles_are_there_and_nobody_can_log_in(source: Source, engine: Engine, tmp_path: Path) -> None:
    prove(engine, source.dump(tmp_path / "dump"), source.inventory)
    with psycopg.connect(engine.url(DATABASE)) as connection:
        roles = connection.execute(
            "SELECT rolname, rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname !~ '^pg_|aegis' ORDER BY 1"
        ).fetchall()
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'accounts'").fetchone()
    assert roles == [("gr\noup", False, True), ("owner_of_it", False, True), ("postgres", False, True)]
    assert owner == ("owner_of_it",)


def test_a_database_of_another_encoding(source: Source, engine: Engine, tmp_path: Path) -> None:
    server = source.server
    with psycopg.connect(server.socket_url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with psycopg.connect(server.socket_url("latin"), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'é'::text AS a")
    latin = Source(server, "latin", read_inventory(server.url("latin")))
    assert prove(engine, latin.dump(tmp_path / "dump"), latin.inventory) == ()
    with pytest.raises(CouldNotDecide, match="its encoding is UTF8, the source's is LATIN1"):
        check_target(server.url(server.new_database()), latin.inventory)


def nothing_restored(engine: Engine) -> bool:
    with psycopg.connect(engine.url("postgres")) as connection:
        there = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    if there is None:
        return True
    with psycopg.connect(engine.url(DATABASE)) as connection:
        return connection.execute("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone() is None


@pytest.mark.parametrize(
    ("database", "told"),
    [
        ({"server_version_num": 160015}, "its major is 17, the source's is 16"),
        ({"locale_provider": "icu", "icu_locale": "de-DE"}, "'de-DE' of icu"),
        ({"collate": "xx_YY.UTF-8"}, "'xx_YY.UTF-8 / C' of libc"),
    ],
)
def test_what_the_engine_is_not_is_told_before(
    source: Source, engine: Engine, database: dict[str, object], told: str
) -> None:
    other = msgspec.structs.replace(source.inventory.database, **database)
    with pytest.raises(CouldNotDecide, match=told) as caught:
        prepare(engine, msgspec.structs.replace(source.inventory, database=other))
    assert caught.value.code == "backup_check.engine_lacks"
    assert "`locale-gen en_US.UTF-8`" in caught.value.remedy
    assert nothing_restored(engine)


def test_missing_extensions_are_told_before_all_at_once(source: Source, engine: Engine) -> None:
    more = (Extension(name="pg_partman", version="5.1"), Extension(name="postgis", version="3.4"))
    wanted = msgspec.structs.replace(source.inventory, extensions=(*source.inventory.extensions, *more))
    with pytest.raises(CouldNotDecide, match=r"'pg_partman' 5\.1 .*'postgis' 3\.4") as caught:
        prepare(engine, wanted)
    assert caught.value.code == "backup_check.engine_lacks"
    assert "hstore" not in caught.value.problem
    assert nothing_restored(engine)


def test_an_archive_of_a_later_pg_dump_is_told(source: Source, tmp_path: Path) -> None:
    path = source.dump(tmp_path / "dump")
    with running_engine(binaries(15)) as older:
        other = msgspec.structs.replace(source.inventory.database, server_version_num=150019)
        prepare(older, msgspec.structs.replace(source.inventory, database=other))
        with pytest.raises(CouldNotDecide, match=r"unsupported version \(1\.16\)") as caught:
            restore(older, recognised(path))
        assert caught.value.code == "backup_check.engine_lacks"
        assert nothing_restored(older)


def damaged(data: bytes, chance: random.Random, how: str) -> bytes:
    if how == "cut":
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def listed(folder: Path) -> list[StoredObject]:
    return [
        StoredObject(
            name=str(path.relative_to(folder)),
            size=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


@pytest.mark.parametrize("how", ["flip", "cut"])
@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4"])
@pytest.mark.parametrize("form", ["c", "d"])
def test_every_flipped_bit_and_every_cut_is_refused_before_the_restore(
    source: Source, tmp_path: Path, form: str, compression: str, how: str
) -> None:
    """34 of each kind, over the six forms more than 200; at places in proportion to the files' sizes."""
    chance = random.Random(f"{form} {compression} {how}")
    stored = tmp_path / "stored"
    stored.mkdir()
    source.dump(stored / "dump", form, compression)
    objects = listed(stored)
    found = Found("", msgspec.structs.replace(manifest(), objects=tuple(objects)), "", ())

    def fetched(number: int) -> None:
        target = tmp_path / str(number)
        target.mkdir()
        fetch(LocalStore(stored), found, target)

    for number in range(34):
        (chosen,) = chance.choices(objects, [each.size for each in objects])
        path = stored / chosen.name
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, chance, how))
        with pytest.raises(Refused) as caught:
            fetched(number)
        assert caught.value.code == "backup_check.object_damaged"
        path.write_bytes(whole)
    fetched(34)
    assert listed(tmp_path / "34") == objects


def test_without_the_digests_some_flips_restore_and_only_the_content_tells(
    source: Source, engine: Engine, tmp_path: Path
) -> None:
    """What the digest is for, and that the second guard holds where the first was not there."""
    chance = random.Random(1)
    path = source.dump(tmp_path / "dump", "c", "lz4")
    whole = path.read_bytes()
    for _ in range(40):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole) // 3, len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            differences = prove(engine, path, source.inventory, "data")
        except AegisError:
            continue
        finally:
            drop(engine)
        if differences:
            assert {each.rule for each in differences} == {"backup_check.table_content"}
            return
    pytest.fail("every flip was refused by pg_restore itself")


def test_a_restore_that_loses_rows_to_an_error_is_refused(source: Source, engine: Engine, tmp_path: Path) -> None:
    """The digests are off; the archive ends early."""
    path = source.dump(tmp_path / "dump")
    path.write_bytes(path.read_bytes()[:-4000])
    prepare(engine, source.inventory)
    with pytest.raises(Refused) as caught:
        restore(engine, recognised(path))
    assert caught.value.code == "backup_check.restore_failed"


def forged(source: Source, path: Path, statement: str) -> Path:
    """An archive with other SQL in it than pg_dump writes."""
    data = source.dump(path).read_bytes()
    honest = f"COMMENT ON TABLE public.accounts IS '{FILLER}';".encode()
    assert data.count(honest) == 1
    path.write_bytes(data.replace(honest, statement.encode().ljust(len(honest))))
    return path


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE ROLE evil SUPERUSER LOGIN;", "the role 'evil'"),
        ("ALTER ROLE owner_of_it SUPERUSER;", "the right of a superuser for 'owner_of_it'"),
        ("CREATE DATABASE evil;", "the database 'evil'"),
        ("ALTER SYSTEM SET archive_command = 'id';", "the setting 'archive_command'"),
    ],
)
def test_a_dump_that_reaches_for_the_server_is_told(source: Source, tmp_path: Path, statement: str, told: str) -> None:
    with running_engine(binaries()) as engine, pytest.raises(Refused, match=told) as caught:
        prove(engine, forged(source, tmp_path / "dump", statement), source.inventory)
    assert caught.value.code == "backup_check.restore_uninvited"


def test_a_program_that_a_dump_runs_stays_inside(source: Source, engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for reach in (f"touch {tmp_path}/owned", f"cat {Path.home()}/.profile", "touch /etc/owned", "ls /home /root/.ssh"):
        path = forged(source, tmp_path / "dump", f"COPY (SELECT 1) TO PROGRAM '{reach}';")
        prepare(engine, source.inventory)
        with pytest.raises(Refused) as caught:
            restore(engine, recognised(path))
        assert caught.value.code == "backup_check.restore_failed"
        drop(engine)
    assert not (tmp_path / "owned").exists()
    path = forged(
        source, tmp_path / "dump", f"COPY (SELECT 1) TO PROGRAM 'cat; touch $TMPDIR/owned; test -z $AWS_{'X'}';"
    )
    assert prove(engine, path, source.inventory) == ()  # it ran, in the engine's own folder, which is wiped
    assert (engine.folder / "owned").exists()


def test_a_restore_without_end_is_ended(source: Source, engine: Engine, tmp_path: Path) -> None:
    path = forged(source, tmp_path / "dump", "SELECT pg_sleep(6000);")
    prepare(engine, source.inventory)
    with pytest.raises(CouldNotDecide, match="longer than 1 s") as caught:
        restore(engine, recognised(path), tier="full", limits=Limits(seconds=1))
    assert caught.value.code == "backup_check.engine_exhausted"


def test_a_restore_that_would_fill_the_disk_is_ended(source: Source, engine: Engine, tmp_path: Path) -> None:
    path = forged(source, tmp_path / "dump", "SELECT pg_sleep(6000);")
    prepare(engine, source.inventory)
    with pytest.raises(CouldNotDecide, match="of the disk free") as caught:
        restore(engine, recognised(path), tier="full", limits=Limits(free_disk=1 << 60))
    assert caught.value.code == "backup_check.engine_exhausted"


def test_a_server_that_dies_is_no_failure_of_the_backup(source: Source, tmp_path: Path) -> None:
    path = forged(
        source, tmp_path / "dump", "COPY (SELECT 1) TO PROGRAM 'kill -9 $(head -1 postmaster.pid)'; SELECT pg_sleep(9)"
    )
    with running_engine(binaries()) as engine:
        prepare(engine, source.inventory)
        with pytest.raises(CouldNotDecide) as caught:
            restore(engine, recognised(path), tier="full")
        assert caught.value.code == "backup_check.engine_failed"


@pytest.mark.parametrize("force", [False, True])
def test_the_source_itself_is_never_a_target(source: Source, force: bool, tmp_path: Path) -> None:
    url = source.server.url(source.database)
    path = source.dump(tmp_path / "dump")
    with pytest.raises(Refused, match="is what was backed up") as caught:
        restore_into(tools_at(source.server.bin), url, recognised(path), source.inventory, force=force)
    assert caught.value.code == "backup_check.target_is_source"


def test_the_emptied_source_is_still_the_source(source: Source) -> None:
    empty = source.server.new_database()
    inventory = read_inventory(source.server.url(empty))
    with pytest.raises(Refused, match="is what was backed up"):
        check_target(source.server.url(empty), inventory)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TABLE t ()", "1 tables, views"),
        ("CREATE VIEW v AS SELECT 1", "1 tables, views"),
        ("CREATE SEQUENCE s", "1 tables, views"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "1 functions"),
        ("CREATE TYPE mood AS ENUM ('glad')", "types"),
        ("CREATE SCHEMA other", "1 schemas"),
        ("SELECT lo_create(0)", "1 large objects"),
    ],
)
def test_a_target_with_anything_in_it_needs_force(source: Source, statement: str, told: str) -> None:
    url = source.server.url(source.server.new_database())
    check_target(url, source.inventory)
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
    with pytest.raises(Refused, match=told) as caught:
        check_target(url, source.inventory)
    assert caught.value.code == "backup_check.target_not_empty"
    check_target(url, source.inventory, force=True)


def test_an_extension_alone_leaves_a_target_empty(source: Source) -> None:
    url = source.server.url(source.server.new_database())
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION hstore")
    check_target(url, source.inventory)


def test_a_target_without_a_role_or_an_extension_is_told(source: Source) -> None:
    role = Role(
        name="nobody_here", superuser=False, inherit=True, create_role=False, create_db=False, login=True,
        replication=False, bypass_rls=False, used=True, member_of=(),
    )  # fmt: skip
    wanted = msgspec.structs.replace(
        source.inventory, roles=(role,), extensions=(Extension(name="postgis", version="3"),)
    )
    url = source.server.url(source.server.new_database())
    with pytest.raises(CouldNotDecide, match="extension 'postgis'; role 'nobody_here'") as caught:
        check_target(url, wanted)
    assert caught.value.code == "backup_check.engine_lacks"


def test_a_backup_is_restored_into_an_empty_database(source: Source, tmp_path: Path) -> None:
    server, database = source.server, source.server.new_database()
    with psycopg.connect(server.url(database)) as connection:
        connection.execute("CREATE TABLE t (a int PRIMARY KEY, b text)")
        connection.execute("INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 500) AS i")
    # without an event trigger that forbids definitions: a server of a person has its triggers on
    small = Source(server, database, read_inventory(server.url(database)))
    url = server.url(server.new_database())
    path = small.dump(tmp_path / "dump", "d", "zstd")
    restore_into(tools_at(server.bin), url, recognised(path), small.inventory)
    assert compare(small.inventory, read_inventory(url)) == ()


def test_a_restore_over_what_is_there_fails_aloud(source: Source, tmp_path: Path) -> None:
    url = source.server.url(source.server.new_database())
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE accounts ()")
    path = source.dump(tmp_path / "dump")
    with pytest.raises(Refused, match='relation "accounts" already exists') as caught:
        restore_into(tools_at(source.server.bin), url, recognised(path), source.inventory, force=True)
    assert caught.value.code == "backup_check.restore_failed"
    assert "empty database" in caught.value.remedy
