"""Whatever single value is changed after the dump, the comparison names its table, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.adapters.postgres.snapshot import read_inventory
from aegis.backup.compare import compare
from aegis.backup.inventory import Inventory
from tests.support.backup.databases import everything, fill
from tests.support.backup.types import KINDS, Kind, literal
from tests.support.databases.postgres import Server

EXAMPLES = 15
ODD = '"a ""schema""; DROP"."it\'s\nbroken %s {} ünïcode 💾"'
STATEMENTS = {
    '"public"."bare"': "DELETE FROM bare WHERE ctid = '(0,1)'",
    '"public"."empty"': "INSERT INTO empty VALUES (NULL, NULL)",
    '"public"."unlogged"': "UPDATE unlogged SET a = NULL",
    '"public"."made"': "UPDATE made SET late = 'later' WHERE id = 2",
    '"public"."child"': "UPDATE child SET b = 'other'",
    '"public"."measured_2001"': "UPDATE measured_2001 SET note = note || ' ' WHERE note = 'note 3'",
    '"public"."measured_rest_0"': "DELETE FROM measured_rest_0 WHERE ctid = '(0,1)'",
    '"public"."by_mood"': "UPDATE by_mood SET i = -i WHERE i = 7",
    ODD: f"UPDATE {ODD} SET \"ORDER\" = 'y' WHERE ctid = '(0,1)'",
}


@pytest.fixture(scope="module")
def source(postgres: Server) -> Iterator[tuple[str, Inventory]]:
    name = everything(postgres)
    yield postgres.url(name), read_inventory(postgres.url(name))
    postgres.drop_database(name)


def told(source: tuple[str, Inventory], *statements: str) -> list[str]:
    """The tables that differ after these statements."""
    url, before = source
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    differences = compare(before, read_inventory(url))
    assert {each.rule for each in differences} <= {"backup_check.table_content"}
    return [each.what for each in differences]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Kind, str, str]:
    kind = draw(st.sampled_from(KINDS))
    old, new = draw(st.lists(st.sampled_from(kind.values), min_size=2, max_size=2, unique=True))
    return kind, old, new


@settings(max_examples=EXAMPLES)
@given(changes())
def test_a_changed_value_is_told_by_its_table(
    postgres: Server, source: tuple[str, Inventory], change: tuple[Kind, str, str]
) -> None:
    kind, old, new = change
    place = kind.values.index(old) + 1
    update = f"UPDATE {kind.table} SET v = {{}}::{kind.type} WHERE key = {place}"
    try:
        assert told(source, update.format(literal(new))) == [f'table "public"."{kind.table}"']
    finally:  # and the next example finds no other difference
        fill(postgres, source[0].rpartition("/")[2], update.format(literal(old)))


def test_each_changed_row_is_told_by_its_table(postgres: Server, source: tuple[str, Inventory]) -> None:
    url, before = source
    copy = postgres.new_database(url.rpartition("/")[2])
    fill(postgres, copy, *STATEMENTS.values())
    differences = compare(before, read_inventory(postgres.url(copy)))
    postgres.drop_database(copy)
    assert {each.rule for each in differences} == {"backup_check.table_content"}
    assert {each.what.partition(" ")[2] for each in differences} == set(STATEMENTS)
