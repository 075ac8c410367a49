"""Restoring an archive: into the throwaway engine to prove it, or into a database that a person names.

    with running_engine(programs) as engine:
        prepare(engine, manifest)
        restored = restore(engine, recognised(folder / "dump"), tier="proof")
        refuse_uninvited(engine, manifest)
        found = read_inventory(restored.url)

What is missing for a restore (major, locale, encoding, extensions, roles) is said before anything is restored.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from aegis.adapters.postgres import archive as pg_archive
from aegis.adapters.postgres.archive import Archive
from aegis.adapters.postgres.catalog import read_database
from aegis.adapters.postgres.connection import connect, told
from aegis.adapters.postgres.dump import SCHEMA_ONLY
from aegis.adapters.postgres.engine import SUPERUSER, Engine, copy_for
from aegis.adapters.postgres.process import started
from aegis.adapters.postgres.sandbox import MEMORY, Running
from aegis.adapters.postgres.session import session
from aegis.adapters.postgres.tools import Tools
from aegis.backup import restore_errors
from aegis.backup.inventory import Inventory
from aegis.backup.schema_digest import schema_digest
from aegis.core.errors import CouldNotDecide, Refused

if TYPE_CHECKING:
    import psycopg

Tier = Literal["data", "proof", "full"]
"""What is restored: definitions and rows; also constraints, triggers, views that hold rows, unique indexes; or all."""

DATABASE: Final = "restored"
"""The database in the engine. No dump needs its own name; some names cannot be made again."""
SECONDS: Final = 6 * 3600.0
FREE_DISK: Final = 1 << 30
"""Bytes of the disk that a restore leaves to others: an archive of a megabyte can hold a terabyte."""
_LIST_SECONDS: Final = 300.0
_TICK: Final = 0.1
_SAID: Final = 1 << 20
"""Bytes that pg_restore may say; a clean restore says nothing."""
_LISTING: Final = 256 << 20
"""Bytes of an archive's list or definitions of indexes: more than a million tables."""
_PATIENCE: Final = 60.0
"""Seconds for one statement of the preparations; an extension may take some."""
_NOT_OURS: Final = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
    AND n.nspname NOT LIKE 'pg\\_temp%'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = o.oid AND d.deptype = 'e')
"""
_CONTENT: Final = """
    SELECT (SELECT count(*) FROM pg_catalog.pg_class AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.relnamespace
            WHERE {_NOT_OURS}),
           (SELECT count(*) FROM pg_catalog.pg_proc AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.pronamespace
            WHERE {_NOT_OURS}),
           (SELECT count(*) FROM pg_catalog.pg_type AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.typnamespace
            WHERE {_NOT_OURS}),
           (SELECT count(*) FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_namespace AS o ON o.oid = n.oid
            WHERE n.nspname <> 'public' AND {_NOT_OURS}),
           (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)
""".replace("{_NOT_OURS}", _NOT_OURS)
_OWNERLESS: Final = ["--no-owner", "--no-privileges"]
_KINDS: Final = ("tables, views, indexes or sequences", "functions", "types", "schemas", "large objects")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a restore may take."""

    seconds: float = SECONDS
    free_disk: int = FREE_DISK
    memory: int = MEMORY
    """Bytes of each process of pg_restore."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A database that was restored without an error; its content has still to be compared."""

    url: str
    tier: Tier
    seconds: float
    notices: int
    """Warnings of the restore."""
    isolated: bool
    """Whether what the dump ran had no network and no files of others."""


def prepare_unknown(engine: Engine) -> None:
    """Make a database for a dump of which nothing is known but its major: in UTF-8, without roles."""
    from psycopg import sql

    connection = _connect(engine, "postgres")
    try:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(DATABASE)))
    finally:
        connection.close()


def prepare(engine: Engine, expected: Inventory) -> None:
    """Make the database that the backup needs, and the roles that it names; nobody can log in as one of them.

    Raises CouldNotDecide `backup_check.engine_lacks`, with all that is missing, before anything is restored.
    """
    if engine.major != expected.database.major:
        raise _lacks([f"its major is {engine.major}, the source's is {expected.database.major}"])
    connection = _connect(engine, "postgres")
    try:
        lacking = _make_database(connection, expected)
        _make_roles(connection, expected)
    finally:
        connection.close()
    if not lacking:
        connection = _connect(engine, DATABASE)
        try:
            lacking = _lacking_extensions(connection, expected)
        finally:
            connection.close()
    if lacking:
        raise _lacks(lacking)


