"""Which restores count as clean, and that no row is shown."""

from __future__ import annotations

import signal

import pytest

from aegis.backup.restore_errors import judge, notices
from aegis.core.errors import CouldNotDecide, Refused

QUERY = "pg_restore: error: could not execute query: ERROR:  "
COPY = 'pg_restore: error: COPY failed for table "t": ERROR:  '
ENTRY = "pg_restore: from TOC entry 3312; 0 16394 TABLE DATA accounts alice@example.org\n"


def test_a_clean_restore() -> None:
    assert judge("", 0) is None
    assert judge("pg_restore: WARNING: wal_level is insufficient to publish logical changes\n", 0) is None


@pytest.mark.parametrize(
    "said",
    [
        "pg_restore: warning: errors ignored on restore: 819\n",
        'pg_restore: error: could not execute query: ERROR:  relation "t" already exists\n',
        "pg_restore: [archiver (db)] Error while PROCESSING TOC:\n",
        "pg_restore: fatal: anything\n",
    ],
)
def test_exit_status_0_with_errors_is_a_failure(said: str) -> None:
    error = judge(said, 0)
    assert isinstance(error, Refused)
    assert error.code == "backup_check.restore_failed"


def test_silence_with_another_exit_status_is_a_failure() -> None:
    error = judge("", 1)
    assert isinstance(error, Refused)
    assert "exit status 1" in error.problem


def test_a_failed_restore_into_somebodys_database_does_not_blame_the_backup() -> None:
    said = 'pg_restore: error: could not execute query: ERROR:  relation "t" already exists\n'
    of_theirs, of_ours = judge(said, 1, somebodys=True), judge(said, 1)
    assert of_theirs is not None
    assert of_ours is not None
    assert "aegis backup verify" in of_theirs.remedy
    assert "empty database" in of_theirs.remedy
    assert "another backup" in of_ours.remedy


def test_ignored_errors_are_counted_in_what_is_told() -> None:
    error = judge("pg_restore: warning: errors ignored on restore: 819\n", 1)
    assert error is not None
    assert "819 errors ignored" in error.problem


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f'{QUERY}relation "public.t" does not exist\n', 'relation "public.t" does not exist'),
        (f'{QUERY}role "app" does not exist\n', 'role "app" does not exist'),
        (
            f'{QUERY}could not create unique index "users_pkey"\nDETAIL:  Key (mail)=(alice@x) is duplicated.\n',
            'could not create unique index "users_pkey"',
        ),
        (
            f'{COPY}invalid input syntax for type integer: "alice"\nCONTEXT:  COPY t, line 7, column a: "alice"\n',
            "invalid input syntax",
        ),
        ("pg_restore: error: could not read from input file: end of file\n", "could not read from input file"),
        ("pg_restore: error: could not uncompress data: invalid distance\n", "could not uncompress data"),
        ("pg_restore: error: did not find magic string in file header\n", "did not find magic string in file header"),
    ],
)
def test_what_names_objects_is_told_and_rows_are_not(said: str, told: str) -> None:
    error = judge(ENTRY + said, 1)
    assert isinstance(error, Refused)
    assert told in error.problem
    assert "at an entry of the kind TABLE DATA" in error.problem
    assert "alice" not in str(error)


@pytest.mark.parametrize(
    "said",
    [
        f"{QUERY}alice owes 5\n",
        f"{QUERY}alice: relation",
        f'{QUERY}value too long: "alice"\n',
        "pg_restore: error: alice\x1b[2J",
    ],
)
def test_unknown_messages_are_not_shown(said: str) -> None:
    error = judge(said, 1)
    assert isinstance(error, Refused)
    assert "not shown" in error.problem
    assert "alice" not in str(error)
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (f"{QUERY}out of memory\nDETAIL:  Failed on request of size 1.\n", "engine_exhausted"),
        (f'{QUERY}could not extend file "base/1/2": No space left on device\n', "engine_exhausted"),
        (f'{QUERY}extension "postgis" is not available\n', "engine_lacks"),
        (f"{QUERY}ICU is not supported in this build\n", "engine_lacks"),
        (f'{QUERY}could not load library "/x/uuid-ossp.so": libossp-uuid.so.16\n', "engine_lacks"),
        ("pg_restore: error: unsupported version (1.16) in file header\n", "engine_lacks"),
        (f'{QUERY}unrecognized configuration parameter "transaction_timeout"\n', "engine_lacks"),
        ("pg_restore: error: server closed the connection unexpectedly\n", "engine_failed"),
        ('pg_restore: error: connection to server on socket "/x" failed: no\n', "engine_failed"),
    ],
)
def test_what_says_nothing_of_the_backup_is_no_failure_of_it(said: str, code: str) -> None:
    error, of_theirs = judge(said, 1), judge(said, 1, somebodys=True)
    assert isinstance(error, CouldNotDecide)
    assert error.code == f"backup_check.{code}"
    assert "Part of it" not in error.remedy
    assert isinstance(of_theirs, CouldNotDecide)
    assert of_theirs.code == error.code
    assert "Part of it may be there now: begin again with an empty database" in of_theirs.remedy


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("by_a_shell", [False, True], ids=["itself", "through a shell"])
def test_one_that_is_ended_from_outside_says_nothing_of_the_backup(number: signal.Signals, by_a_shell: bool) -> None:
    error = judge("pg_restore: warning: a\n", 128 + number if by_a_shell else -number, somebodys=True)
    assert isinstance(error, CouldNotDecide)
    assert error.code == "backup_check.engine_failed"
    assert number.name in error.problem
    assert "Part of it may be there now" in error.remedy


def test_it_says_so_itself_where_it_catches_the_signal() -> None:
    error = judge("pg_restore: terminated by user\n", 1)
    assert isinstance(error, CouldNotDecide)
    assert error.code == "backup_check.engine_failed"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_one_that_crashes_may_do_so_by_what_the_archive_holds(number: signal.Signals) -> None:
    assert isinstance(judge("", 128 + number), Refused)
    assert isinstance(judge("", -number), Refused)


def test_an_end_from_outside_excuses_no_error_before_it() -> None:
    said = f'{QUERY}duplicate key value violates unique constraint "k"\n'
    assert isinstance(judge(said, -signal.SIGKILL), Refused)
    assert isinstance(judge(f"{said}pg_restore: terminated by user\n", 1), Refused)


@pytest.mark.parametrize(
    "words", ["out of memory", "server closed the connection unexpectedly", "could not load library"]
)
def test_a_row_cannot_excuse_a_failure(words: str) -> None:
    """What a row says is in the lines after the message."""
    error = judge(f'{QUERY}duplicate key value violates unique constraint "k"\nDETAIL:  Key (a)=({words}).\n', 1)
    assert isinstance(error, Refused)


def test_warnings_are_counted() -> None:
    assert notices("pg_restore: warning: a\npg_restore: WARNING: b\npg_restore: c\n") == 2
