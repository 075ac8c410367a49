"""Connections to PostgreSQL: bounded in time, and faults told without the password.

The only place that knows psycopg. An address is what `DATABASE_URL` holds: `postgresql://`, `postgres://` (as hosting
services write it) or `postgresql+psycopg://` (as SQLAlchemy does), read by libpq.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from aegis.core.errors import UsageError

if TYPE_CHECKING:
    import psycopg

PATIENCE = 10.0
"""Seconds that any one answer of the server may take; then it counts as down."""
_CONNECT = 5
"""Seconds for each address of the server."""
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds, so that no router forgets a connection that waits in a transaction, and a server that is gone is noticed."""
_ENCODING = {"client_encoding": "UTF8"}
"""Of a database in SQL_ASCII, psycopg would else give bytes for text."""
_SCHEME = re.compile(r"(?:postgresql(?:\+psycopg)?|postgres)(?=://)")


def is_postgres(url: str) -> bool:
    """Whether it has a form that this module takes."""
    return _SCHEME.match(url) is not None


def place_of(url: str) -> str:
    """Where it leads, for messages. Raises UsageError `runtime.database_url_invalid`."""
    found = parts(url)
    host = found.get("host") or found.get("hostaddr") or "its socket"
    return f"PostgreSQL {found.get('dbname', '')!r} at {host}:{found.get('port') or 5432}"


def connect(url: str, *, patience: float = PATIENCE) -> psycopg.Connection[Any]:
    """A new connection, not in autocommit. Raises psycopg.Error, whose text is not to be shown: see `told`.

    `patience`: seconds that any one answer may take.
    """
    settings = {"connect_timeout": _CONNECT, "application_name": "aegis", **_KEEPALIVE, **parts(url), **_ENCODING}
    # Poolers between us and the server (PgBouncer) hand statements of one client to several servers.
    connection: Any = _connection_class().connect(**settings, prepare_threshold=None)
    connection.patience = patience
    return cast("psycopg.Connection[Any]", connection)


def bounds() -> str:
    """SQL for the start of a transaction: what the server itself ends, so that nobody waits for one who is gone."""
    limit = int(PATIENCE * 900)  # milliseconds, so that the server's word comes before patience ends
    return f"SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"


def told(error: Exception) -> str:
    """What happened, without what the server or libpq says in its own words: they may hold the password."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__.lstrip('_')}{f' (SQLSTATE {state})' if state else ''}"


def parts(url: str) -> dict[str, Any]:
    """The address as libpq's keywords and values. Raises UsageError `runtime.database_url_invalid`."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        if not is_postgres(url):
            raise invalid(url)
        return dict(conninfo_to_dict(_SCHEME.sub("postgresql", url, count=1)))
    except psycopg.Error:  # its text holds the address
        raise invalid(url) from None


def invalid(url: str) -> UsageError:
    """The error for an address that nobody understands; of it, only the scheme is shown."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,30}(?=:)", url)
    return UsageError(
        "runtime.database_url_invalid",
        f"the database's address {f'of the kind {scheme[0]!r} ' if scheme else ''}is not understood",
        expected="postgresql://USER@HOST:PORT/NAME or sqlite:///PATH",
        remedy="correct DATABASE_URL; percent-encode special characters of its password",
    )


@cache
def _connection_class() -> Any:
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        """One that is closed where an answer takes too long, e.g. of a machine that is gone: TCP alone waits on."""

        patience = PATIENCE

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, self.patience if timeout is None else timeout)
            except psycopg.errors._WaitTimeout:
                # Its answer may still come: nothing else may be asked on this connection.
                self.pgconn.finish()
                raise

    return Bounded