def restore(
    engine: Engine,
    archive: Archive,
    *,
    tier: Tier = "proof",
    jobs: int = 2,
    limits: Limits = Limits(),
    chosen: str | None = None,
    owners: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Restored:
    """Restore an archive into the prepared engine, by as many sessions as `jobs`.

    `chosen`: lines of `listing`, where not all of the tier's are to be restored. `owners`: restore owners and rights,
    too, whose roles must be there. `progress` gets the bytes of the database now and then, and 0: nobody knows how many
    they will be.

    Raises Refused `backup_check.restore_failed`; CouldNotDecide `backup_check.engine_lacks`, `….engine_failed`,
    `….engine_exhausted`.
    """
    began = time.monotonic()
    path = copy_for(engine.sandbox, archive.path, engine.inbox)
    arguments = ["--exit-on-error", "--no-tablespaces", f"--jobs={jobs}", f"--dbname={DATABASE}"]
    arguments += [] if owners else _OWNERLESS
    if tier == "data":
        arguments += ["--section=pre-data", "--section=data"]
    shown = [path]
    if tier == "proof":
        post_data = _read(engine, ["--verbose", "--section=post-data", "--file=-"], path)
        whole = chosen if chosen is not None else _read(engine, ["--list"], path)
        chosen = pg_archive.without_plain_indexes(whole, post_data)
    if chosen is not None:
        entries = engine.inbox / "list"
        entries.write_text(chosen, "utf-8", "surrogateescape")
        entries.chmod(0o644)
        arguments.append(f"--use-list={entries}")
        shown.append(entries)
    said = _run(engine, [*arguments, str(path)], shown, limits, progress=progress)
    if path != archive.path:
        shutil.rmtree(path.parent)
    return Restored(
        engine.url(DATABASE), tier, time.monotonic() - began, restore_errors.notices(said), engine.sandbox.isolated
    )


def listing(engine: Engine, archive: Archive) -> str:
    """What an archive holds, a line each, as `pg_restore --list` says it. Raises as `restore` does."""
    path = copy_for(engine.sandbox, archive.path, engine.inbox)
    said = _read(engine, ["--list"], path)
    if path != archive.path:
        shutil.rmtree(path.parent)
    return said


def schema_sha256(engine: Engine) -> str:
    """`schema_digest` of what was restored; pg_dump, too, reads it in the sandbox. CouldNotDecide `….engine_failed`."""
    with tempfile.TemporaryFile() as out:
        running = engine.client(
            ["pg_dump", "--no-password", *SCHEMA_ONLY, f"--dbname={DATABASE}"],
            read_only=[], stdout=out.fileno(), stderr=subprocess.DEVNULL, memory=MEMORY,
        )  # fmt: skip
        try:
            status = running.wait(_LIST_SECONDS)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            running.close()
        if status or out.seek(0, os.SEEK_END) > _LISTING:
            raise CouldNotDecide(
                "backup_check.engine_failed",
                f"pg_dump cannot tell the definitions of what was restored (exit status {status})",
                expected="the definitions of a database",
                remedy="Drill again; if it stays so, restore the backup by hand and dump it.",
            )
        out.seek(0)
        return schema_digest(out.read())


def refuse_uninvited(engine: Engine, expected: Inventory | None) -> None:
    """What no dump of a database does: roles, databases, settings of the server. Refused `….restore_uninvited`.

    It tells accidents and crude attempts; who runs as superuser can also hide. That is why the engine is isolated.
    `expected`: None where no roles were made.
    """
    connection = _connect(engine, DATABASE)
    try:
        roles = connection.execute(
            "SELECT rolname, rolsuper FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' AND rolname <> %s", [SUPERUSER]
        ).fetchall()
        bases = connection.execute("SELECT datname FROM pg_catalog.pg_database").fetchall()
        settings = connection.execute(
            "SELECT DISTINCT name FROM pg_catalog.pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'"
        ).fetchall()
    finally:
        connection.close()
    known = {role.name: role.superuser for role in (expected.roles if expected is not None else ())}
    found = [
        *(f"the role {name!a}" for name, _ in roles if name not in known),
        *(
            f"the right of a superuser for {name!a}"
            for name, is_super in roles
            if is_super and not known.get(name, True)
        ),
        *(f"the database {name!a}" for (name,) in bases if name not in _BASES),
        *(f"the setting {name!a}" for (name,) in settings),
    ]
    if found:
        raise Refused(
            "backup_check.restore_uninvited",
            f"the restore also made {', '.join(sorted(found)[:10])}",
            expected="the content of one database",
            remedy="Treat the backup and the store as tampered with, and look for who wrote it.",
        )


def check_target(url: str, expected: Inventory, *, force: bool = False, owners: bool = True) -> None:
    """Whether a database may be restored into: another one than the source, empty, and fit.

    `owners`: whether owners and rights are restored, whose roles must be there.

    Raises Refused `backup_check.target_is_source` (`force` or not) and `….target_not_empty`; CouldNotDecide
    `….engine_lacks`, and those of `session.session`.
    """
    with session(url, _PATIENCE) as asked:
        asked.begin()
        found = read_database(asked)
        content = asked.row(_CONTENT)
        extensions = {name for (name,) in asked.rows("SELECT name FROM pg_catalog.pg_available_extensions")}
        roles = {name for (name,) in asked.rows("SELECT rolname FROM pg_catalog.pg_roles")}
        place = asked.place
    source = expected.database
    if (found.system_identifier, found.oid) == (source.system_identifier, source.oid):
        raise Refused(
            "backup_check.target_is_source",
            f"{place} is what was backed up (system identifier {found.system_identifier}, oid {found.oid})",
            expected="another database; a copy of the source's files has its identifier, too",
            remedy="Make an empty database, and restore into that.",
        )
    there = [f"{count} {kind}" for count, kind in zip(content, _KINDS, strict=True) if count]
    if there and not force:
        raise Refused(
            "backup_check.target_not_empty",
            f"{place} holds {', '.join(there)}",
            expected="an empty database",
            remedy="Restore into an empty one; --force if what is there may be mixed with the backup.",
        )
    lacking = [
        f"its {what} is {theirs}, the source's is {ours}"
        for what, ours, theirs in (
            ("major", source.major, found.major),
            ("encoding", source.encoding, found.encoding),
        )
        if ours != theirs
    ]
    lacking += [f"extension {each.name!a}" for each in expected.extensions if each.name not in extensions]
    if owners:
        lacking += [f"role {each.name!a}" for each in expected.roles if each.used and each.name not in roles]
    if lacking:
        raise _lacks(lacking)


def restore_into(
    tools: Tools, url: str, archive: Archive, expected: Inventory,
    *, force: bool = False, owners: bool = True, jobs: int = 2, seconds: float = SECONDS,
) -> None:  # fmt: skip
    """Restore an archive into the database of an address, after `check_target`; its errors, and `restore`'s.

    All of it but tablespaces, which are folders of the source's machines.
    """
    check_target(url, expected, force=force, owners=owners)
    arguments = ["--exit-on-error", "--no-tablespaces", f"--jobs={jobs}", *([] if owners else _OWNERLESS)]
    with started(tools, "pg_restore", [*arguments, str(archive.path)], url=url) as child:
        try:
            status = child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise _exhausted(f"it takes longer than {seconds:g} s", f" {restore_errors.PART}") from None
        error = restore_errors.judge(child.said(), status, somebodys=True)
    if error is not None:
        raise error


_BASES: Final = frozenset({"postgres", "template0", "template1", DATABASE})


def _connect(engine: Engine, database: str) -> psycopg.Connection[Any]:
    import psycopg

    try:
        connection = connect(engine.url(database), patience=_PATIENCE)
    except psycopg.Error as error:
        raise CouldNotDecide(
            "backup_check.engine_failed",
            f"the engine does not answer: {told(error)}",
            expected="a server that runs until the end",
            remedy="Look for what ends processes on this machine, e.g. for want of memory.",
        ) from error
    connection.autocommit = True
    return connection


def _make_database(connection: psycopg.Connection[Any], expected: Inventory) -> list[str]:
    import psycopg
    from psycopg import sql

    source = expected.database
    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(sql.Identifier(DATABASE), source.encoding)
    ]
    words += [sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(source.collate or "C", source.ctype or "C")]
    if source.locale_provider != "libc":
        words += [sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(source.locale_provider))]
        kind = sql.SQL("ICU_LOCALE" if source.locale_provider == "icu" else "BUILTIN_LOCALE")
        words += [sql.SQL("{} {}").format(kind, source.icu_locale or "")]
    try:
        connection.execute(sql.SQL(" ").join(words))
    except psycopg.DatabaseError as error:
        locale = source.icu_locale or f"{source.collate} / {source.ctype}"
        return [
            f"the locale {locale!a} of {source.locale_provider} with the encoding {source.encoding} ({told(error)})"
        ]
    return []


