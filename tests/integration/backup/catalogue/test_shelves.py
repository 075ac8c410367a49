"""Rows 7 to 9, 19, 21 and 22: what the shelf says without a restore, while each backup on it may be a good one."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.backup.shop import run, shop
from tests.support.backup.way import PASS, RefusedError, Shelf, command, fails, programs
from tests.support.databases.postgres import Server, binaries, running

WELL: tuple[int, set[str]] = (0, set())


def reasons(*codes: str) -> tuple[int, set[str]]:
    return 1, {f"backup_check.{code}" for code in codes}


def test_07_another_cluster_passes_for_this_one(server: Server, shelf: Shelf, broken: bool) -> None:
    """Staging instead of production: its backups are fresh, restore and are equal to what was dumped."""
    identifier = shelf.newest().manifest.database.system_identifier
    other = str(int(identifier) + 1) if broken else identifier
    expects = shelf.of("database", f'      system-identifier: "{other}"\n')
    expects.prove(expects.newest())
    assert expects.check() == (reasons("cluster_other") if broken else WELL)


def test_07_nor_is_it_taken(server: Server, database: str, shelf: Shelf, broken: bool) -> None:
    identifier = shelf.newest().manifest.database.system_identifier
    other = str(int(identifier) + 1) if broken else identifier
    expects = shelf.of("database", f'      system-identifier: "{other}"\n')
    if broken:
        with pytest.raises(RefusedError) as caught:
            expects.take(server, database)
        assert (caught.value.exit_code, caught.value.code) == (1, "backup_check.cluster_other")
    else:
        expects.take(server, database)
    assert len(shelf.backups()) == (1 if broken else 2)


def test_07_most_of_it_is_gone(server: Server, shelf: Shelf, broken: bool) -> None:
    """A database that was emptied has good backups, of nothing."""
    whole = shelf.newest()
    for days in (3, 2, 1):
        shelf.copy(shelf.folder.with_name(f"copy-{days}"))
        moved = Shelf(shelf.folder.with_name(f"copy-{days}")).newest().at(datetime.now(UTC) - timedelta(days=days))
        shutil.copytree(moved.folder, whole.folder.with_name(moved.folder.name))
    emptied = shop(server)
    if broken:
        run(server, emptied, "TRUNCATE accounts, orders, audit_trail; SELECT lo_unlink(4713)")
    shelf = shelf.of("database", f"      database: {emptied}\n")
    shelf.take(server, emptied)
    shelf.prove(shelf.newest())
    assert shelf.check() == (reasons("backup_shrunk") if broken else WELL)


@pytest.mark.parametrize("hours", [27, 24 * 62], ids=["a day", "since the schedule ended"])
def test_08_no_backup_since(shelf: Shelf, hours: int, broken: bool) -> None:
    stored = shelf.newest()
    if broken:
        stored = stored.at(datetime.now(UTC) - timedelta(hours=hours))
    shelf.prove(stored)
    # proven today, and yet of two months ago
    found = ("backup_stale",) if hours == 27 else ("backup_stale", "proof_stale")
    assert shelf.check() == (reasons(*found) if broken else WELL)


def test_08_its_file_was_touched(shelf: Shelf, broken: bool) -> None:
    """What counts is when the database was as the backup shows it, not when somebody copied a file."""
    age = timedelta(hours=30 if broken else 2)
    stored = shelf.newest().at(datetime.now(UTC) - age)
    for path in stored.folder.rglob("*"):
        path.touch()
    shelf.prove(stored)
    assert shelf.check() == (reasons("backup_stale") if broken else WELL)


def test_08_no_restore_was_proven_since(shelf: Shelf, broken: bool) -> None:
    if not broken:
        shelf.prove(shelf.newest())
    assert shelf.check() == (reasons("never_proven") if broken else WELL)


def test_09_the_bucket_is_empty(shelf: Shelf, broken: bool) -> None:
    """What nobody looks at is missed when it is needed."""
    shelf.prove(shelf.newest())
    if broken:
        shutil.rmtree(shelf.newest().folder)
    told = shelf.check()
    assert told == (reasons("no_backup", "backup_vanished", "never_proven") if broken else WELL)


def test_09_pg_dump_is_older_than_the_server(
    server: Server, database: str, shelf: Shelf, tmp_path: Path, broken: bool
) -> None:
    """It says that it is of the server's major, as a broken upgrade leaves it."""
    older = programs(tmp_path / "older", server.bin, pg_dump=f'exec {binaries(16)}/pg_dump "$@"')
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, database, programs=older)
        assert (caught.value.exit_code, caught.value.code) == (3, "backup_check.dump_failed")
        assert "server version mismatch" in str(caught.value)
    else:
        shelf.take(server, database)
    assert len(shelf.backups()) == (1 if broken else 2)


