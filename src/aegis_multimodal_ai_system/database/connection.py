"""The database of a deployment, opened by its address."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from aegis.adapters.postgres import connection as postgres
from aegis.core.errors import CouldNotDecide
from aegis_multimodal_ai_system.database.states import ModelStates

if TYPE_CHECKING:
    import sqlite3

_POLL = 0.01
"""Seconds."""
_SQLITE = re.compile(r"sqlite:///([^?#]+)")


class Database:
    """One database. Safe to use from threads, and after a fork."""

    def __init__(self, engine: Engine, place: str, *, on_start: str) -> None:
        """`place` for messages; `on_start` is SQL that bounds each transaction."""
        self.place = place
        self.states = ModelStates(self.transaction)
        self._engine = engine
        self._on_start = on_start
        self._process = os.getpid()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes are kept where the block ends well, all of them or none.

        Raises CouldNotDecide `runtime.states_unavailable`.
        """
        if os.getpid() != self._process:
            # A socket that parent and child both talk on would mix their answers up.
            self._engine.dispose(close=False)
            self._process = os.getpid()
        try:
            with self._engine.begin() as connection:
                if self._on_start:
                    connection.exec_driver_sql(self._on_start)
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise self._unavailable(error) from None  # their texts may hold the password

    def migrate(self) -> None:
        """Bring the tables to what this version needs; several processes may do so at once.

        Raises CouldNotDecide `runtime.database_newer` where a later version has been here.
        """
        from aegis_multimodal_ai_system.database.migrating import migrate

        migrate(self)

    def check(self) -> None:
        """Whether it answers. Raises CouldNotDecide `runtime.states_unavailable`."""
        with self.transaction() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """End its connections."""
        self._engine.dispose()

    def _unavailable(self, error: Exception) -> CouldNotDecide:
        cause = error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error
        return CouldNotDecide(
            "runtime.states_unavailable",
            f"{self.place}: {postgres.told(cause)}",
            expected="a database that answers, with this version's tables",
            remedy="look at the database that DATABASE_URL names, and try again",
        )


def open_database(url: str) -> Database:
    """Its face; nothing is connected yet. Raises UsageError `runtime.database_url_invalid`."""
    file = _SQLITE.fullmatch(url)
    if file:
        return _open_sqlite(Path(file[1]))
    place = postgres.place_of(url)
    # libpq reads the address: SQLAlchemy, which would show it in places, never has it
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: postgres.connect(url),
        pool_pre_ping=True,
        pool_timeout=postgres.PATIENCE,
        hide_parameters=True,
    )
    return Database(engine, place, on_start=postgres.bounds())


def missing_file(url: str) -> Path | None:
    """The file of an embedded database that is not there yet: whoever opens that makes it."""
    file = _SQLITE.fullmatch(url)
    return Path(file[1]) if file and not os.path.lexists(file[1]) else None


def _open_sqlite(file: Path) -> Database:
    def connect() -> Any:
        import sqlite3

        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(file)
        connection = sqlite3.connect(file, timeout=postgres.PATIENCE, isolation_level=None, check_same_thread=False)
        _keep_log(connection)
        connection.execute("PRAGMA synchronous = FULL")  # a state that was told is on disk
        return connection

    # the pool of files: by its address alone, SQLAlchemy would take it for one in memory
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Writers wait for each other here, and not later, when one of two readers who want to write must give up.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return Database(engine, f"SQLite in {str(file)!r}", on_start="")


def _make(file: Path) -> None:
    """Of this user alone.

    One that is there is not opened: to close it would end the locks of all connections of this process
    (https://sqlite.org/howtocorrupt.html).
    """
    try:
        os.close(os.open(os.path.realpath(file), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # which SQLite has one word for
        if file.is_dir():
            raise IsADirectoryError from None
        if not os.access(file, os.R_OK | os.W_OK):
            raise PermissionError from None


def _keep_log(connection: sqlite3.Connection) -> None:
    """Write ahead; where another process is about to begin the file, SQLite does not wait by itself."""
    import sqlite3

    last = time.monotonic() + postgres.PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(_POLL)
