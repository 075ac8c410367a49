"""Bringing a database's tables to what this version needs, by Alembic and without its ini file."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from aegis.core.errors import CouldNotDecide

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database.connection import Database

_SCRIPTS = Path(__file__).with_name("migrations")
_alone = Lock()
"""Alembic's scripts find their connection through a global."""
_LOCK = 0x6165676973  # "aegis": one number for all processes that migrate


def migrate(database: Database) -> None:
    """See `Database.migrate`."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    with database.transaction() as connection:
        if _version(connection, scripts, database.place) == head:
            return  # needs no rights but reading
    with _alone, database.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if _version(connection, scripts, database.place) == head:
            return  # another process has done it meanwhile
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _version(connection: Connection, scripts: ScriptDirectory, place: str) -> str | None:
    version = MigrationContext.configure(connection).get_current_revision()
    try:
        if version is not None:
            scripts.get_revision(version)
    except CommandError as error:
        raise CouldNotDecide(
            "runtime.database_newer",
            f"{place} has tables of version {version!r}",
            expected="a version that this program knows",
            remedy="run the newer program that has been here, or restore the database as it was before",
        ) from error
    return version


def _after_fork_in_child() -> None:
    """Another thread of the parent may have been migrating."""
    global _alone
    _alone = Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
