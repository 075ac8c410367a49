"""Backups while others write: every one of them is equal to its snapshot, whatever came meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.backup.shop import run, shop
from tests.support.backup.way import PASS, Shelf
from tests.support.databases.postgres import Server, running

BACKUPS = 50
WRITES = r"""
\set id random(1, 1500)
\set what random(1, 100)
BEGIN;
\if :what <= 40
INSERT INTO orders VALUES (:id, now(), jsonb_build_object('n', :what)) ON CONFLICT DO NOTHING;
INSERT INTO accounts (mail, paid) VALUES (md5(random()::text) || '@example.org', :what);
\elif :what <= 70
UPDATE accounts SET note = md5(random()::text), paid = paid + 1 WHERE id = :id;
\elif :what <= 85
DELETE FROM orders WHERE account = :id;
DELETE FROM audit_trail WHERE ctid = (SELECT ctid FROM audit_trail LIMIT 1);
\elif :what <= 92 and :client_id = 0
SELECT nextval('invoices'), lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid > 10000 LIMIT 1;
SELECT lo_from_bytea(0, decode(repeat('ab', :id), 'hex'));
\else
SELECT nextval('invoices');
INSERT INTO audit_trail VALUES (now(), 'rolled back');
ROLLBACK;
BEGIN;
\endif
END;
"""
"""Somebody's work, about 100 times a second: more would leave no processor to the backups.

One client alone removes large objects: of two that remove the same, one gets an error, with which pgbench ends it.
"""
CHANGES = """
CREATE TABLE IF NOT EXISTS comes_and_goes (a int);
ALTER TABLE comes_and_goes ADD COLUMN b int DEFAULT 7;
CREATE INDEX ON comes_and_goes (a);
DROP TABLE comes_and_goes;
"""


@contextmanager
def pgbench(
    server: Server, database: str, script: str, folder: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs until the block ends."""
    file = folder / "script.sql"
    file.write_text(script, "utf-8")
    command = [str(server.bin / "pgbench"), "-n", "-T", "3600", "-f", str(file), *options, server.socket_url(database)]
    with (
        (folder / "pgbench.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}) as process,
    ):
        try:
            yield process
            said = (folder / "pgbench.log").read_text("utf-8")
            assert process.poll() is None, said
            assert "aborted" not in said
        finally:
            process.kill()


def position(server: Server) -> str:
    """Where the next write goes: what was written already may wait for the disk."""
    with psycopg.connect(server.socket_url()) as connection:
        (found,) = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone() or ("",)
        return str(found)


def wait_for_a_write(server: Server, writer: subprocess.Popen[bytes]) -> None:
    before, last = position(server), time.monotonic() + 300
    while position(server) == before:
        assert writer.poll() is None
        assert time.monotonic() < last
        time.sleep(0.02)


def test_all_of_them_are_equal(tmp_path: Path) -> None:
    with running() as server:
        name = shop(server)
        shelf = Shelf(tmp_path / "store")
        moved = 0
        with pgbench(server, name, WRITES, tmp_path, "-c", "4", "-R", "100") as writer:
            wait_for_a_write(server, writer)
            for number in range(BACKUPS):
                before = position(server)
                shelf.take(server, name, stream=number % 2 == 1)
                moved += position(server) != before
                assert shelf.drill(tier=("data", "proof")[number % 5 == 0]) == PASS, number
        assert len({each.manifest.id for each in shelf.backups()}) == BACKUPS
        assert moved > BACKUPS // 2  # there was something to be mistaken about


def test_definitions_that_come_and_go(tmp_path: Path) -> None:
    """A backup may say that it was kept from being one; what it takes is whole."""
    with running() as server:
        name = shop(server)
        run(server, name, "CREATE TABLE stays AS SELECT i FROM generate_series(1, 100) AS i")
        shelf = Shelf(tmp_path / "store")
        codes = []
        with pgbench(server, name, CHANGES, tmp_path, "-c", "1", "-R", "5"):
            for _ in range(6):
                ran = shelf.attempt(server, name)
                codes.append(ran.reason if ran.code else "")
                if ran.code == 0:
                    assert shelf.drill(tier="full") == PASS
        assert set(codes) <= {"", "backup_check.tables_changed", "backup_check.dump_failed"}, codes
        assert len(shelf.backups()) == codes.count("")