def _make_roles(connection: psycopg.Connection[Any], expected: Inventory) -> None:
    """With the rights that the source's had, since views and constraints are computed as their owners; no logins."""
    from psycopg import sql

    there = {name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    roles = [role for role in expected.roles if role.name not in there]
    for role in roles:
        rights = " ".join(
            word if has else f"NO{word}"
            for word, has in (
                ("SUPERUSER", role.superuser),
                ("INHERIT", role.inherit),
                ("BYPASSRLS", role.bypass_rls),
                ("LOGIN", False),
            )
        )
        connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role.name), sql.SQL(rights)))
    there |= {role.name for role in roles}
    for role in roles:
        for group in there.intersection(role.member_of):
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role.name)))


def _lacking_extensions(connection: psycopg.Connection[Any], expected: Inventory) -> list[str]:
    """Those that cannot be made here; one that is listed may still miss a library of the system."""
    import psycopg
    from psycopg import sql

    lacking = []
    for extension in expected.extensions:
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(
                    sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE").format(sql.Identifier(extension.name))
                )
        except psycopg.DatabaseError as error:
            lacking.append(f"extension {extension.name!a} {extension.version} ({told(error)})")
    return lacking


def _read(engine: Engine, arguments: Sequence[str], path: Path) -> str:
    """What pg_restore says of an archive without restoring it."""
    with tempfile.TemporaryFile() as out:
        _run(engine, [*arguments, str(path)], [path], Limits(seconds=_LIST_SECONDS), out.fileno())
        if out.seek(0, os.SEEK_END) > _LISTING:
            raise _exhausted(f"its list of contents has {out.tell()} bytes")
        out.seek(0)
        return out.read().decode("utf-8", "surrogateescape")


