"""The log in PostgreSQL: what is acknowledged is there, in one order, whoever writes and whatever breaks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, cast

import psycopg
import pytest

from aegis.adapters.postgres import connection as adapter
from aegis.adapters.postgres.audit_log import PostgresLog, PostgresSource
from aegis.audit.checkpoint import open_checkpoint
from aegis.audit.entry import decode
from aegis.audit.proof import verify_proof
from aegis.audit.prove import prove, read_entry
from aegis.audit.tree import Tree, load_tree
from aegis.audit.verify import verify_log
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.core.merkle import hash_leaf
from tests.integration.database.logs import (
    ORIGIN,
    VERIFIER,
    append_many,
    entries_in,
    event,
    key,
    opened,
    with_tables,
)
from tests.support.databases.postgres import Server, running
from tests.support.databases.postgres_proxy import between


@pytest.fixture
def url(log_url: str) -> str:
    return log_url


@pytest.fixture
def log(url: str) -> Iterator[PostgresLog]:
    with opened(url) as each:
        yield each


def size_of(log: PostgresLog) -> int:
    return open_checkpoint(log.checkpoint(), VERIFIER).size


def unavailable(log: PostgresLog) -> str:
    with pytest.raises(CouldNotDecide) as raised:
        log.append(event())
    assert raised.value.code == "audit.unavailable"
    return str(raised.value)


def test_what_is_appended_is_there_and_proven(log: PostgresLog, url: str) -> None:
    receipts = [log.append(event(f"model-{number}")) for number in range(3)]
    assert [receipt.index for receipt in receipts] == [0, 1, 2]
    source = PostgresSource(url)
    assert log.origin == ORIGIN
    assert log.vkey == str(VERIFIER)
    for receipt in receipts:
        data = read_entry(source, index=receipt.index, size=3)
        assert hash_leaf(data) == receipt.leaf_hash
        assert decode(data).id == receipt.id
        assert decode(data).event.resource.name == f"model-{receipt.index}"
        assert verify_proof(prove(source, VERIFIER, receipt.index), data, VERIFIER).size == 3
    source.close()


def test_an_empty_log_has_a_checkpoint(log: PostgresLog) -> None:
    assert log.read("checkpoint") is None
    assert size_of(log) == 0
    assert verify_log(log, VERIFIER).result == "intact"


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_tiles_and_bundles_are_those_of_the_tree(log: PostgresLog, size: int) -> None:
    append_many(log, size)
    expected = Tree()
    for data in entries_in(log, size):
        expected.add(hash_leaf(data))
    assert open_checkpoint(log.checkpoint(), VERIFIER).root == expected.root()
    loaded = load_tree(log, size)
    assert (loaded.root(), loaded.tails) == (expected.root(), expected.tails)
    assert verify_log(log, VERIFIER).result == "intact"


def test_a_log_of_more_than_one_tile_of_tiles(log: PostgresLog, url: str) -> None:
    for _ in range(8):
        append_many(log, 8_192)
    append_many(log, 300)
    assert log.append(event()).index == 65_836
    assert len(log.read("tile/1/000") or b"") == 256 * 32
    assert len(log.read("tile/2/000.p/1") or b"") == 32
    assert log.read("tile/1/001.p/1") is not None
    assert log.read("tile/1/001.p/2") is None
    with opened(url) as other:
        # which takes a tree of the root hash that was signed
        assert other.append(event()).index == 65_837


@pytest.mark.parametrize(
    "path",
    ["tile/entries/000", "tile/0/000", "tile/entries/000.p/4", "tile/1/000.p/1", "tile/entries/x001/000.p/1", "../x",
     "tile/entries/000.p/0", "tile/64/000", "", "checkpoint\n", "tile/entries/x999/x999/x999/x999/x999/x999/999"],
)  # fmt: skip
def test_what_is_not_there_is_not_read(log: PostgresLog, path: str) -> None:
    append_many(log, 3)
    assert log.read(path) is None


def test_threads_share_commits(log: PostgresLog) -> None:
    start = Barrier(16)

    def write(number: int) -> list[int]:
        start.wait()
        return [log.append(event(f"thread-{number}")).index for _ in range(12)]

    with ThreadPoolExecutor(16) as pool:
        indexes = sorted(index for each in pool.map(write, range(16)) for index in each)
    assert indexes == list(range(16 * 12))
    report = verify_log(log, VERIFIER)
    assert (report.result, report.size) == ("intact", 16 * 12)


PROGRAM = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from tests.integration.database.logs import event, opened
from tests.support.databases.patient_aegis import patient
with patient(), opened(os.environ["DATABASE_URL"]) as log, ThreadPoolExecutor(3) as pool:
    print("ready", flush=True)
    sys.stdin.readline()
    for receipt in pool.map(lambda number: log.append(event(f"{sys.argv[1]}-{number}")), range(40)):
        print(receipt.index, receipt.leaf_hash.hex(), flush=True)
"""


