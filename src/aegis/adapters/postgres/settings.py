"""Giving a restored database the settings that its source had of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aegis.adapters.postgres.catalog import read_own_settings
from aegis.adapters.postgres.session import Session, session
from aegis.backup.checksums import quoted
from aegis.backup.compare import Difference
from aegis.backup.own_settings import OwnSetting
from aegis.core.errors import CouldNotDecide

_PATIENCE: Final = 60.0
_LIBRARIES: Final = "_preload_libraries"
"""End of the names of settings with which nobody can connect where a library is missing."""


@dataclass(frozen=True, slots=True)
class Given:
    """What came of it."""

    refused: tuple[str, ...]
    """What is not set, for people; no values."""
    differences: tuple[Difference, ...]


def give_settings(url: str, settings: Sequence[OwnSetting]) -> Given:
    """Set them, and look whether they are; what the server refuses is told. Raises as `session` does."""
    refused = []
    given = []
    with session(url, _PATIENCE) as asked:
        (database,) = asked.row("SELECT current_database()")
        for each in settings:
            if each.name.lower().endswith(_LIBRARIES):
                refused.append(f"{each.told} is not set: without its libraries nobody could connect")
                continue
            try:
                asked.run(_statement(database, each), each.told)
            except CouldNotDecide as error:
                refused.append(f"{each.told} is not set: {error.problem}")
            else:
                given.append(each)
        return Given(tuple(refused), tuple(_differences(asked, given)))


def _statement(database: str, setting: OwnSetting) -> str:
    from psycopg import sql

    role = f"ROLE {quoted(setting.role)} IN " if setting.role is not None else ""
    values = ", ".join(sql.Literal(each).as_string() for each in setting.values)
    return f"ALTER {role}DATABASE {quoted(database)} SET {quoted(setting.name)} TO {values}"


def _differences(asked: Session, given: Sequence[OwnSetting]) -> list[Difference]:
    there = {(each.role, each.name.lower()): each.values for each in read_own_settings(asked)}
    return [
        Difference("backup_check.database_differs", each.told, "as in the source", "another one")
        for each in given
        if there.get((each.role, each.name.lower())) != each.values
    ]
