"""A connection for reading a database as a whole: one read-only transaction, whose answers depend on no settings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from aegis.adapters.postgres import connection as postgres
from aegis.backup.checksums import SETTINGS
from aegis.core.errors import CouldNotDecide

if TYPE_CHECKING:
    import psycopg

LOCK_WAIT = 20
"""Seconds. Whoever waits for a lock of ours, and all behind him, wait as long."""
_PINNED = "".join(f"SET LOCAL {name} = '{value}'; " for name, value in SETTINGS.items())
_UNBOUNDED = "".join(f"SET LOCAL {name} = 0; " for name in ("statement_timeout", "idle_in_transaction_session_timeout"))
"""A role's own limits would end checksums of large tables, and the transaction that waits for pg_dump."""
_OLDEST = 14
"""The first major with hash_record_extended."""
_SINCE_17 = 170_000
_CANCEL = 5.0
"""Seconds."""
_FOREIGN_SNAPSHOT = ("0A", "22", "42", "55")
"""Classes of SQLSTATE with which a server refuses a snapshot that it doesn't know."""
_LOCKED = ("55P03", "40P01")
_GONE = ("42P01", "3F000")
_DENIED = "42501"
_NO_MEMORY = "53200"


class Session:
    """For one thread at a time, but for `cancel`."""

    def __init__(self, connection: psycopg.Connection[Any], place: str) -> None:
        """By `session`."""
        self._connection = connection
        self.place = place

    @property
    def major(self) -> int:
        """Of the server, e.g. 17."""
        return self._connection.info.server_version // 10_000

    def begin(self, snapshot: str | None = None) -> None:
        """Start the transaction; of the given snapshot, or of the one that its first query will take."""
        version = self._connection.info.server_version
        also = "SET LOCAL transaction_timeout = 0; " if version >= _SINCE_17 else ""
        start = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
        if snapshot is not None:
            with self._faults("the snapshot", importing=True):
                self._connection.execute(f"{start}SET TRANSACTION SNAPSHOT '{snapshot}'")
            start = ""
        self.run(f"{start}{_PINNED}{_UNBOUNDED}{also}SET LOCAL client_encoding = 'UTF8'")
        self.run(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'")

    def end(self) -> None:
        """End it; there is nothing to keep."""
        self.run("ROLLBACK")

    def run(self, statement: str, what: str = "its tables") -> None:
        """One whose answer is none."""
        with self._faults(what):
            self._connection.execute(statement.encode())

    def lock(self, statement: str) -> bool:
        """LOCK tables; False where one has been dropped meanwhile, which fails the transaction."""
        import psycopg

        with self._faults("its tables"):
            try:
                self._connection.execute(statement.encode())
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                return False
        return True

    def rows(self, query: str, what: str = "its catalog") -> list[Any]:
        """All rows. `what` is read, for messages."""
        with self._faults(what):
            return self._connection.execute(query.encode()).fetchall()

    def row(self, query: str, what: str = "its catalog") -> Any:
        """The one row."""
        (row,) = self.rows(query, what)
        return row

    def cancel(self) -> None:
        """End what is running on it, from another thread."""
        import psycopg

        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL)

    @contextmanager
    def _faults(self, what: str, *, importing: bool = False) -> Iterator[None]:
        import psycopg

        try:
            yield
        except UnicodeDecodeError as error:
            raise unavailable(f"{self.place} has names that are not UTF-8", expected="names in UTF-8") from error
        except psycopg.Error as error:  # its text may hold the password
            raise _fault(error, self.place, what, importing=importing) from None


@contextmanager
def session(url: str, patience: float) -> Iterator[Session]:
    """A new one, not yet in a transaction; `patience`: seconds that any one answer may take.

    Raises UsageError `runtime.database_url_invalid`, CouldNotDecide `backup_check.database_unavailable` and
    `backup_check.database_too_old`.
    """
    import psycopg

    place = postgres.place_of(url)
    try:
        connection = postgres.connect(url, patience=patience)
    except psycopg.Error as error:
        raise _fault(error, place, "anything", importing=False) from None
    try:
        connection.autocommit = True  # BEGIN and ROLLBACK are said in words
        major = connection.info.server_version // 10_000
        if major < _OLDEST:
            raise CouldNotDecide(
                "backup_check.database_too_old",
                f"{place} is of major {major}",
                expected=f"PostgreSQL {_OLDEST} or later",
                remedy="Upgrade the server: its major gets no more security fixes.",
            )
        yield Session(connection, place)
    finally:
        connection.close()


def major_of(url: str) -> int:
    """The server's major. Raises as `session` does."""
    with session(url, postgres.PATIENCE) as asked:
        return asked.major


def check_direct(first: Session, second: Session) -> None:
    """Whether each has a backend of its own, which nobody else gets in between; neither may be in a transaction.

    A pooler gives a client's backend to another one between transactions, most likely to the next that asks. pg_dump
    sets its session up before its transaction, and would lose that. Raises CouldNotDecide
    `backup_check.address_pooled`.
    """
    mark = secrets.token_hex(8)
    told = "SELECT pg_backend_pid(), current_setting('aegis.session', true)"
    first.run(f"SET aegis.session = '{mark}'")
    before = first.row(told)
    second.run("BEGIN READ ONLY")
    between = second.row(told)
    after = first.row(told)
    second.end()
    if before != after or before[1] != mark or between[0] == before[0] or between[1] == mark:
        raise _pooled(first.place, "gives one session's backend to another")


def unavailable(
    problem: str, *, expected: str, remedy: str = "Look at the database's log; then run the backup again."
) -> CouldNotDecide:
    """The database did not answer, or not as it should."""
    return CouldNotDecide(
        "backup_check.database_unavailable",
        problem,
        expected=expected,
        remedy=remedy,
    )


def changed(problem: str) -> CouldNotDecide:
    """Somebody rewrites tables at the same time."""
    return CouldNotDecide(
        "backup_check.tables_changed",
        problem,
        expected="tables that stay as they are while they are backed up; their rows may change",
        remedy="Run the backup again, at a time without migrations.",
    )


def denied(problem: str) -> CouldNotDecide:
    """The role may not read something."""
    return CouldNotDecide(
        "backup_check.privilege_missing",
        problem,
        expected="a role that may read all of the database",
        remedy="Grant the role pg_read_all_data, or what the message names.",
    )


def _fault(error: psycopg.Error, place: str, what: str, *, importing: bool) -> CouldNotDecide:
    state = error.sqlstate or ""
    if importing and state.startswith(_FOREIGN_SNAPSHOT):
        return _pooled(place, "leads to a server that doesn't know the snapshot of the first connection")
    if state == _DENIED:
        return denied(f"{place}: this role may not read {what}")
    if state == _NO_MEMORY:
        return CouldNotDecide(
            "backup_check.database_unavailable",
            f"{place}, when asked for {what}: it has no room for another lock, or no memory (SQLSTATE {state})",
            expected="room for a lock of each table",
            remedy="Raise max_locks_per_transaction on the server (and its standbys), or give it memory.",
        )
    if state in _LOCKED:
        return changed(f"{place}: {what} were locked by another session for {LOCK_WAIT} s")
    if state in _GONE:
        return changed(f"{place}: {what} were dropped meanwhile")
    return unavailable(f"{place}, when asked for {what}: {postgres.told(error)}", expected="a database that answers")


def _pooled(place: str, problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.address_pooled",
        f"{place} {problem}",
        expected="the server itself, or a pooler in session mode",
        remedy="Use the direct address of the server, e.g. without `-pooler` in its name or port 5432 instead of 6432.",
    )
