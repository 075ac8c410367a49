"""Questions of the user's to a restored database, each answered by one boolean.

Read-only, one statement, bounded in time, and each on a connection of its own, so that none depends on another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from aegis.adapters.postgres.connection import connect, told
from aegis.backup.drill import Answered
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Smoke

if TYPE_CHECKING:
    import psycopg

SECONDS: Final = 60.0
"""For one question."""
_GRACE: Final = 10.0
"""Seconds that the server has to end a statement itself."""
_BOOLEAN: Final = 16
"""OID of the type (pg_type.dat)."""
_TOO_LONG: Final = "57014"
"""SQLSTATE of a statement that was ended by its timeout."""
_LOST: Final = ("08", "57P")
"""Classes and beginnings of SQLSTATE of a server that is gone."""


def ask(url: str, questions: Sequence[Smoke], *, seconds: float = SECONDS) -> tuple[Answered, ...]:
    """The answers, in order. What a question gives but one `true` is told without the database's rows.

    Raises CouldNotDecide `backup_check.engine_failed` where the server is gone, and `….engine_exhausted` where an
    answer takes too long: that says nothing about the backup.
    """
    return tuple(_ask(url, each, seconds) for each in questions)


def _ask(url: str, question: Smoke, seconds: float) -> Answered:
    import psycopg

    try:
        with connect(url, patience=seconds + _GRACE) as connection:
            connection.read_only = True
            # for the whole transaction, which this statement begins
            connection.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
            ok, said = _answer(connection, question.sql)
            connection.rollback()
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(_LOST):
            raise CouldNotDecide(
                "backup_check.engine_failed",
                f"the server is gone at the question {question.name!a} ({told(error)})",
                expected="a server that runs until the end",
                remedy="Look for what ends processes on this machine, e.g. for want of memory.",
            ) from None
        if error.sqlstate == _TOO_LONG:
            raise CouldNotDecide(
                "backup_check.engine_exhausted",
                f"the question {question.name!a} has no answer after {seconds:g} s",
                expected="an answer in time",
                remedy="Ask for less; with the tier `proof` there are no plain indexes, with `full` there are.",
            ) from None
        return Answered(name=question.name, ok=False, said=f"it failed: {told(error)}")
    return Answered(name=question.name, ok=ok, said=said)


def _answer(connection: psycopg.Connection[Any], sql: str) -> tuple[bool, str]:
    # A binary result is asked for by the extended protocol, which takes one statement only.
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql.encode())
        columns = cursor.description
        if columns is None:
            return False, "it gives no rows"
        if len(columns) != 1 or columns[0].type_code != _BOOLEAN:
            return False, f"it gives {len(columns)} columns, not one boolean" if len(columns) != 1 else "no boolean"
        rows = cursor.fetchmany(2)
        if len(rows) != 1:
            return False, "it gives more than one row" if rows else "it gives no row"
        (value,) = rows[0]
        return value is True, {True: "true", False: "false", None: "null"}[value]