@pytest.mark.parametrize("what", ["object", "cut", "manifest"])
def test_19_a_rule_has_deleted_a_part(shelf: Shelf, what: str, broken: bool) -> None:
    stored = shelf.newest()
    shelf.prove(stored)
    expected = WELL
    if broken:
        match what:
            case "object":
                stored.data().unlink()
                expected = reasons("object_missing")
            case "cut":
                stored.change(stored.data(), lambda whole: whole[:-1])
                expected = reasons("object_size")
            case _:
                (stored.folder / "manifest.json").unlink()
                expected = reasons("no_backup", "backup_vanished", "never_proven")
    assert shelf.check() == expected
    if what != "manifest":
        assert shelf.drill() == (fails("object_damaged") if broken else PASS)


def test_19_retention_keeps_the_good_one(shelf: Shelf, broken: bool) -> None:
    """Newer ones that do not restore must not push it out."""
    good = shelf.newest()
    now = datetime.now(UTC)
    shelf.copy(shelf.folder.with_name("copy"))
    newer = Shelf(shelf.folder.with_name("copy")).newest().at(now + timedelta(seconds=5))
    shutil.copytree(newer.folder, good.folder.with_name(newer.folder.name))
    shelf.prove(good)
    if not broken:
        shelf.prove(shelf.newest())
    few = shelf.of("", "  keep: {last: 1, daily: 0, weekly: 0, monthly: 0}\n")
    ran = command("backup", "prune", "--yes", "--policy", few.written(), programs=Path("/usr/bin"))
    assert ran.code == 0, ran.err
    assert (good.folder / "manifest.json").exists() is broken
    assert (newer.folder.name in {each.folder.name for each in shelf.backups()}) is True


def test_21_the_clock_of_the_server_is_ahead(shelf: Shelf, broken: bool) -> None:
    """A snapshot of tomorrow stays fresh for a day too long."""
    stored = shelf.newest()
    if broken:
        stored = stored.at(datetime.now(UTC) + timedelta(hours=2))
    shelf.prove(stored)
    assert shelf.check() == (reasons("snapshot_in_future") if broken else WELL)


def test_21_a_time_zone_makes_no_difference(server: Server, database: str, tmp_path: Path) -> None:
    name = server.new_database(database)
    run(server, name, f"ALTER DATABASE {name} SET timezone = 'Pacific/Kiritimati'")
    shelf = Shelf(tmp_path / "store")
    shelf.prove(shelf.take(server, name, environ={"TZ": "Pacific/Pago_Pago", "PGTZ": "Asia/Kathmandu"}))
    assert shelf.check() == WELL


@pytest.mark.parametrize(
    "question",
    ["SELECT count(*) = 0 FROM accounts WHERE note ~ '[^0-9a-f]'", "SELECT max(at) > 'epoch' FROM orders"],
    ids=["garbage", "nothing new"],
)
def test_22_rows_are_garbage(server: Server, database: str, tmp_path: Path, question: str, broken: bool) -> None:
    """What an intruder has written is backed up and restored without a fault; only the owner knows what is right."""
    name = server.new_database(database)
    if broken:
        run(server, name, "UPDATE accounts SET note = 'PAY 3 BTC'; DELETE FROM orders")
    shelf = Shelf(tmp_path / "store").of("database", f'      smoke: [{{name: sane, sql: "{question}"}}]\n')
    shelf.take(server, name)
    assert shelf.drill() == (fails("smoke_failed") if broken else PASS)


def test_09_a_server_whose_programs_have_known_holes(tmp_path: Path) -> None:
    """The wheel of 14 is below the floor; nothing is dumped with it."""
    shelf = Shelf(tmp_path / "store")
    with running(14) as old:
        with pytest.raises(RefusedError) as caught:
            shelf.take(old, "postgres")
        assert (caught.value.exit_code, caught.value.code) == (3, "backup_check.tools_old")
    assert shelf.backups() == []
