"""The states of models, over SQLite and PostgreSQL: kept, serialised, and never lifted by a load."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest

from aegis.core.errors import Refused
from aegis_multimodal_ai_system.database import Database, ModelState, open_database

A, B = "aa" * 32, "bb" * 32


def test_what_is_known_is_kept(database: Database, database_url: str) -> None:
    assert database.states.get("classifier") is None
    assert list(database.states.all()) == []
    before = datetime.now(UTC)
    marked = database.states.mark_verified("classifier", A, "1.2", "key:production")
    database.states.mark_unverified("other", "verify.signature_missing", B)
    other = open_database(database_url)
    found = other.states.get("classifier")
    assert found == marked
    assert found is not None
    assert (found.state, found.digest, found.version, found.signer, found.reason) == (
        *("verified", A, "1.2", "key:production", None),
    )
    assert before <= found.changed <= datetime.now(UTC)
    assert [(state.name, state.state, state.reason) for state in other.states.all()] == [
        ("classifier", "verified", None),
        ("other", "unverified", "verify.signature_missing"),
    ]
    other.close()


def test_a_load_never_lifts_what_a_person_decided(database: Database) -> None:
    states = database.states
    states.mark_verified("m", A, "1", "key:a")
    held = states.quarantine("m", "strange answers")
    assert (held.state, held.digest, held.reason) == ("quarantined", A, "strange answers")
    assert states.mark_verified("m", B, "2", "key:a") == held
    assert states.mark_unverified("m", "verify.expired") == held
    assert states.release("m").state == "unverified"
    assert states.mark_verified("m", B, "2", "key:a").state == "verified"
    revoked = states.revoke("m", "poisoned")
    assert states.mark_verified("m", B, "2", "key:a") == revoked
    assert states.get("m") == revoked


@pytest.mark.parametrize("held", ["verified", "unverified", "revoked", None])
def test_only_what_is_in_quarantine_is_released(database: Database, held: str | None) -> None:
    if held == "verified":
        database.states.mark_verified("m", A, None, "key:a")
    elif held == "unverified":
        database.states.mark_unverified("m", "verify.expired")
    elif held == "revoked":
        database.states.revoke("m", "poisoned")
    before = database.states.get("m")
    with pytest.raises(Refused, match="cannot be released") as refused:
        database.states.release("m")
    assert refused.value.code == "runtime.transition_refused"
    assert database.states.get("m") == before


def test_what_is_revoked_is_not_quarantined(database: Database) -> None:
    database.states.revoke("m", "poisoned")
    with pytest.raises(Refused, match="cannot be quarantined"):
        database.states.quarantine("m", "to release it later")


def test_the_floor_of_releases_never_goes_down(database: Database) -> None:
    def floor() -> tuple[str | None, str | None]:
        state = database.states.get("m")
        assert state is not None
        return state.floor_version, state.floor_digest

    database.states.mark_verified("m", A, "1.10", "key:a")
    with pytest.raises(Refused) as refused:
        database.states.mark_verified("m", B, "1.9", "key:a")
    assert refused.value.code == "verify.rollback"
    with pytest.raises(Refused) as refused:
        database.states.mark_verified("m", B, "1.10.0", "key:a")
    assert refused.value.code == "verify.version_reused"
    assert floor() == ("1.10", A)
    database.states.mark_unverified("m", "verify.expired", B)
    database.states.quarantine("m", "x")
    database.states.release("m")
    assert floor() == ("1.10", A)
    database.states.mark_verified("m", B, None, "key:a")
    assert floor() == ("1.10", A)
    database.states.mark_verified("m", B, "2", "key:a")
    assert floor() == ("2", B)


def test_a_quarantine_among_racing_loads_stays(database: Database) -> None:
    """Each thread marks the model, new to the database, as often as it can; one of them takes it out of service."""
    start, rounds = Barrier(6), 12

    def load(number: int) -> list[ModelState]:
        start.wait()
        return [database.states.mark_verified("m", A, None, f"key:{number}.{each}") for each in range(rounds)]

    def person() -> ModelState:
        start.wait()
        return database.states.quarantine("m", "strange answers")

    with ThreadPoolExecutor(6) as pool:
        loads = [pool.submit(load, number) for number in range(5)]
        held = pool.submit(person).result()
        told = [each.result() for each in loads]
    assert held.state == "quarantined"
    now = database.states.get("m")
    assert now is not None
    assert (now.state, now.reason) == ("quarantined", "strange answers")
    for states in told:  # once it was seen in quarantine, it was never seen verified again
        names = [state.state for state in states]
        assert names == sorted(names, key=("verified", "quarantined").index)


def test_racing_floors_end_at_the_highest(database: Database) -> None:
    start, numbers = Barrier(4), count(1)

    def load(versions: list[int]) -> None:
        start.wait()
        for version in versions:
            with suppress(Refused):  # another thread was further already
                database.states.mark_verified("m", f"{version:064x}", str(version), "key:a")

    each = [[next(numbers) for _ in range(8)] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, each))
    state = database.states.get("m")
    assert state is not None
    assert (state.floor_version, state.floor_digest) == ("32", f"{32:064x}")


def test_after_a_fork_both_go_on(database: Database) -> None:
    database.states.mark_verified("m", A, "1", "key:a")
    child = os.fork()
    if child == 0:
        state = database.states.mark_verified("of-child", B, "1", "key:a")
        os._exit(0 if state.state == "verified" and database.states.get("m") is not None else 1)
    mine = database.states.mark_verified("of-parent", A, "1", "key:a")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine.state == "verified"
    assert [state.name for state in database.states.all()] == ["m", "of-child", "of-parent"]


def test_two_processes_that_migrate_at_once(database_url: str) -> None:
    program = (
        "import os, sys\n"
        "from aegis_multimodal_ai_system.database import open_database\n"
        "from tests.support.databases.patient_aegis import patient\n"
        "limits = patient()\n"
        "limits.__enter__()\n"
        "database = open_database(os.environ['DATABASE_URL'])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "database.migrate()\n"
        "database.states.mark_verified(sys.argv[1], 'aa' * 32, '1', 'key:a')\n"
    )
    environ = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": "src:."}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
    database = open_database(database_url)
    assert [state.name for state in database.states.all()] == ["one", "two"]
    database.close()


def rows(file: Path) -> list[str]:
    """As another process reads them, which then leaves."""
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "print(*(name for (name,) in connection.execute('SELECT name FROM model_states ORDER BY name')))\n"
        "connection.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.split()


def test_a_second_connection_leaves_the_first_its_locks(tmp_path: Path) -> None:
    """They end where any descriptor of the file is closed. Another process would take the log away that is written to.

    https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    first, second = (open_database(f"sqlite:///{tmp_path}/aegis.db") for _ in range(2))
    first.migrate()
    second.check()
    assert rows(tmp_path / "aegis.db") == []
    first.states.revoke("m", "poisoned")
    assert rows(tmp_path / "aegis.db") == ["m"]
    second.close()
    first.close()


def test_a_file_that_another_process_begins_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "aegis.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = open_database(f"sqlite:///{tmp_path}/aegis.db")
    with ThreadPoolExecutor(1) as beside:
        migrating = beside.submit(database.migrate)
        with pytest.raises(TimeoutError):
            migrating.result(0.5)
        other.execute("COMMIT")
        other.close()
        migrating.result()
    assert list(database.states.all()) == []
    database.close()
