"""`aegis backup verify` and `restore` by hand: into databases of people, into none, and dumps of others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from aegis.adapters.postgres.snapshot import read_inventory
from aegis.backup.compare import compare
from aegis.cli.backup import into as backup_into
from tests.support.actions.act import ROOT
from tests.support.backup.shop import shop
from tests.support.backup.way import Ran, Shelf, Stored, command
from tests.support.databases.postgres import Server, binaries, running
from tests.support.signing import signing

SMOKE = "      smoke:\n        - name: rows\n          sql: {}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    return shop(server)


@pytest.fixture(scope="module")
def healthy(server: Server, database: str, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("restoring") / "store")
    shelf.take(server, database)
    return shelf


@pytest.fixture
def shelf(healthy: Shelf, tmp_path: Path) -> Shelf:
    return healthy.copy(tmp_path / "store")


def backup(shelf: Shelf, *words: str | Path, **environ: str) -> Ran:
    head, *rest = words
    return command("backup", head, "--policy", shelf.written(), *rest, programs=binaries(), environ=environ)


def restored(shelf: Shelf, server: Server, *words: str | Path, into: str = "", **environ: str) -> tuple[Ran, str]:
    """Into a new database; the command, and the database's name."""
    name = into or server.new_database("template0")
    return backup(shelf, "restore", *words, AEGIS_DATABASE_URL=server.url(name), **environ), name


def same(server: Server, first: str, second: str) -> bool:
    return not compare(read_inventory(server.url(first)), read_inventory(server.url(second)))


def document(ran: Ran) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(ran.out)
    return found


def test_a_backup_comes_back_into_a_database_of_a_person(shelf: Shelf, server: Server, database: str) -> None:
    ran, name = restored(shelf.of("database", SMOKE.format("SELECT count(*) > 0 FROM orders")), server, "latest")
    assert ran.code == 0, ran
    assert ran.out.startswith("PASS: FULL, equality equal (backup_check.proven)\n")
    assert "ok: rows: true" in ran.out
    assert "ISOLATED" not in ran.out
    assert same(server, database, name)
    assert server.password not in ran.out + ran.err
    assert not list(shelf.folder.glob("_records/**/*.json"))  # what a person has is no proof for others


@pytest.mark.parametrize("deep", [True, False], ids=["its folder", "the database's folder"])
def test_by_its_address_without_any_policy(
    shelf: Shelf, server: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deep: bool
) -> None:
    """The runbook's script, as at three in the morning."""
    stored = shelf.newest()
    monkeypatch.chdir(tmp_path)
    name = server.new_database("template0")
    address = f"{stored.folder}/" if deep else str(stored.folder.parent)
    ran = command(
        *("backup", "restore", address, "--format=json"),
        programs=binaries(),
        environ={"AEGIS_DATABASE_URL": server.url(name)},
    )
    assert ran.code == 0, ran
    assert document(ran)["backup"] == stored.manifest.id
    assert "no policy names signers" in ran.err
    assert "no policy names this database" in ran.err
    assert same(server, database, name)


def test_the_script_of_the_runbook_is_the_command() -> None:
    script = ROOT / "scripts" / "backup" / "restore_db.py"
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "aegis backup restore" in done.stdout


def test_a_policy_that_was_named_and_is_not_there_is_no_policy_without_signers(shelf: Shelf, tmp_path: Path) -> None:
    for words, environ in ((["--policy", "gone.yml"], {}), ([], {"AEGIS_POLICY": "gone.yml"})):
        ran = command(
            *("backup", "restore", f"{shelf.newest().folder}/", "--throwaway", *words),
            programs=binaries(),
            environ=environ,
        )
        assert (ran.code, ran.reason) == (2, "core.wrong_usage")


