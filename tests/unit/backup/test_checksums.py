"""The SQL of a checksum."""

from __future__ import annotations

import pytest

from aegis.backup.checksums import Source, Type, quoted, rule_of, table_query

TYPES = {
    23: Type("int4", True, "plain", None, -1, "integer", '"pg_catalog"."int4out"'),
    20: Type("int8", True, "plain", None, -1, "bigint", '"pg_catalog"."int8out"'),
    25: Type("text", True, "plain", None, -1, "text", '"pg_catalog"."textout"'),
    1016: Type("_int8", True, "array", 20, -1, "bigint[]", '"pg_catalog"."array_out"'),
    1042: Type("bpchar", True, "plain", None, -1, "bpchar", '"pg_catalog"."bpcharout"'),
    1007: Type("_int4", True, "array", 23, -1, "integer[]", '"pg_catalog"."array_out"'),
    90: Type("padded", False, "domain", 1042, 8, "public.padded", '"pg_catalog"."bpcharout"'),
    91: Type("more", False, "domain", 90, -1, "public.more", '"pg_catalog"."bpcharout"'),
    92: Type("int4", False, "plain", None, -1, "public.int4", '"public"."int4out"'),
}


def column(name: str, type_: int, *, typmod: int = -1, deterministic: bool = True, generated: bool = False) -> Source:
    return Source(name, type_, typmod, deterministic, generated)


@pytest.mark.parametrize(
    ("source", "rule", "strict"),
    [
        (column("a", 23), "native", "text"),
        (column("a", 20), "native", "text"),
        (column("a", 1007), "native", "text"),
        (column("a", 1016), "text", "text"),  # its elements would be folded
        (column("a", 25), "native", "text"),
        (column("a", 25, deterministic=False), "text-c", "text"),
        (column("a", 1042), "text", "text"),
        (column("a", 1042, typmod=8), "native", "text"),
        (column("a", 91), "native", "text"),
        (column("a", 92), "text", "text"),  # another schema's type of that name
        (column("a", 23, generated=True), "generated", "generated"),
    ],
)
def test_the_rule_of_a_column(source: Source, rule: str, strict: str) -> None:
    assert rule_of(source, TYPES, "typed") == rule_of(source, TYPES, "off") == rule
    assert rule_of(source, TYPES, "strict") == strict


def test_columns_stand_by_name_and_only_those_that_are_dumped() -> None:
    columns = [column("b", 23), column("a", 25, deterministic=False), column("c", 23, generated=True), column("d", 92)]
    assert table_query("s", "t", columns, TYPES, "typed") == (
        "SELECT count(*), coalesce(sum(hash_record_extended(ROW(int8send(hash_record_extended("
        'ROW(("a") COLLATE "C", "b", textin("public"."int4out"("d"))), 1))), 1)), 0) FROM ONLY "s"."t"'
    )


def test_a_table_without_columns() -> None:
    assert "ROW()" in table_query("s", "t", [], TYPES, "typed")


def test_what_is_asked_beside_and_of_which_rows() -> None:
    query = table_query("s", "t", [], TYPES, "typed", extremes=['max("id")'], condition="WHERE true")
    assert query.endswith(', max("id") FROM ONLY "s"."t" WHERE true')


@pytest.mark.parametrize(("name", "sql"), [("a", '"a"'), ('a"b', '"a""b"'), ("a.b", '"a.b"'), ('"; --', '"""; --"')])
def test_names_are_quoted(name: str, sql: str) -> None:
    assert quoted(name) == sql
