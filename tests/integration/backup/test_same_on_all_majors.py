"""The same rows have the same checksums on every major, and after every way of dump and restore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.adapters.postgres.catalog import read_catalog
from aegis.adapters.postgres.session import session
from aegis.adapters.postgres.snapshot import read_inventory
from aegis.backup.checksums import table_query
from aegis.backup.compare import compare
from aegis.backup.inventory import Checksums, Inventory
from aegis.backup.schema_digest import schema_digest
from tests.support.backup.databases import dump, every_major, everything, fill, restore, schema_of
from tests.support.backup.types import EQUAL_UNLESS_STRICT, KINDS, Kind, literal
from tests.support.databases.postgres import Server, majors

MAJORS = majors()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[int, Server]]:
    with every_major() as servers:
        yield servers


@pytest.fixture(scope="module")
def names(servers: dict[int, Server]) -> dict[int, str]:
    return {major: everything(server) for major, server in servers.items()}


@pytest.fixture(scope="module")
def sources(servers: dict[int, Server], names: dict[int, str]) -> dict[int, Inventory]:
    return {major: read_inventory(servers[major].url(name)) for major, name in names.items()}


def rows_of(server: Server, database: str, checksums: Checksums) -> dict[str, list[tuple[int, int]]]:
    """Count and sum of each row alone, by table."""
    with session(server.url(database), 30) as reader:
        reader.begin()
        catalog = read_catalog(reader)
        found = {}
        for kind in KINDS:
            (table,) = (each for each in catalog.tables if each.name == kind.table)
            columns = [source for source, _ in catalog.columns[table.oid] if source.name == "v"]
            places = [key for (key,) in reader.rows(f"SELECT key FROM public.{kind.table} ORDER BY key")]
            found[kind.table] = [
                tuple(reader.row(table_query("public", kind.table, columns, catalog.types, checksums, condition=where)))
                for where in (f"WHERE key = {place}" for place in places)
            ]
        return found


@pytest.mark.parametrize("checksums", ["typed", "strict"])
def test_every_value_of_every_type_has_a_checksum_of_its_own(
    servers: dict[int, Server], names: dict[int, str], checksums: Checksums
) -> None:
    found = {major: rows_of(servers[major], names[major], checksums) for major in MAJORS}
    assert len(found[MAJORS[0]]) >= 70
    for table, rows in found[MAJORS[0]].items():
        assert {count for count, _ in rows} == {1}
        assert len({total for _, total in rows}) == len(rows), table
    assert all(found[major] == found[MAJORS[0]] for major in MAJORS)


def test_the_majors_agree_on_all_tables(sources: dict[int, Inventory]) -> None:
    first = sources[MAJORS[0]]
    for other in sources.values():
        assert [(each.name, each.rows, each.hash) for each in other.tables] == [
            (each.name, each.rows, each.hash) for each in first.tables
        ]
        assert other.large_objects == first.large_objects


@pytest.mark.parametrize("major", MAJORS)
def test_a_restore_by_the_same_major_is_equal_with_its_schema(
    servers: dict[int, Server], names: dict[int, str], sources: dict[int, Inventory], major: int, tmp_path: Path
) -> None:
    server = servers[major]
    restored = restore(server, dump(server, names[major], tmp_path / "dump"))
    assert compare(sources[major], read_inventory(server.url(restored))) == ()
    assert schema_digest(schema_of(server, restored)) == schema_digest(schema_of(server, names[major]))


@pytest.mark.parametrize(("source", "target"), [(14, 15), (14, 18), (15, 16), (16, 17), (17, 18)])
def test_a_restore_by_a_later_major_differs_in_nothing_but_that(
    servers: dict[int, Server],
    names: dict[int, str],
    sources: dict[int, Inventory],
    source: int,
    target: int,
    tmp_path: Path,
) -> None:
    file = dump(servers[source], names[source], tmp_path / "dump")
    restored = restore(servers[target], file, tools=servers[source])
    (difference,) = compare(sources[source], read_inventory(servers[target].url(restored)))
    assert (difference.rule, difference.what) == ("backup_check.database_differs", "the database's major")
    assert (difference.expected, difference.found) == (str(source), str(target))


@pytest.mark.parametrize("kind", EQUAL_UNLESS_STRICT, ids=lambda kind: kind.type)
def test_what_postgresql_calls_equal_is_told_apart_where_asked(postgres: Server, kind: Kind) -> None:
    found: dict[Checksums, list[str | None]] = {"typed": [], "strict": []}
    for value in kind.values:
        name = postgres.new_database()
        fill(postgres, name, f"CREATE TABLE t AS SELECT {literal(value)}::{kind.type} AS v")
        for checksums, hashes in found.items():
            hashes.append(read_inventory(postgres.url(name), checksums=checksums).tables[0].hash)
        postgres.drop_database(name)
    assert len(set(found["typed"])) == 1
    assert len(set(found["strict"])) == len(kind.values)