def test_signers_of_the_policy_count_for_addresses_too(shelf: Shelf, server: Server) -> None:
    shelf.folder.with_name("ops.pub").write_text(signing.pem(signing.private("ecdsa-p256")))
    asked = shelf.of("", "  signers:\n    - key: ops.pub\n")
    for which in ("latest", f"{shelf.newest().folder}/"):
        ran, name = restored(asked, server, which, "--format=json")
        assert (ran.code, document(ran)["reason"]) == (1, "verify.unsigned")
        with psycopg.connect(server.url(name)) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_latest_verified_is_the_last_that_was_proven(shelf: Shelf, server: Server, database: str) -> None:
    ran, _ = restored(shelf, server, "latest-verified")
    assert (ran.code, ran.reason) == (1, "backup_check.never_proven")
    first = shelf.newest()
    shelf.prove(first)
    shelf.take(server, database)
    assert shelf.newest().manifest.id != first.manifest.id
    ran, _ = restored(shelf, server, "latest-verified", "--format=json")
    assert document(ran)["backup"] == first.manifest.id
    assert f"newer backups that do not count as verified: {shelf.newest().manifest.id}" in ran.err
    ran, _ = restored(shelf, server, "latest", "--format=json")
    assert "newer backups" not in ran.err
    assert document(ran)["backup"] == shelf.newest().manifest.id
    ran, _ = restored(shelf, server, first.manifest.id, "--format=json")
    assert document(ran)["backup"] == first.manifest.id


@pytest.mark.parametrize("way", [(), ("--throwaway",)], ids=["into a database", "rehearsed"])
def test_one_that_has_lost_objects_names_the_next(
    shelf: Shelf, server: Server, database: str, way: tuple[str, ...]
) -> None:
    """In an emergency nobody is to search, nor to get older data without a word."""
    first, second, third = shelf.newest(), shelf.take(server, database), shelf.take(server, database)
    shelf.prove(first, second, third)
    target = {} if way else {"AEGIS_DATABASE_URL": server.url(server.new_database("template0"))}

    def lost(stored: Stored) -> Ran:
        stored.data().unlink()
        ran = backup(shelf, "restore", "latest-verified", *way, **target)
        assert ran.code == 1, ran
        assert "(backup_check.object_damaged)" in ran.out
        return ran

    assert f"`aegis backup restore {second.manifest.id} --database shop`" in lost(third).err
    assert f"`aegis backup restore {first.manifest.id} --database shop`" in lost(second).err
    assert "no verified backup before it is whole" in lost(first).err
    ran = backup(shelf, "restore", second.manifest.id, *way, **target)
    assert ran.code == 1, ran
    assert "no verified backup before it is whole" in ran.err


@pytest.mark.parametrize("which", ["newest", "20261126", "s3://bucket", "/", "20261399T003413Z-0000000016B37480"])
def test_what_names_no_backup(shelf: Shelf, server: Server, which: str) -> None:
    ran, _ = restored(shelf, server, which)
    assert ran.code == 2, ran
    assert "names no backup" in ran.err


def test_a_backup_that_is_not_there(shelf: Shelf, server: Server) -> None:
    ran, _ = restored(shelf, server, "20200101T000000Z-0000000000000001", "--format=json")
    assert (ran.code, document(ran)["reason"]) == (1, "backup_check.no_backup")


def test_a_target_that_is_not_empty_and_force(shelf: Shelf, server: Server) -> None:
    name = server.new_database("template0")
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    ran, _ = restored(shelf, server, "latest", "--format=json", into=name)
    assert (ran.code, document(ran)["reason"]) == (1, "backup_check.target_not_empty")
    assert "download" not in document(ran)["seconds"]
    ran, _ = restored(shelf, server, "latest", "--format=json", "--force", into=name)
    assert (ran.code, document(ran)["equality"]) == (0, "equal"), ran
    with psycopg.connect(server.url(name)) as connection:
        assert connection.execute("SELECT a FROM mine").fetchone() == (1,)


def test_force_excuses_no_large_object_that_is_not_as_it_was(shelf: Shelf, server: Server) -> None:
    """What the database held before is more than the backup's, never something else in its place."""
    stored = shelf.newest()
    stored.told(large_objects=msgspec.structs.replace(stored.manifest.large_objects, hash="1"))
    ran, _ = restored(shelf, server, "latest", "--format=json", "--force")
    assert (ran.code, document(ran)["reason"]) == (1, "backup_check.large_objects"), ran
    assert document(ran)["equality"] == "differs"


