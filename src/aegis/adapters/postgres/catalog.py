"""What PostgreSQL's catalogs say of a database, read in the transaction of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.adapters.postgres.session import Session, denied
from aegis.backup import catalog as sql
from aegis.backup.checksums import Source, Type, quoted
from aegis.backup.inventory import Database, Extension, Kind, Role
from aegis.backup.own_settings import OwnSetting
from aegis.core.errors import CouldNotDecide

_NAMED = 5
"""Things that a message names; the rest is counted."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, and whether this role sees all of it."""

    oid: int
    schema: str
    name: str
    kind: Kind
    readable: bool
    hidden: bool
    """Whether row security would hide rows."""
    condition: str | None
    """Of a table whose rows an extension wants dumped: the WHERE clause that picks them, or empty."""
    ancestors: tuple[int, ...]
    """OIDs from its parent up to the root, of a partition."""

    @property
    def dumped(self) -> bool:
        """Whether it has rows that are in a dump."""
        return self.kind in ("table", "partition") or self.condition is not None

    @property
    def locked(self) -> bool:
        """Whether pg_dump locks it, and we before it."""
        return self.dumped or self.kind in ("partitioned", "unlogged")


@dataclass(frozen=True, slots=True)
class SequenceFacts:
    """A sequence, and the column that it feeds."""

    schema: str
    name: str
    increment: int
    cycle: bool
    readable: bool
    table: int | None
    """OID."""
    column: str | None


@dataclass(frozen=True, slots=True)
class MatviewFacts:
    """A materialized view."""

    schema: str
    name: str
    populated: bool
    readable: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of it, each list sorted by schema and name."""

    database: Database
    tables: tuple[TableFacts, ...]
    columns: Mapping[int, tuple[tuple[Source, str], ...]]
    """By the table's OID, sorted by name; with the type as people write it."""
    types: Mapping[int, Type]
    spread_anew: frozenset[int]
    """OIDs of the roots whose rows a restore spreads over the partitions anew."""
    sequences: tuple[SequenceFacts, ...]
    matviews: tuple[MatviewFacts, ...]
    extensions: tuple[Extension, ...]
    roles: tuple[Role, ...]
    own_settings: tuple[OwnSetting, ...]


def read_tables(session: Session) -> tuple[TableFacts, ...]:
    """Those with and without rows."""
    (in_recovery,) = session.row("SELECT pg_is_in_recovery()")
    facts = (_table(row, in_recovery=in_recovery) for row in session.rows(sql.TABLES))
    return tuple(sorted(facts, key=lambda each: (each.schema, each.name)))


def read_catalog(session: Session) -> Catalog:
    """All of it. Raises CouldNotDecide `backup_check.rows_hidden` and `backup_check.privilege_missing`."""
    columns: defaultdict[int, list[tuple[Source, str]]] = defaultdict(list)
    for table, name, type_, typmod, written, deterministic, generated in session.rows(sql.COLUMNS):
        columns[table].append((Source(name, type_, typmod, deterministic, generated), written))
    catalog = Catalog(
        database=read_database(session),
        tables=read_tables(session),
        columns={table: tuple(sorted(each, key=lambda pair: pair[0].name)) for table, each in columns.items()},
        types={
            oid: Type(name, built_in, kind, inner, typmod, written, quoted(schema, output))
            for oid, name, built_in, kind, inner, typmod, written, schema, output in session.rows(sql.TYPES)
        },
        spread_anew=frozenset(oid for (oid,) in session.rows(sql.SPREAD_ANEW)),
        sequences=tuple(sorted((SequenceFacts(*row) for row in session.rows(sql.SEQUENCES)), key=_by_name)),
        matviews=tuple(sorted((MatviewFacts(*row) for row in session.rows(sql.MATVIEWS)), key=_by_name)),
        extensions=tuple(
            Extension(name=name, version=version) for name, version in sorted(session.rows(sql.EXTENSIONS))
        ),
        roles=tuple(sorted((_role(row) for row in session.rows(sql.ROLES)), key=lambda role: role.name)),
        own_settings=read_own_settings(session),
    )
    check_visible(catalog.tables)
    blind = [quoted(each.schema, each.name) for each in catalog.sequences if not each.readable]
    if blind:
        raise denied(f"{session.place}: this role may not SELECT from {_listed('sequence', blind)}")
    return catalog


def check_visible(tables: Iterable[TableFacts]) -> None:
    """Whether all rows are seen. Raises CouldNotDecide as `read_catalog` does."""
    wanted = [table for table in tables if table.locked]
    blind = [quoted(table.schema, table.name) for table in wanted if not table.readable]
    if blind:
        raise denied(f"this role may not SELECT from {_listed('table', blind)}")
    hidden = [quoted(table.schema, table.name) for table in wanted if table.hidden]
    if hidden:
        raise CouldNotDecide(
            "backup_check.rows_hidden",
            f"row security hides rows from this role in {_listed('table', hidden)}",
            expected="a role that sees every row",
            remedy="Give the role BYPASSRLS, or back up as the owner of the tables.",
        )


def read_own_settings(session: Session) -> tuple[OwnSetting, ...]:
    """Those of the database itself, sorted."""
    rows = session.rows(sql.OWN_SETTINGS)
    return tuple(OwnSetting(role=role, name=name, value=value) for role, name, value in rows)


def read_database(session: Session) -> Database:
    """Which database it is."""
    held, encoding, identifier, version, _ = session.row(sql.DATABASE)
    providers: Mapping[str, str] = {"c": "libc", "i": "icu", "b": "builtin"}
    return Database(
        name=held["datname"],
        oid=int(held["oid"]),
        system_identifier=str(identifier % (1 << 64)),  # an unsigned number, which the catalog shows as a signed one
        server_version_num=version,
        encoding=encoding,
        collate=held["datcollate"] or "",
        ctype=held["datctype"] or "",
        locale_provider=providers[held.get("datlocprovider", "c")],  # type: ignore[arg-type] # those three
        icu_locale=held.get("datlocale", held.get("daticulocale")),
        collation_version=held.get("datcollversion"),
    )


def _table(row: tuple[Any, ...], *, in_recovery: bool) -> TableFacts:
    oid, schema, name, kind, persistence, partition, *rest = row
    readable, hidden, of_extension, condition, ancestors = rest
    return TableFacts(
        oid=oid,
        schema=schema,
        name=name,
        kind=_kind(kind, persistence, partition=partition, in_recovery=in_recovery, of_extension=of_extension),
        readable=readable,
        hidden=hidden,
        condition=condition,
        ancestors=tuple(each for each in ancestors or () if each != oid),
    )


def _kind(kind: str, persistence: str, *, partition: bool, in_recovery: bool, of_extension: bool) -> Kind:
    if kind == "f":
        return "foreign"
    if of_extension:
        return "extension"
    if kind == "p":
        return "partitioned"
    if persistence == "u" and in_recovery:
        return "unlogged"
    return "partition" if partition else "table"


def _role(row: tuple[str, bool, bool, bool, bool, bool, bool, bool, bool, list[str]]) -> Role:
    name, superuser, inherit, create_role, create_db, login, replication, bypass_rls, used, member_of = row
    return Role(
        name=name,
        superuser=superuser,
        inherit=inherit,
        create_role=create_role,
        create_db=create_db,
        login=login,
        replication=replication,
        bypass_rls=bypass_rls,
        used=used,
        member_of=tuple(member_of),
    )


def _by_name(each: SequenceFacts | MatviewFacts) -> tuple[str, str]:
    return each.schema, each.name


def _listed(kind: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(names[:_NAMED])}{more}"
