"""Connections to PostgreSQL: bounded in time, and faults told without the password.

The only place that knows psycopg. An address is what `DATABASE_URL` holds: `postgresql://`, `postgres://` (as hosting
services write it) or `postgresql+psycopg://` (as SQLAlchemy does), read by libpq. It alone says where it leads: what
libpq would add to that from the environment is refused.
"""

from __future__ import annotations

import os
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
_PLACES = {"service": "PGSERVICE", "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE"}
"""Parts of an address that say where it leads, and the variables that libpq takes them from where they are missing
(https://www.postgresql.org/docs/current/libpq-envars.html)."""
_PORT = "5432"
_SOCKETS = "/var/run/postgresql"
"""Where an address without a host leads. Unless that is said, psycopg's libpq looks here, and a wheel's pg_restore in
`/tmp`: what was looked at would not be what is restored into."""
_SCHEME = re.compile(r"(?:postgresql(?:\+psycopg)?|postgres)(?=://)")


def is_postgres(url: str) -> bool:
    """Whether it has a form that this module takes."""
    return _SCHEME.match(url) is not None


def place_of(url: str) -> str:
    """Where it leads, for messages. Raises UsageError `runtime.database_url_invalid`."""
    found = parts(url)
    host, address = found.get("host"), found.get("hostaddr")
    where = f"{host} ({address})" if host and address else host or address
    # without a name, the database is called as its user (PQconnectdbParams)
    return f"PostgreSQL {found.get('dbname') or found.get('user', '')!r} at {where}:{found.get('port') or _PORT}"


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
        found = dict(conninfo_to_dict(_SCHEME.sub("postgresql", url, count=1)))
    except psycopg.Error:  # its text holds the address
        raise invalid(url) from None
    _check_leads_there(found)
    if not found.get("host") and not found.get("hostaddr"):
        found["host"] = _SOCKETS
    return found


def invalid(url: str) -> UsageError:
    """The error for an address that nobody understands; of it, only the scheme is shown."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,30}(?=:)", url)
    return UsageError(
        "runtime.database_url_invalid",
        f"the database's address {f'of the kind {scheme[0]!r} ' if scheme else ''}is not understood",
        expected="postgresql://USER@HOST:PORT/NAME or sqlite:///PATH",
        remedy="correct DATABASE_URL; percent-encode special characters of its password",
    )


def _check_leads_there(found: dict[str, Any]) -> None:
    """Whether no file and no variable leads into another database than messages name."""
    if "service" in found:
        raise _elsewhere("`service=` in the database's address", "leave it out")
    usual = {"host": _SOCKETS, "port": _PORT}
    unnamed = {} if "dbname" in found else {"user": "PGUSER"}
    for part, variable in {**_PLACES, **unnamed}.items():
        value = os.environ.get(variable)
        if value and part not in found and value != usual.get(part):
            raise _elsewhere(f"the variable {variable}", f"unset {variable}")


def _elsewhere(what: str, remedy: str) -> UsageError:
    return UsageError(
        "runtime.database_url_invalid",
        f"{what} would lead into another database than the address names",
        expected="an address that says by itself where it leads: postgresql://USER@HOST:PORT/NAME",
        remedy=f"{remedy}; if that database is meant, write its host, port and name into the address",
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
