"""The part of a database whose turn it is."""

from __future__ import annotations

import datetime

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.backup.compare import compare
from aegis.backup.inventory import Inventory, LargeObjects, Table
from aegis.backup.sample import DAILY_DAYS, WEEKLY_WEEKS, restricted, sample_of, to_restore
from tests.support.backup.inventories import INVENTORY, USERS

DAY = datetime.date(2026, 11, 26)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
databases = st.tuples(st.sets(st.tuples(names, names), max_size=40), st.booleans())


def database(tables: set[tuple[str, str]], *, objects: bool = False) -> Inventory:
    return msgspec.structs.replace(
        INVENTORY,
        tables=tuple(msgspec.structs.replace(USERS, schema=schema, name=name) for schema, name in sorted(tables)),
        large_objects=LargeObjects(count=3 if objects else 0, hash="7"),
    )


@settings(deadline=None, max_examples=60)
@given(databases, st.dates(), st.sampled_from([(1, DAILY_DAYS), (7, WEEKLY_WEEKS)]))
def test_by_daily_and_by_weekly_restores_each_has_its_turn_and_none_is_empty(
    drawn: tuple[set[tuple[str, str]], bool], first: datetime.date, rhythm: tuple[int, int]
) -> None:
    keys, objects = drawn
    step, restores = rhythm
    expected = database(keys, objects=objects)
    first = min(first, datetime.date.max - datetime.timedelta(days=step * restores))
    days = [sample_of(expected, first + datetime.timedelta(days=step * number)) for number in range(restores)]
    assert {key for day in days for key in day.tables} == keys
    assert any(day.large_objects for day in days) == objects
    assert all(day.tables or day.large_objects or not (keys or objects) for day in days)
    assert {day.of for day in days} == {len(keys) + objects}


def test_the_same_day_is_the_same_part_whatever_else_is_there() -> None:
    keys = {("public", f"t{number}") for number in range(50)}
    chosen = set(sample_of(database(keys), DAY).tables)
    more = {("other", f"t{number}") for number in range(50)}
    assert chosen == set(sample_of(database(keys | more), DAY).tables) & keys


def test_rows_of_others_are_not_compared_and_the_samples_are() -> None:
    keys = {("public", f"t{number}") for number in range(50)}
    expected = database(keys, objects=True)
    sample = sample_of(expected, DAY)
    part = restricted(expected, sample)
    empty = msgspec.structs.replace(
        expected,
        tables=tuple(
            each if (each.schema, each.name) in sample.tables else msgspec.structs.replace(each, rows=0, hash="0")
            for each in expected.tables
        ),
        large_objects=LargeObjects(count=3, hash="7" if sample.large_objects else "0"),
    )
    assert compare(part, empty) == ()
    lost = msgspec.structs.replace(
        empty, tables=tuple(msgspec.structs.replace(each, rows=0, hash="0") for each in empty.tables)
    )
    assert {each.rule for each in compare(part, lost)} == {"backup_check.table_content"}
    assert len(compare(part, lost)) == len(sample.tables)


def test_a_sum_over_partitions_needs_them_all() -> None:
    def table(name: str, kind: str, rows: int | None) -> Table:
        return msgspec.structs.replace(USERS, name=name, kind=kind, rows=rows, hash=None if rows is None else "1")

    expected = msgspec.structs.replace(
        INVENTORY,
        tables=(
            table("leaf_1", "partition", None),
            table("leaf_2", "partition", None),
            table("root", "partitioned", 4),
        ),
        large_objects=LargeObjects(count=0, hash="0"),
    )
    sample = sample_of(expected, DAY)
    assert sample.tables == (("public", "root"),)
    assert to_restore(expected, sample) == (("public", "leaf_1"), ("public", "leaf_2"), ("public", "root"))


def test_of_a_database_without_rows_there_is_no_part() -> None:
    sample = sample_of(database(set()), DAY)
    assert (sample.tables, sample.large_objects, sample.of) == ((), False, 0)
    assert sample.told == "the rows of 0 of 0 tables"
