"""Every difference between what was dumped and what was restored, and nothing but these."""

from __future__ import annotations

import msgspec
import pytest

from aegis.backup.compare import Difference, compare, is_set_back
from aegis.backup.inventory import Column, Extension, Inventory, LargeObjects, Matview, Position, Table
from tests.support.backup.inventories import DATABASE, INVENTORY, USERS, manifest, sequence

replace = msgspec.structs.replace


def only(found: Inventory, expected: Inventory = INVENTORY) -> Difference:
    (difference,) = compare(expected, found)
    return difference


def with_table(**changes: object) -> Inventory:
    return replace(INVENTORY, tables=(replace(USERS, **changes),))


def test_the_same_has_no_differences() -> None:
    assert compare(INVENTORY, INVENTORY) == ()
    assert compare(manifest(), INVENTORY) == ()


def test_a_restore_has_another_name_server_and_minor() -> None:
    other = replace(DATABASE, name="scratch", oid=5, system_identifier="1", server_version_num=170012, collate="C")
    assert compare(INVENTORY, replace(INVENTORY, database=other)) == ()


@pytest.mark.parametrize(
    ("change", "what"), [({"server_version_num": 180000}, "major"), ({"encoding": "LATIN1"}, "encoding")]
)
def test_another_kind_of_database(change: dict[str, object], what: str) -> None:
    found = only(replace(INVENTORY, database=replace(DATABASE, **change)))
    assert (found.rule, found.what) == ("backup_check.database_differs", f"the database's {what}")


def test_a_table_that_is_missing() -> None:
    assert only(replace(INVENTORY, tables=())) == Difference(
        "backup_check.table_missing", 'table "public"."users"', "table, 3 rows", "none"
    )


def test_a_table_too_many() -> None:
    found = only(replace(INVENTORY, tables=(USERS, replace(USERS, name="x"))))
    assert (found.rule, found.what) == ("backup_check.table_unexpected", 'table "public"."x"')


def test_a_table_of_another_kind() -> None:
    found = only(with_table(kind="partitioned", rows=None, hash=None))
    assert (found.rule, found.expected, found.found) == ("backup_check.table_definition", "table", "partitioned")


def test_columns_that_differ_are_named() -> None:
    found = only(with_table(columns=(USERS.columns[0], Column(name="name", type="varchar(10)", rule="native"))))
    assert (found.rule, found.expected, found.found) == (
        *("backup_check.table_definition", '"name" text', '"name" varchar(10)'),
    )


def test_of_many_columns_some_are_named() -> None:
    many = tuple(Column(name=f"c{i}", type="int", rule="native") for i in range(8))
    found = only(with_table(columns=many))
    assert found.found == '"c0" int, "c1" int, "c2" int, "c3" int, "c4" int and 3 more'


@pytest.mark.parametrize("change", [{"rows": 2}, {"hash": "1"}])
def test_rows_that_differ(change: dict[str, object]) -> None:
    found = only(with_table(**change))
    assert (found.rule, found.what) == ("backup_check.table_content", 'table "public"."users"')
    assert found.expected == "3 rows of hash -12345678901234567890"


def test_a_standby_has_no_rows_of_unlogged_tables() -> None:
    standby = with_table(kind="unlogged", rows=None, hash=None)
    assert compare(standby, INVENTORY) == ()
    assert only(with_table(kind="foreign", rows=None, hash=None), standby).rule == "backup_check.table_definition"


def test_tables_of_extensions_are_those_of_their_version() -> None:
    def of_extension(**changes: object) -> Inventory:
        return with_table(kind="extension", **changes)

    assert compare(of_extension(), replace(INVENTORY, tables=())) == ()
    assert compare(replace(INVENTORY, tables=()), of_extension()) == ()
    assert compare(of_extension(), of_extension(columns=(), hash="1")) == ()
    assert compare(of_extension(rows=None, hash=None), of_extension()) == ()
    assert only(of_extension(hash="1"), of_extension()).rule == "backup_check.table_content"