def writer(url: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name],
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": "src:."},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_write_one_after_the_other(url: str) -> None:
    """Also into a log that none of them has begun."""
    processes = [writer(url, name) for name in ("one", "two")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told: dict[int, str] = {}
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        told.update((int(index), leaf) for index, leaf in map(str.split, out.splitlines()))
    assert sorted(told) == list(range(80))
    source = PostgresSource(url)
    assert {index: hash_leaf(data).hex() for index, data in enumerate(entries_in(source, 80))} == told
    assert verify_log(source, VERIFIER).result == "intact"
    source.close()


def test_after_a_fork_both_go_on(log: PostgresLog) -> None:
    log.append(event("before"))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.append(event("child"))
            code = 0 if log.read("checkpoint") else 1
        finally:
            os._exit(code)
    log.append(event("parent"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.append(event("after"))
    names = [decode(data).event.resource.name for data in entries_in(log, 4)]
    assert sorted(names) == ["after", "before", "child", "parent"]
    assert verify_log(log, VERIFIER).result == "intact"


def test_the_log_only_grows_also_for_its_owner(log: PostgresLog, url: str) -> None:
    append_many(log, 300)
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in (
            *("UPDATE audit_entries SET entry = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"),
            *("UPDATE audit_nodes SET hash = 'x'", "DELETE FROM audit_nodes", "TRUNCATE audit_nodes"),
            *("DELETE FROM audit_log", "TRUNCATE audit_log", "UPDATE audit_log SET size = 299"),
            *("UPDATE audit_log SET checkpoint = 'x'", "UPDATE audit_entries SET index = index + 1 WHERE index > 400"),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
                owner.execute(cast("Any", statement))
    assert log.append(event()).index == 300


def test_an_ordinary_role_writes_and_no_more(postgres: Server, url: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute("CREATE ROLE logger LOGIN PASSWORD 'x'")
        owner.execute("GRANT SELECT, INSERT ON audit_entries, audit_nodes, audit_log TO logger")
    name = url.rpartition("/")[2]
    try:
        with opened(postgres.url(name, user="logger", password="x")) as log:
            log.checkpoint  # noqa: B018
            assert "InsufficientPrivilege" in unavailable(log)
            with psycopg.connect(url) as owner:
                owner.execute("GRANT UPDATE ON audit_log TO logger")
            assert log.append(event()).index == 0
            log.check()
            with psycopg.connect(url) as owner:
                owner.execute("REVOKE INSERT ON audit_nodes FROM logger")
            with pytest.raises(CouldNotDecide, match="read-only for this role") as raised:
                log.check()
            assert raised.value.code == "audit.unavailable"
    finally:
        with psycopg.connect(url) as owner:
            owner.execute("DROP OWNED BY logger; DROP ROLE logger")


def test_a_log_without_entries_is_checked_and_begun(postgres: Server, url: str) -> None:
    """Before the first entry a role that may not write is not ready, and a log that was begun is intact."""
    with psycopg.connect(url) as owner:
        owner.execute("CREATE ROLE beginner LOGIN PASSWORD 'x'")
        owner.execute("GRANT SELECT ON audit_entries, audit_nodes, audit_log TO beginner")
    try:
        with opened(postgres.url(url.rpartition("/")[2], user="beginner", password="x")) as log:
            for missing in ("INSERT ON audit_entries", "INSERT ON audit_nodes", "UPDATE ON audit_log"):
                with pytest.raises(CouldNotDecide, match="read-only for this role"):
                    log.check()
                with psycopg.connect(url) as owner:
                    owner.execute(f"GRANT {missing} TO beginner".encode())
            with pytest.raises(CouldNotDecide, match="read-only for this role"):
                log.check()  # it would have to begin the log
            with psycopg.connect(url) as owner:
                owner.execute("GRANT INSERT ON audit_log TO beginner")
            assert log.read("checkpoint") is None
            log.check()
            report = verify_log(log, VERIFIER)
            assert (report.result, report.size, report.findings) == ("intact", 0, ())
            assert log.append(event()).index == 0
    finally:
        with psycopg.connect(url) as owner:
            owner.execute("DROP OWNED BY beginner; DROP ROLE beginner")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_lost_in_the_commit_is_not_acknowledged_and_harms_nothing(url: str, when: Any) -> None:
    with between(url) as proxy, opened(proxy.url(url)) as log:
        log.append(event("first"))
        proxy.cut_once(b"COMMIT", when)
        unavailable(log)
        assert proxy.cuts == 1
        last = log.append(event("last"))
        assert last.index == (2 if when == "after" else 1)
        assert verify_log(log, VERIFIER).result == "intact"


def test_a_connection_that_was_lost_between_two_entries_is_made_anew() -> None:
    with running() as server, opened(with_tables(server.url())) as log:
        log.append(event())
        log.checkpoint()
        server.stop()
        told = unavailable(log)
        assert server.password not in told
        server.start()
        assert log.append(event()).index == 1
        server.stop()
        server.start()
        assert log.append(event()).index == 2
        assert size_of(log) == 3
        log.check()


def test_a_server_that_answers_no_more_counts_as_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter.connect, "__kwdefaults__", {"patience": 10.0})
    with running() as server, opened(with_tables(server.url())) as log:
        log.append(event())
        with server.frozen(), monkeypatch.context() as patched:
            patched.setattr(adapter, "_CONNECT", 2)
            unavailable(log)
        monkeypatch.setattr(adapter, "_CONNECT", 300)  # it may take its time to come back
        # what was sent to the frozen server was cut off before its commit
        assert log.append(event()).index == 1


def test_a_writer_that_stopped_holds_nobody_up(url: str, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(event())
    with psycopg.connect(url) as other, monkeypatch.context() as patched:
        other.execute("SELECT * FROM audit_log FOR UPDATE")
        patched.setattr(adapter, "PATIENCE", 0.5)
        assert "57014" in unavailable(log)
    assert log.append(event()).index == 1


def test_after_a_power_cut_all_that_was_acknowledged_is_there() -> None:
    with running(durable=True) as server:
        process = writer(with_tables(server.url()), "one")
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        told = [process.stdout.readline() for _ in range(15)]
        server.kill()
        told += process.stdout  # not `communicate`: it loses what was read ahead, e.g. the beginning of a line
        error = process.communicate(timeout=300)[1]
        assert "" not in told, error
        server.start()
        source = PostgresSource(server.url())
        size = open_checkpoint(source.read("checkpoint") or b"", VERIFIER).size
        leaves = [hash_leaf(data).hex() for data in entries_in(source, size)]
        for index, leaf in map(str.split, told[1:]):
            assert leaves[int(index)] == leaf
        assert verify_log(source, VERIFIER).result == "intact"
        source.close()


def test_without_tables_or_with_a_wrong_password_it_is_unavailable(postgres: Server) -> None:
    name = postgres.new_database()
    with opened(postgres.url(name)) as log:
        assert "UndefinedTable" in unavailable(log)
        with pytest.raises(CouldNotDecide, match="UndefinedTable"):
            log.checkpoint()
        with pytest.raises(CouldNotDecide, match="UndefinedTable"):
            log.check()
    with opened(postgres.url(name, password="hunter2secret")) as log:
        assert "hunter2secret" not in unavailable(log)
    postgres.drop_database(name)


def test_what_is_no_address_or_no_origin() -> None:
    with pytest.raises(UsageError) as refused:
        PostgresLog("sqlite:///x", ORIGIN, key())
    assert refused.value.code == "runtime.database_url_invalid"
    with pytest.raises(Refused) as malformed:
        PostgresLog("postgresql://h/d", "with space", key())
    assert malformed.value.code == "audit.checkpoint_invalid"


def test_an_event_that_may_not_stand_in_the_log_is_refused_before(log: PostgresLog) -> None:
    log.append(event())
    with pytest.raises(Refused) as refused:
        log.append(event("x" * 5000))
    assert refused.value.code == "audit.event_invalid"
    assert size_of(log) == 1


def test_the_log_of_another_key_or_name_is_not_written_on(log: PostgresLog, url: str) -> None:
    log.append(event())
    before = log.read("checkpoint")
    for other in (PostgresLog(url, ORIGIN, key(1)), PostgresLog(url, "other.example/log", key())):
        assert "is not this log's" in unavailable(other)
        with pytest.raises(CouldNotDecide, match="is not this log's"):
            other.checkpoint()
        with pytest.raises(CouldNotDecide, match="is not this log's"):
            other.check()
        other.close()
    assert log.read("checkpoint") == before