def test_large_objects_that_others_have_are_told(shelf: Shelf, server: Server) -> None:
    name = server.new_database("template0")
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute("SELECT lo_from_bytea(99, 'mine')")
    ran, _ = restored(shelf, server, "latest", "--format=json", "--force", into=name)
    assert (ran.code, document(ran)["equality"]) == (0, "equal"), ran
    assert "large objects: there are more than the backup's" in document(ran)["not_run"]


def test_the_source_is_never_restored_into(shelf: Shelf, server: Server, database: str) -> None:
    for words in ((), ("--force",)):
        ran, _ = restored(shelf, server, "latest", "--format=json", *words, into=database)
        assert (ran.code, document(ran)["reason"]) == (1, "backup_check.target_is_source")


def test_a_target_without_the_roles_and_without_owners(shelf: Shelf) -> None:
    with running() as other:
        ran, name = restored(shelf, other, "latest", "--format=json")
        assert (ran.code, document(ran)["reason"]) == (3, "backup_check.engine_lacks")
        ran, _ = restored(shelf, other, "latest", "--format=json", "--no-owner", into=name)
        assert (ran.code, document(ran)["equality"]) == (0, "equal"), ran
        assert document(ran)["not_run"] == [
            "the digest of all definitions",
            "tablespaces; the owner of the database itself, and rights on it (GRANT … ON DATABASE)",
        ]