def _run(
    engine: Engine,
    arguments: Sequence[str],
    shown: Sequence[Path],
    limits: Limits,
    stdout: int = subprocess.DEVNULL,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """What it wrote to its standard error in a good run; raises for every other."""
    last = time.monotonic() + limits.seconds
    with tempfile.TemporaryFile() as errors:
        running = engine.client(
            ["pg_restore", "--no-password", *arguments],
            read_only=shown, stdout=stdout, stderr=errors.fileno(), memory=limits.memory,
        )  # fmt: skip
        try:
            while (status := _ended(running)) is None:
                if time.monotonic() > last:
                    raise _exhausted(f"it takes longer than {limits.seconds:g} s")
                disk = os.statvfs(engine.folder)
                if disk.f_bavail * disk.f_frsize < limits.free_disk:
                    raise _exhausted(f"it leaves less than {limits.free_disk} bytes of the disk free")
                if progress is not None:
                    progress(_size_of(engine), 0)
                if os.fstat(errors.fileno()).st_size > _SAID:
                    break
        finally:
            running.close()
        said = os.pread(errors.fileno(), _SAID, 0).decode("utf-8", "replace")
    error = restore_errors.judge(said, 1 if status is None else status)
    if error is not None:
        raise error
    return said


def _size_of(engine: Engine) -> int:
    """Bytes of all databases so far."""
    size = 0
    for folder, _, names in os.walk(engine.folder / "data" / "base"):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118 - there may be thousands
    return size


def _ended(running: Running) -> int | None:
    """The exit status, waited for a moment."""
    try:
        return running.wait(_TICK)
    except subprocess.TimeoutExpired:
        return None


def _lacks(lacking: Sequence[str]) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.engine_lacks",
        f"the PostgreSQL here is not what the backup needs: {'; '.join(lacking[:20])}",
        expected="the source's major, encoding, locale, extensions and roles",
        remedy="Name an installation or a database that has them. Locales of libc: make them on the machine, e.g. "
        "`apt-get install locales` and `locale-gen en_US.UTF-8`. Roles: make them by the SQL that "
        "`aegis backup restore … --globals FILE` writes, or restore with --no-owner, which needs none.",
    )


def _exhausted(problem: str, also: str = "") -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.engine_exhausted",
        f"the restore was ended: {problem}",
        expected="a restore within its limits",
        remedy=f"Free disk, or allow more time.{also}",
    )
