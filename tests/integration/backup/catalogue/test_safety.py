"""Rows 16 to 18, 20 and 24 to 26: what backups must not need, leave behind, run, tell or overwrite."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from pyrage import x25519

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.s3_writing import WritableS3
from aegis.cli.backup.stores import Place, Places
from aegis.cli.backup.taking import Wishes, back_up
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import BackedUp, BackupCheckPolicy
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3
from tests.support.backup.shop import FILLER, run
from tests.support.backup.way import PASS, RefusedError, Shelf, command, fails, programs, undecided
from tests.support.databases.pooler import pooling
from tests.support.databases.postgres import Server, binaries
from tests.support.network.s3 import CREDENTIALS

MIB = 1 << 20


def test_16_the_address_leads_to_a_pooler(server: Server, database: str, shelf: Shelf, broken: bool) -> None:
    """It may give each statement to another session, so that there is no common snapshot."""
    if broken:
        with pooling(server, database) as pooler, pytest.raises(RefusedError) as caught:
            shelf.take(server, database, url=pooler.url)
        assert (caught.value.exit_code, caught.value.code) == (3, "backup_check.address_pooled")
    else:
        shelf.take(server, database)
    assert len(shelf.backups()) == (1 if broken else 2)


def test_17_the_engine_is_older_than_the_archive(shelf: Shelf, broken: bool) -> None:
    """Its pg_restore cannot read what a later pg_dump wrote; a later one sends what its server does not know."""
    stored = shelf.newest()
    if broken:
        stored.told(database=msgspec.structs.replace(stored.manifest.database, server_version_num=150019))
    engine = binaries(15) if broken else None
    assert shelf.drill(programs=engine) == (undecided("engine_lacks") if broken else PASS)


def test_17_the_engine_is_of_a_later_major(shelf: Shelf) -> None:
    assert shelf.drill(programs=binaries(18)) == undecided("engine_lacks")


@pytest.mark.parametrize("key", ["escrow", "another's", "none"])
def test_18_the_key_is_lost(server: Server, database: str, tmp_path: Path, key: str) -> None:
    """Whoever has one key of the two can restore; nobody knows until it is tried."""
    daily, escrow, other = (x25519.Identity.generate() for _ in range(3))
    names = "".join(f"\n    - {each.to_public()}" for each in (daily, escrow))
    shelf = Shelf(tmp_path / "store").of("", f"  recipients:{names}\n")
    stored = shelf.take(server, database)
    assert stored.manifest.encryption is not None
    assert not any(each.read_bytes().startswith(b"PGDMP") for each in stored.objects())
    given = {"escrow": str(escrow), "another's": str(other), "none": ""}[key]
    told = shelf.drill(environ={"AEGIS_AGE_IDENTITY": given})
    assert told == (PASS if key == "escrow" else undecided("identity_missing"))


def test_18_one_key_is_not_enough(server: Server, database: str, tmp_path: Path, broken: bool) -> None:
    one, two = (x25519.Identity.generate().to_public() for _ in range(2))
    names = "".join(f"\n    - {each}" for each in ((one,) if broken else (one, two)))
    shelf = Shelf(tmp_path / "store").of("", f"  recipients:{names}\n")
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, database)
        assert caught.value.exit_code == 2
        assert shelf.backups() == []
    else:
        shelf.take(server, database)


@pytest.fixture
def service() -> Iterator[S3]:
    with double.serve(S3()) as running_service:
        yield running_service


def test_20_a_part_of_an_upload_is_left(
    server: Server, database: str, service: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """It costs, and no list shows it."""
    monkeypatch.setattr(part_upload, "PART", 5 * MIB)
    ends = "exit 3" if broken else "exit 0"
    large = f'case "$*" in *format=custom*) head -c 12000000 /dev/urandom; {ends};; *) exec "$real" "$@"; esac'
    tools = programs(tmp_path / "large", server.bin, pg_dump=large)
    store = WritableS3("models", service.region, lambda: CREDENTIALS, endpoint=service.address)
    policy, shop = BackupCheckPolicy(store="s3://models/b/"), BackedUp(name="shop")
    wishes = Wishes(url=server.url(database), stream=True, jobs=1)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    if broken:
        with pytest.raises(CouldNotDecide) as caught:
            back_up(policy, shop, Places(Place(store, "b/"), Place(store, "b/_records/")), wishes, environ)
        assert caught.value.code == "backup_check.dump_failed"
    else:
        back_up(policy, shop, Places(Place(store, "b/"), Place(store, "b/_records/")), wishes, environ)
    assert not service.uploads
    there = {key.rpartition("/")[2] for key, found in service.buckets["models"].items() if found[0].data is not None}
    assert there == (set() if broken else {"dump", "globals.sql", "manifest.json"})


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("", ""),
        ("CREATE ROLE evil SUPERUSER LOGIN;", "restore_uninvited"),
        ("ALTER SYSTEM SET archive_command = 'id';", "restore_uninvited"),
        ("COPY (SELECT 1) TO PROGRAM 'touch {}';", "restore_failed"),
        ("COPY accounts (note) FROM PROGRAM 'cat /etc/passwd';", "restore_failed"),
        ("COPY accounts (note) FROM PROGRAM 'bash -c \"cat < /dev/tcp/127.0.0.1/{port}\"';", "restore_failed"),
        ("DO $$ BEGIN PERFORM lo_export(4712, '{}'); END $$;", "restore_failed"),
        ("COPY (SELECT 1) TO PROGRAM 'cat; env | grep -q TMPDIR=';", ""),
        ("COPY (SELECT 1) TO PROGRAM 'cat; cat /proc/*/environ | grep -qa S3CR3T';", "restore_failed"),
        ("COPY (SELECT 1) TO PROGRAM 'cat; cat /proc/*/cmdline /proc/*/mem | grep -qa S3CR3T';", "restore_failed"),
    ],
    ids=[
        "healthy",
        "a role",
        "a setting",
        "a program",
        "a file",
        "the network",
        "an export",
        "own surroundings",
        "our surroundings",
        "processes",
    ],
)
def test_24_a_dump_that_attacks_who_restores_it(
    server: Server, streamed: Shelf, tmp_path: Path, statement: str, code: str
) -> None:
    """It is SQL that runs as a superuser. (CVE-2025-8714 and others need no more.)"""
    tmp_path.chmod(0o777)
    stored = streamed.newest()
    honest = f"COMMENT ON TABLE public.accounts IS '{FILLER}';".encode()
    written = statement.format(tmp_path / "owned", port=server.port).encode()
    if statement:
        stored.change(stored.data(), lambda whole: whole.replace(honest, written.ljust(len(honest))))
    stored.told()
    secret = {
        "AEGIS_DATABASE_URL": "postgresql://u:S3CR3T@h/d",
        "AWS_SECRET_ACCESS_KEY": "S3CR3T",
        "GITHUB_TOKEN": "S3CR3T",
    }
    assert streamed.drill(environ=secret) == (fails(code) if code else PASS)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("command_of_psql", [r"\! touch {}", r"\o {}", r"\copy accounts to {}"])
def test_24_commands_of_psql_in_a_plain_dump(
    server: Server, streamed: Shelf, tmp_path: Path, command_of_psql: str
) -> None:
    """Plain dumps are never run, whatever is in them."""
    tmp_path.chmod(0o777)

    def plain(place: Path, _: str) -> None:
        place.write_text(
            f"--\n-- PostgreSQL database dump\n--\n{command_of_psql.format(tmp_path / 'owned')}\n", "utf-8"
        )

    streamed.newest().archive(plain)
    assert streamed.drill() == fails("archive_unknown")
    assert not (tmp_path / "owned").exists()


def test_24_names_with_line_ends(server: Server, database: str, tmp_path: Path) -> None:
    """CVE-2025-8715: the rest of a name is taken for a statement or a command."""
    name = server.new_database(database)
    owned = Path(f"/tmp/aegis-owned-{name}")  # short, since names are
    first, second = f"a\n\\! touch {owned}\n--", f"b\nCREATE ROLE evil_{name};\n--"
    statements = (
        'CREATE TABLE "{}" AS SELECT 1 AS a',
        'CREATE SCHEMA "{}"',
        'CREATE SEQUENCE "{0}"."{0}"',
        "COMMENT ON TABLE accounts IS '{}'",
    )
    run(server, name, *(each.format(inside) for inside in (first, second) for each in statements))
    run(server, name, *(f'CREATE TYPE "{each}"."{each}t" AS ENUM (\'{each}\')' for each in (first, second)))
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name)
    for tier in ("proof", "full"):
        assert shelf.drill(tier=tier) == PASS
    assert not owned.exists()
    with psycopg.connect(server.socket_url()) as connection:
        assert connection.execute("SELECT FROM pg_roles WHERE rolname ~ '^evil_'").fetchall() == []


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; of a short name, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="aegis-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_25_secrets_stay_where_they_are(server: Server, database: str, tmp_path: Path, temporary: Path) -> None:
    """The address's password and the key of the backups: in no file, no answer, no error."""
    key = x25519.Identity.generate()
    names = "".join(f"\n    - {each.to_public()}" for each in (key, x25519.Identity.generate()))
    shelf = Shelf(tmp_path / "store").of("", f"  recipients:{names}\n")
    shelf.folder.mkdir()
    right = server.url(database)
    wrong = server.url(database, password="wr0ng-password")
    said = ""
    for argv, address, code in (
        (["run"], right, 0),
        (["verify"], right, 0),
        (["verify", "--tier", "full", "--format", "json"], right, 0),
        (["check"], right, 0),
        (["list"], right, 0),
        (["restore", "latest"], right, 1),
        (["run"], wrong, 3),
        (["restore", "latest"], wrong, 3),
    ):
        secret = {"AEGIS_DATABASE_URL": address, "AEGIS_AGE_IDENTITY": str(key)}
        ran = command("backup", *argv, "--policy", shelf.written(), programs=server.bin, environ=secret)
        assert ran.code == code, (argv, ran.out, ran.err)
        said += ran.out + ran.err
    for word in (server.password, "wr0ng-password", str(key)):
        assert word not in said
        for path in (each for each in tmp_path.rglob("*") if each.is_file()):
            assert word.encode() not in path.read_bytes(), path
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("force", [False, True], ids=["", "forced"])
def test_26_a_restore_hits_the_source(server: Server, database: str, tmp_path: Path, force: bool, broken: bool) -> None:
    """Under another name, as it is mistaken for another database."""
    name = server.new_database(database)
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name)
    target = name if broken else server.new_database("template0")
    url = server.url(target).replace("127.0.0.1", "localhost")
    ran = command(
        *("backup", "restore", "latest", "--policy", str(shelf.written()), *(["--force"] if force else [])),
        programs=server.bin, environ={"AEGIS_DATABASE_URL": url},
    )  # fmt: skip
    if broken:
        assert ran.code == 1
        assert "backup_check.target_is_source" in ran.out + ran.err
    else:
        assert ran.code == 0, ran.out + ran.err
    with psycopg.connect(server.socket_url(target)) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (1500,)


def test_26_a_restore_hits_what_is_in_use(server: Server, shelf: Shelf, broken: bool) -> None:
    target = server.new_database("template0")
    if broken:
        run(server, target, "CREATE TABLE precious AS SELECT 1 AS a")
    ran = command(
        *("backup", "restore", "latest", "--policy", shelf.written()),
        programs=server.bin, environ={"AEGIS_DATABASE_URL": server.url(target)},
    )  # fmt: skip
    assert ran.code == (1 if broken else 0), ran.out + ran.err
    with psycopg.connect(server.socket_url(target)) as connection:
        tables = {each for (each,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    if broken:
        assert re.search("backup_check.target_not_empty", ran.out + ran.err)
        assert tables == {"precious"}
    else:
        assert "accounts" in tables