def test_a_target_that_does_not_answer(shelf: Shelf, server: Server) -> None:
    ran = backup(shelf, "restore", "latest", "--format=json", AEGIS_DATABASE_URL=server.url(password="wrong"))
    assert (ran.code, document(ran)["reason"]) == (3, "backup_check.database_unavailable")
    assert "wrong" not in ran.out + ran.err
    ran = backup(shelf, "restore", "latest")
    assert (ran.code, ran.reason) == (2, "core.wrong_usage")
    ran = backup(shelf, "restore", "latest", AEGIS_DATABASE_URL="mysql://root:hunter2@db/shop")
    assert (ran.code, ran.reason) == (2, "runtime.database_url_invalid")
    assert "hunter2" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("address", "around", "named"),
    [
        ("staging.example:{port}/{name}", {"PGHOSTADDR": "127.0.0.1"}, "PGHOSTADDR"),
        ("127.0.0.1/{name}", {"PGPORT": "{port}"}, "PGPORT"),
        ("/{name}?port={port}", {"PGHOST": "127.0.0.1"}, "PGHOST"),
        ("127.0.0.1:{port}", {"PGDATABASE": "{name}"}, "PGDATABASE"),
        ("127.0.0.1/{name}", {"PGSERVICE": "live", "PGSERVICEFILE": "{file}"}, "PGSERVICE"),
        ("127.0.0.1/{name}?service=live", {"PGSERVICEFILE": "{file}"}, "`service=`"),
    ],
)
def test_no_variable_of_libpq_leads_into_another_database_than_the_address_names(
    shelf: Shelf, server: Server, tmp_path: Path, address: str, around: Mapping[str, str], named: str
) -> None:
    name = server.new_database("template0")
    file = tmp_path / "services"
    file.write_text(f"[live]\nport={server.port}\n")
    meant = {"port": server.port, "name": name, "file": file}
    ran = backup(
        shelf,
        *("restore", "latest"),
        AEGIS_DATABASE_URL=f"postgresql://postgres:{server.password}@{address.format_map(meant)}",
        **{variable: value.format_map(meant) for variable, value in around.items()},
    )
    with psycopg.connect(server.url(name)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert (ran.code, ran.reason) == (2, "runtime.database_url_invalid"), ran
    assert named in ran.err
    assert server.password not in ran.out + ran.err


def test_variables_of_libpq_do_nothing_where_the_address_says_it_itself(
    shelf: Shelf, server: Server, database: str
) -> None:
    """Services of a hosting company set them beside the address; those of TLS and waiting count."""
    around = {"PGHOST": "live.example", "PGPORT": "1", "PGDATABASE": "live", "PGUSER": "live", "PGPASSWORD": "no"}
    ran, name = restored(shelf, server, "latest", PGSSLMODE="disable", PGCONNECT_TIMEOUT="20", **around)
    assert ran.code == 0, ran
    assert same(server, database, name)
    ran = backup(shelf, "restore", "latest", "--throwaway", "--tier=data", **around)
    assert ran.code == 0, ran


def test_what_is_damaged_reaches_no_database(shelf: Shelf, server: Server) -> None:
    stored = shelf.newest()
    stored.change(stored.data(), lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    ran, name = restored(shelf, server, "latest", "--format=json")
    assert (ran.code, document(ran)["reason"]) == (1, "backup_check.object_damaged")
    with psycopg.connect(server.url(name)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_rows_that_differ_are_told_after_the_restore(shelf: Shelf, server: Server) -> None:
    stored = shelf.newest()
    table, *_ = [each for each in stored.manifest.tables if each.rows]
    changed = {each.name: each for each in stored.manifest.tables}
    changed[table.name] = msgspec.structs.replace(table, hash="1")
    stored.told(tables=tuple(changed[each.name] for each in stored.manifest.tables))
    ran, _ = restored(shelf, server, "latest", "--format=json")
    found = document(ran)
    assert (ran.code, found["outcome"], found["equality"]) == (1, "FAIL", "differs")
    assert [each["rule"] for each in found["differences"]] == ["backup_check.table_content"]


def test_a_question_that_is_not_answered_by_true(shelf: Shelf, server: Server) -> None:
    asked = shelf.of("database", SMOKE.format("SELECT count(*) = 0 FROM orders"))
    ran, _ = restored(asked, server, "latest", "--format=json")
    found = document(ran)
    assert (ran.code, found["reason"], found["equality"]) == (1, "backup_check.smoke_failed", "equal")


def recorded(data: Path) -> list[tuple[str, str, str | None]]:
    """Each event of an audit log: what was done, how it ended, and why."""
    file = data.with_name("exported")
    file.unlink(missing_ok=True)
    words = ("audit", "export", "--format=json", "--output", file)
    ran = command(*words, programs=binaries(), environ={"AEGIS_DATA": str(data)})
    assert ran.code == 0, ran
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return [(each["action"], each["outcome"], each.get("reason")) for each in events]


def test_what_is_restored_is_in_the_audit_log(shelf: Shelf, server: Server, database: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    ran, _ = restored(shelf, server, "latest", AEGIS_DATA=str(data))
    assert ran.code == 0, ran
    ran, _ = restored(shelf, server, "latest", "--format=json", AEGIS_DATA=str(data), into=database)
    assert ran.code == 1
    assert recorded(data)[-4:] == [
        ("database.restored", "unknown", None),
        ("database.restored", "success", None),
        ("database.restored", "unknown", None),
        ("database.restored", "refused", "backup_check.target_is_source"),
    ]
    assert not any(server.password.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_a_log_that_cannot_be_written_ends_it_before(shelf: Shelf, server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    ran, name = restored(shelf, server, "latest", AEGIS_DATA=str(tmp_path / "data"))
    assert ran.code == 3, ran
    with psycopg.connect(server.url(name)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


@pytest.mark.parametrize(
    "words",
    [
        ["--throwaway", "--force"],
        ["--throwaway", "--no-owner"],
        ["--throwaway", "--database-url-file", "url"],
        ["--tier", "full"],
        ["--engine", "/usr"],
    ],
)
def test_options_of_two_ways(shelf: Shelf, server: Server, words: list[str]) -> None:
    ran, _ = restored(shelf, server, "latest", *words)
    assert (ran.code, ran.reason) == (2, "core.wrong_usage"), ran


def test_a_rehearsal_touches_no_database_and_proves_nothing_to_others(shelf: Shelf) -> None:
    ran = backup(shelf, "restore", "latest", "--throwaway", "--engine", binaries(), "--format=json")
    found = document(ran)
    assert (ran.code, found["outcome"], found["tier"], found["isolated"]) == (0, "PASS", "full", True)
    assert not list(shelf.folder.glob("_records/**/*.json"))


def test_a_verification_is_written_down_unless_nobody_wants_that(shelf: Shelf, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    words = ("verify", "--engine", binaries(), "--format=json", "--tier=data")
    ran = backup(shelf, *words, "--no-record")
    assert (ran.code, document(ran)["tier"]) == (0, "data")
    assert not list(shelf.folder.glob("_records/**/*.json"))
    ran = backup(shelf, *words, AEGIS_DATA=str(data))
    assert ran.code == 0
    (record,) = shelf.folder.glob("_records/**/*.json")
    assert record.name.endswith("-PASS.json")
    assert json.loads(record.read_bytes())["manifest_sha256"] == document(ran)["manifest_sha256"]
    assert recorded(data)[-1] == ("backup.drilled", "success", None)


def archive(server: Server, database: str, path: Path, *words: str) -> Path:
    programs = server.bin / "pg_dump"
    subprocess.run([str(programs), "-Fc", *words, "-f", str(path), server.url(database)], check=True)
    return path


def test_a_dump_of_others_is_restorable_and_no_more(
    shelf: Shelf, server: Server, database: str, tmp_path: Path
) -> None:
    path = archive(server, database, tmp_path / "theirs.dump")
    words = ("verify", "--engine", binaries(), "--foreign")
    ran = backup(shelf, *words, path)
    assert ran.code == 3
    assert ran.out.startswith("RESTORABLE, EQUALITY NOT RUN: FULL\n")
    assert "NOT RUN: owners and rights" in ran.out
    folder = archive(server, database, tmp_path / "folder", "-Fd")
    asked = shelf.of("database", SMOKE.format("SELECT count(*) > 0 FROM orders"))
    more = ("--accept-restorable", "--format=json", "--database=shop", "--tier=data")
    ran = backup(asked, *words, folder, *more)
    found = document(ran)
    assert (ran.code, found["outcome"], found["reason"]) == (0, "COULD NOT VERIFY", "backup_check.equality_not_run")
    assert found["smoke"] == [{"name": "rows", "ok": True, "said": "true"}]
    assert not list(shelf.folder.glob("_records/**/*.json"))
    empty = archive(server, database, tmp_path / "empty.dump", "--schema-only")
    ran = backup(shelf, *words, empty, "--accept-restorable", "--format=json")
    assert (ran.code, document(ran)["reason"]) == (1, "backup_check.dump_empty")


def test_dumps_of_others_that_are_none(shelf: Shelf, server: Server, database: str, tmp_path: Path) -> None:
    """Accepted is what restores, and nothing else."""
    plain = tmp_path / "plain.sql"
    subprocess.run([str(server.bin / "pg_dump"), "-f", str(plain), server.url(database)], check=True)
    path = archive(server, database, tmp_path / "theirs.dump")
    cut = tmp_path / "cut.dump"
    cut.write_bytes(path.read_bytes()[:-1000])
    for broken, code in ((plain, "archive_unknown"), (cut, "restore_failed")):
        ran = backup(
            shelf, "verify", "--foreign", broken, "--accept-restorable", "--engine", binaries(), "--format=json"
        )
        assert (ran.code, document(ran)["reason"]) == (1, f"backup_check.{code}")
    for words in (["latest-verified"], ["--tier", "sample"], ["--identity-file", "keys"]):
        ran = backup(shelf, "verify", "--foreign", path, *words)
        assert (ran.code, ran.reason) == (2, "core.wrong_usage")
    ran = backup(shelf, "verify", "--foreign", tmp_path / "gone", "--engine", binaries())
    assert (ran.code, ran.reason) == (2, "core.wrong_usage")


def test_the_address_of_a_target_is_no_secret() -> None:
    into = backup_into.Into(
        url="postgresql://shop:hunter2@db/shop", force=False, owners=True, jobs=2, identities=None
    )  # fmt: skip
    assert "hunter2" not in repr(into)
    assert into.place == "PostgreSQL 'shop' at db:5432"


def test_programs_that_are_missing(shelf: Shelf, server: Server, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    ran = backup(shelf, "verify", "--no-record", "--engine", tmp_path / "none", "--format=json")
    assert (ran.code, document(ran)["reason"]) == (3, "backup_check.tools_missing")
