"""One restore and what it has shown: tiers, what they leave out, and who is to blame for what goes wrong.

Each broken backup of the catalogue has its own test; here is the drill itself.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from aegis.adapters.objects.local import LocalStore
from aegis.adapters.postgres import engine as pg_engine
from aegis.adapters.postgres.sandbox import Sandbox
from aegis.backup.drill import DrillResult
from aegis.backup.manifest import Manifest, StoredObject, dump_manifest, parse_manifest
from aegis.backup.sample import sample_of
from aegis.cli.backup import drill as backup_drill
from aegis.cli.backup.drill import drill
from aegis.core.errors import UsageError
from aegis.core.policy import Smoke, Tier
from tests.doubles.objects import Bucket, denied
from tests.support.backup.databases import everything
from tests.support.backup.stored_backups import store
from tests.support.databases.postgres import Server, binaries, running

DAY = datetime.date(2026, 11, 26)
TRUE = Smoke(name="rows", sql="SELECT count(*) > 0 FROM made")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    return everything(server)


@pytest.fixture(scope="module")
def backups(server: Server, database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of a backup in each form, and of a small one."""
    root = tmp_path_factory.mktemp("store")
    small = server.new_database()
    with psycopg.connect(server.url(small), autocommit=True) as connection:
        connection.execute("CREATE TABLE made AS SELECT 1 AS id")
    return {
        "small": root / "s" / store(server, small, root / "s", form="custom"),
        "directory": root / "d" / store(server, database, root / "d"),
        "custom": root / "c" / store(server, database, root / "c", form="custom"),
    }


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where all that a drill writes has to lie, and where nothing is left."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:  # pytest's own have too long a path for a socket
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


def drilled(
    folder: Path,
    *,
    tier: Tier = "proof",
    smoke: Sequence[Smoke] = (),
    engine: Path | None = None,
    today: datetime.date | None = None,
) -> DrillResult:
    place = LocalStore(folder.parent)
    return drill(place, f"{folder.name}/", tier=tier, smoke=smoke, engine=engine or binaries(), today=today, jobs=2)


def told(result: DrillResult) -> tuple[str, str, str]:
    return result.outcome, result.reason, result.equality


PROVEN = ("PASS", "backup_check.proven", "equal")


@pytest.mark.parametrize(
    ("form", "tier"),
    [("directory", "data"), ("directory", "proof"), ("directory", "full"), ("custom", "full")],
)
def test_what_each_tier_shows_and_leaves_out(backups: dict[str, Path], form: str, tier: Tier) -> None:
    folder = backups[form]
    result = drilled(folder, tier=tier, smoke=[TRUE])
    assert told(result) == PROVEN, result
    data = (folder / "manifest.json").read_bytes()
    manifest = parse_manifest(data)
    assert (result.backup, result.snapshot_time) == (folder.name, manifest.snapshot.time)
    assert result.manifest_sha256 == hashlib.sha256(data).hexdigest()
    assert result.size == sum(each.size for each in manifest.objects)
    assert list(result.seconds) == ["find", "engine", "download", "restore", "compare", "smoke"]
    assert [(each.name, each.ok) for each in result.smoke] == [("rows", True)]
    assert (result.isolated, result.engine, result.tier) == (True, "17.11", tier)
    left = {
        "data": {"constraints, triggers and indexes; materialized views", "the digest of all definitions"},
        "proof": {"plain indexes, which check nothing", "the digest of all definitions"},
        "full": set(),
    }
    assert set(result.not_run) == left[tier]