@pytest.mark.parametrize(
    ("before", "after", "increment", "cycle", "found", "passed"),
    [
        ("3", "5", "1", False, "3", True),
        ("3", "5", "1", False, "5", True),
        ("3", "5", "1", False, "2", False),
        ("3", "5", "1", False, "6", False),
        ("-3", "-5", "-1", False, "-4", True),
        ("-3", "-5", "-1", False, "-2", False),
        ("9", "2", "1", True, "10", True),
        ("9", "2", "1", True, "1", True),
        ("9", "2", "1", True, "5", False),
        ("9007199254740993", "9007199254740993", "1", False, "9007199254740992", False),
    ],
)
def test_a_sequence_stands_where_it_passed(
    before: str, after: str, increment: str, cycle: bool, found: str, passed: bool
) -> None:
    expected = replace(INVENTORY, sequences=(sequence(before, after, increment=increment, cycle=cycle),))
    differences = compare(expected, replace(INVENTORY, sequences=(sequence(found, found),)))
    assert [each.rule for each in differences] == ([] if passed else ["backup_check.sequence_position"])


def test_the_first_value_given_out_is_further_than_not_yet() -> None:
    expected = replace(INVENTORY, sequences=(sequence("1", "1"),))
    found = only(replace(INVENTORY, sequences=(sequence("1", "1", called=False),)), expected)
    assert (found.expected, found.found) == ("from 1 to 1", "1 (not yet given out)")


def test_a_sequence_that_is_missing() -> None:
    found = only(replace(INVENTORY, sequences=()))
    assert (found.rule, found.what) == ("backup_check.sequence_missing", 'sequence "public"."users_id_seq"')


def test_what_is_set_back() -> None:
    assert is_set_back(sequence("3", "2"))
    assert is_set_back(replace(sequence("3", "3"), after=Position(last="3", called=False)))
    assert is_set_back(sequence("-3", "-2", increment="-1"))
    assert not is_set_back(sequence("3", "3"))
    assert not is_set_back(sequence("3", "2", cycle=True))


@pytest.mark.parametrize("found", [LargeObjects(count=1, hash="7"), LargeObjects(count=2, hash="8")])
def test_large_objects_that_differ(found: LargeObjects) -> None:
    assert only(replace(INVENTORY, large_objects=found)).rule == "backup_check.large_objects"


def test_a_view_is_compared_by_its_state_alone() -> None:
    (view,) = INVENTORY.matviews
    assert compare(INVENTORY, replace(INVENTORY, matviews=(replace(view, rows=99),))) == ()
    for state in ((), (Matview(schema="public", name="counted", populated=False, rows=None),)):
        found = replace(INVENTORY, matviews=state)
        assert only(found).rule == "backup_check.matview_state"
        assert compare(INVENTORY, found, refreshed=False) == ()


def test_an_extension_that_is_missing_and_one_of_another_version() -> None:
    found = only(replace(INVENTORY, extensions=()))
    assert (found.rule, found.what) == ("backup_check.extension_missing", 'extension "plpgsql"')
    assert compare(INVENTORY, replace(INVENTORY, extensions=(Extension(name="plpgsql", version="2.0"),))) == ()


def test_a_role_that_is_missing_and_one_that_may_no_longer_log_in() -> None:
    (role,) = INVENTORY.roles
    assert only(replace(INVENTORY, roles=())).rule == "backup_check.role_missing"
    assert compare(INVENTORY, replace(INVENTORY, roles=(replace(role, login=False),))) == ()
    assert compare(replace(INVENTORY, roles=(replace(role, used=False),)), replace(INVENTORY, roles=())) == ()


def test_a_schema_that_differs_where_both_are_known() -> None:
    assert only(replace(INVENTORY, schema_sha256="1" * 64)).rule == "backup_check.schema_differs"
    assert compare(INVENTORY, replace(INVENTORY, schema_sha256=None)) == ()


@pytest.mark.parametrize("change", [{"checksums": "strict"}, {"hash_version": 2}])
def test_other_checksums_are_not_compared(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not 'typed'"):
        compare(INVENTORY, replace(INVENTORY, **change))


def test_differences_come_in_the_order_of_the_inventory() -> None:
    tables: tuple[Table, ...] = tuple(replace(USERS, name=name) for name in "abc")
    expected = replace(INVENTORY, tables=tables)
    assert [each.what[-2] for each in compare(expected, replace(INVENTORY, tables=()))] == ["a", "b", "c"]
