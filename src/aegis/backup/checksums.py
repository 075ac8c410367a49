"""The SQL that computes a table's checksum: `count(*)` and the sum of the 64-bit hashes of its rows.

    SELECT count(*), coalesce(sum(<hash of ROW(…)>), 0) FROM ONLY …

A sum, since tables have no order, and since two equal rows cancel each other in an exclusive or. The hash of a record
is a sum too, of 31**k times the hash of each column, so that sums of it don't tell the rows (1, a), (2, b) from
(1, b), (2, a): hence it is hashed once more.

The hash functions of PostgreSQL are the same in all majors from 14 on, for types that are hashed by value. The others
(an enum is hashed by its OID, citext without case) enter as the text that their type writes, which is what a dump holds
of them. So do those whose hash is only good enough for an index: for jsonb, `{"a":{"b":1},"c":2}` is
`{"a":{"b":1,"c":2}}`; for numeric, 1 is -1.

Columns are hashed by name, not by place: partitions of one table may have them in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from aegis.backup.inventory import Checksums, Rule

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "bytea_output": "hex",
        "datestyle": "ISO, MDY",
        "extra_float_digits": "1",
        "intervalstyle": "postgres",
        "lc_monetary": "C",
        "quote_all_identifiers": "off",
        "row_security": "off",
        "search_path": "",
        "timezone": "UTC",
    }
)
"""What texts and names depend on. Row security off: a query that it would cut short is an error."""

_SEED = 1
"""Not 0, with which the floating-point number 0 has the hash of NULL."""
_NUMBERS = frozenset(("bool", "int2", "int4", "oid", "float4", "float8", "uuid", "date"))
_TEXTS = frozenset(("char", "text", "varchar", "name", "bytea"))
_ADDRESSES = frozenset(("inet", "cidr", "macaddr", "macaddr8"))
_RANGES = frozenset(("int4range", "daterange", "int4multirange", "datemultirange"))
_NATIVE = _NUMBERS | _TEXTS | _ADDRESSES | _RANGES
"""Types of pg_catalog whose own hash is as good as their text: what differs when written differs in it, but for -0."""
_SENT: Mapping[str, str] = MappingProxyType(
    {"int8": "int8send", "time": "time_send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send"}
)
"""Those whose own hash folds 64 bits into 32, so that 1 is 2**32, with what gives their bytes as quickly."""


@dataclass(frozen=True, slots=True)
class Type:
    """What pg_type says of a type. Domains and arrays name another one."""

    name: str
    built_in: bool
    """Of the schema pg_catalog."""
    kind: Literal["plain", "domain", "array"]
    inner: int | None
    """OID of the domain's base type, or of the array's elements."""
    typmod: int
    """Of a domain, the modifier of its base type; else -1."""
    written: str
    """As it stands in a cast, in SQL."""
    output: str
    """The function that writes it, in SQL."""


@dataclass(frozen=True, slots=True)
class Source:
    """A column, as the catalog describes it."""

    name: str
    type: int
    """OID of its type."""
    typmod: int
    deterministic: bool
    """Whether its collation calls only equal bytes equal."""
    generated: bool


def quoted(*names: str) -> str:
    """A name in SQL, whatever its characters are, e.g. `"public"."my table"`."""
    return ".".join('"{}"'.format(name.replace('"', '""')) for name in names)


def row_hash(terms: Sequence[str]) -> str:
    """The hash of a row of these expressions, in 64 bits."""
    return f"hash_record_extended(ROW(int8send({_record_hash(terms)})), {_SEED})"


def _record_hash(terms: Sequence[str]) -> str:
    return f"hash_record_extended(ROW({', '.join(terms)}), {_SEED})"


def rule_of(column: Source, types: Mapping[int, Type], checksums: Checksums) -> Rule:
    """How the column enters the checksum of its table."""
    if column.generated:
        return "generated"
    if checksums == "strict" or not _is_native(column.type, column.typmod, types):
        return "text"
    return "native" if column.deterministic else "text-c"


def table_query(
    schema: str,
    name: str,
    columns: Sequence[Source],
    types: Mapping[int, Type],
    checksums: Checksums,
    *,
    extremes: Sequence[str] = (),
    condition: str = "",
) -> str:
    """One row: count, sum, and each of `extremes` (further expressions), over this table's own rows.

    `condition` is a WHERE clause in SQL, for tables of extensions.
    """
    by_name = sorted(columns, key=lambda column: column.name)
    terms = [
        _term(column, types, rule) for column in by_name if (rule := rule_of(column, types, checksums)) != "generated"
    ]
    wanted = ", ".join(["count(*)", f"coalesce(sum({row_hash(terms)}), 0)", *extremes])
    return f"SELECT {wanted} FROM ONLY {quoted(schema, name)} {condition}".rstrip()  # noqa: S608 - names are quoted


def _is_native(oid: int, typmod: int, types: Mapping[int, Type], *, element: bool = False) -> bool:
    found, typmod = _base(oid, typmod, types)
    if found.kind == "array":
        return found.inner is not None and _is_native(found.inner, typmod, types, element=True)
    if not found.built_in:
        return False
    if found.name == "bpchar":
        return typmod != -1  # its hash is blind to trailing blanks, which only padding makes all the same
    return found.name in _NATIVE or (found.name in _SENT and not element)


def _base(oid: int, typmod: int, types: Mapping[int, Type]) -> tuple[Type, int]:
    """The type below all domains, with its modifier."""
    found = types[oid]
    while found.kind == "domain" and found.inner is not None:
        typmod = found.typmod if found.typmod != -1 else typmod
        found = types[found.inner]
    return found, typmod


def _term(column: Source, types: Mapping[int, Type], rule: Rule) -> str:
    base, _ = _base(column.type, column.typmod, types)
    value = quoted(column.name)
    if base is not types[column.type]:
        value = f"{value}::{base.written}"  # functions for enums don't take domains over them
    if rule == "text":
        # Not `::text`, for which a database may define a cast of its own; nor does that keep the blanks of bpchar.
        return f"textin({base.output}({value}))"
    if base.built_in and base.name in _SENT:
        return f"{_SENT[base.name]}({value})"
    if rule == "text-c":
        value = f'({value}) COLLATE "C"'
    if base.kind == "array":
        # The hash of an array is that of its elements in a row: {1,2,3,4} has the one of {{1,2},{3,4}}.
        value = _record_hash([value, f"array_dims({value})"])
    return value