@pytest.mark.parametrize("form", ["directory", "custom"])
def test_a_sample_restores_the_rows_of_those_whose_turn_it_is(backups: dict[str, Path], form: str) -> None:
    folder = backups[form]
    bucket = Bucket(location=str(folder))
    bucket.put({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    sample = sample_of(manifest, DAY)
    assert 0 < len(sample.tables) < len(manifest.tables) / 2
    result = drill(bucket, "", tier="sample", smoke=[TRUE], engine=binaries(), today=DAY)
    assert told(result) == PROVEN, result
    assert sample.told in result.not_run[1]
    assert result.smoke == ()
    read = {key for key, size in bucket.given.items() if size}
    assert (len(read) < len(manifest.objects) / 2) == (form == "directory")  # of a folder, only what is needed


@pytest.mark.parametrize("form", ["directory", "custom"])
def test_a_sample_tells_rows_that_differ(backups: dict[str, Path], form: str, tmp_path: Path) -> None:
    folder = changed(backups[form], tmp_path, lambda manifest: other_rows(manifest, DAY))
    result = drilled(folder, tier="sample", today=DAY)
    assert told(result) == ("FAIL", "backup_check.table_content", "differs")
    another = DAY + datetime.timedelta(days=1)
    assert told(drilled(folder, tier="sample", today=another)) == PROVEN


def other_rows(manifest: Manifest, day: datetime.date) -> Manifest:
    """As if a table of that day's sample had held something else."""
    chosen = sample_of(manifest, day).tables[0]
    return msgspec.structs.replace(
        manifest,
        tables=tuple(
            msgspec.structs.replace(each, hash="1") if (each.schema, each.name) == chosen else each
            for each in manifest.tables
        ),
    )


def changed(folder: Path, tmp_path: Path, change: Callable[[Manifest], Manifest]) -> Path:
    """A copy with another manifest, and the same objects."""
    copy = tmp_path / folder.name
    copy.mkdir()
    for each in folder.iterdir():
        if each.name != "manifest.json":
            subprocess.run(["cp", "-r", str(each), str(copy)], check=True)
    made = change(parse_manifest((folder / "manifest.json").read_bytes()))
    (copy / "manifest.json").write_bytes(dump_manifest(made))
    return copy


def test_all_differences_are_told_without_rows(backups: dict[str, Path], tmp_path: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        tables = [msgspec.structs.replace(each, hash="1") if each.rows else each for each in manifest.tables]
        return msgspec.structs.replace(manifest, tables=tuple(tables), schema_sha256="0" * 64)

    result = drilled(changed(backups["directory"], tmp_path, change), tier="full")
    assert told(result) == ("FAIL", "backup_check.table_content", "differs")
    rules = [each.rule for each in result.differences]
    assert rules.count("backup_check.table_content") > 50
    assert rules[-1] == "backup_check.schema_differs"
    assert result.problem.endswith(f"and {len(rules) - 5} more")
    assert result.smoke == ()


def test_the_schema_of_another_client_is_not_compared(backups: dict[str, Path], tmp_path: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        dump = msgspec.structs.replace(manifest.dump, client_version="17.12")
        return msgspec.structs.replace(manifest, dump=dump, schema_sha256="0" * 64)

    result = drilled(changed(backups["small"], tmp_path, change), tier="full")
    assert told(result) == PROVEN
    assert result.not_run == ("the digest of all definitions: dumped by 17.12, restored by 17.11",)


def test_a_backup_without_checksums_is_not_called_equal(server: Server, tmp_path: Path) -> None:
    name = server.new_database()
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE a AS SELECT 1 AS b")
    folder = tmp_path / store(server, name, tmp_path, checksums="off")
    tiers: tuple[Tier, ...] = ("proof", "sample")
    for tier in tiers:
        result = drilled(folder, tier=tier)
        assert told(result) == ("COULD NOT VERIFY", "backup_check.equality_not_run", "not run")
        assert "the rows' content: the backup was taken without checksums" in result.not_run

    def more(manifest: Manifest) -> Manifest:
        table = msgspec.structs.replace(manifest.tables[0], name="z")
        return msgspec.structs.replace(manifest, tables=(*manifest.tables, table))

    (tmp_path / "other").mkdir()
    again = drilled(changed(folder, tmp_path / "other", more))
    assert told(again) == ("FAIL", "backup_check.table_missing", "differs")


def test_questions_decide(backups: dict[str, Path]) -> None:
    asked = [
        TRUE,
        Smoke(name="no 'rows'", sql="SELECT count(*) = 0 FROM made"),
        Smoke(name="isolated", sql="SELECT pg_read_file('/proc/self/environ', true) IS NULL"),
    ]
    result = drilled(backups["small"], smoke=asked)
    assert told(result) == ("FAIL", "backup_check.smoke_failed", "equal")
    assert result.problem == "\"no 'rows'\": false"
    assert [each.ok for each in result.smoke] == [True, False, True]


def test_without_namespaces_it_is_said_and_no_program_gets_our_environment(
    backups: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []

    class Seen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **wishes: object) -> None:
            surroundings = wishes.get("env", os.environ)
            assert isinstance(surroundings, Mapping)
            started.append({**surroundings})
            super().__init__(*arguments, **wishes)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", Seen)
    monkeypatch.setattr(pg_engine, "best", lambda: Sandbox("plain"))
    monkeypatch.setenv("AEGIS_DATABASE_URL", "postgresql://shop:hunter2@db/shop")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    result = drilled(backups["small"])
    assert told(result) == PROVEN, result
    assert not result.isolated
    assert result.notices == (backup_drill._NOT_ISOLATED,)
    assert len(started) > 3
    assert "hunter2" not in repr(started)


def test_our_own_memory_is_closed() -> None:
    """To programs of the same user, which might be what a dump runs, before anything reads one."""
    code = "import ctypes; from aegis.cli.backup.drill import Running; dumpable = ctypes.CDLL(None).prctl; "
    code += "print(dumpable(3, 0, 0, 0, 0)); Running('full').guarded(lambda: print(dumpable(3, 0, 0, 0, 0)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "1\n0\n"


def test_an_engine_with_known_holes_is_not_taken(backups: dict[str, Path], tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 17.4'\n")
    (old / "pg_dump").chmod(0o755)
    assert told(drilled(backups["small"], engine=old))[:2] == ("COULD NOT VERIFY", "backup_check.tools_old")
    assert told(drilled(backups["small"], engine=tmp_path))[:2] == ("COULD NOT VERIFY", "backup_check.tools_missing")
    result = drilled(backups["small"], engine=binaries(16))
    assert told(result) == ("COULD NOT VERIFY", "backup_check.engine_lacks", "not run")
    assert result.engine == "16.15"


def test_a_store_that_says_no_says_nothing_of_the_backup(backups: dict[str, Path]) -> None:
    folder = backups["small"]
    bucket = Bucket(location=str(folder))
    assert told(drill(bucket, "shop/"))[:2] == ("FAIL", "backup_check.no_backup")
    bucket.put({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    bucket.faults["dump"] = denied()
    result = drill(bucket, "", engine=binaries())
    assert told(result) == ("COULD NOT VERIFY", "verify.store_denied", "not run")
    assert list(result.seconds) == ["find", "engine", "download"]
    bucket.fault = denied()
    result = drill(bucket, "")
    assert told(result)[:2] == ("COULD NOT VERIFY", "verify.store_denied")
    assert (result.backup, result.manifest_sha256, result.snapshot_time) == ("", "", "")


def test_whoever_waits_sees_how_far_it_is(backups: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    told_of: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def bar(title: str) -> Iterator[Callable[[int, int], None]]:
        told_of[title] = []
        yield lambda done, total: told_of[title].append((done, total))

    monkeypatch.setattr(backup_drill, "bytes_bar", bar)
    result = drilled(backups["small"], tier="data")
    assert told_of["downloading"][-1] == (result.size, result.size)
    assert all(done > 0 and total == 0 for done, total in told_of["restoring"])


def test_a_defect_is_no_pass(backups: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a row")

    monkeypatch.setattr(backup_drill, "compare", broken)
    result = drilled(backups["small"])
    assert told(result) == ("COULD NOT VERIFY", "core.crashed", "not run")
    assert "a row" not in repr(result)


def test_a_mistake_of_the_user_is_raised(backups: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise UsageError("core.wrong_usage", "a", expected="b", remedy="c")

    monkeypatch.setattr(backup_drill, "compare", mistaken)
    with pytest.raises(UsageError):
        drilled(backups["small"])


def test_an_object_of_no_form(backups: dict[str, Path], tmp_path: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        data = b"SELECT 1;"
        one = StoredObject(name="dump", size=len(data), sha256=hashlib.sha256(data).hexdigest())
        return msgspec.structs.replace(manifest, objects=(one,))

    folder = changed(backups["small"], tmp_path, change)
    (folder / "dump").write_bytes(b"SELECT 1;")
    assert told(drilled(folder))[:2] == ("FAIL", "backup_check.archive_unknown")
