"""Columns of every kind, each with values that a backup must tell apart."""

from __future__ import annotations

from dataclasses import dataclass

PRELUDE = """
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION cube;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE deep AS (p pair, moods mood[]);
CREATE TYPE textrange AS RANGE (subtype = text);
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE DOMAIN prices AS price[];
CREATE DOMAIN plain_number AS numeric;
CREATE DOMAIN feeling AS mood;
CREATE DOMAIN still_feeling AS feeling;
CREATE DOMAIN short AS varchar(20) NOT NULL DEFAULT '';
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type, and literals of it (without quotes) that all are different values."""

    table: str
    type: str
    values: tuple[str, ...]


def _kind(type_: str, *values: str) -> Kind:
    letters = "".join(char if char.isalnum() else "_" for char in type_.replace("[]", "_array")).strip("_")
    return Kind(f"t_{letters}", type_, values)


KINDS = (
    _kind("bool", "t", "f"),
    _kind('"char"', "a", "b"),
    _kind("int2", "0", "1", "-32768"),
    _kind("int4", "0", "1", "-1", "2147483647"),
    _kind("int8", "0", "1", "-1", "9223372036854775807", "4294967296"),
    _kind("oid", "0", "1", "4294967295"),
    _kind("float4", "0", "1.1", "1.1000001", "NaN", "Infinity", "-Infinity", "1e-45"),
    _kind("float8", "0", "1.1", "1.1000000000000003", "NaN", "Infinity", "-Infinity", "5e-324"),
    _kind("numeric", "1", "1.0", "1.00", "NaN", "-1", "1e-300", "123456789012345678901234567890.5"),
    _kind("numeric(10,2)", "1", "1.01", "NaN", "-1", "99999999.99"),
    _kind("numeric(10,2)[]", "{}", "{1}", "{1,NULL}", "{NULL,1}", "{{1},{2}}", "{1,2}", "[0:1]={1,2}"),
    _kind("numeric[]", "{1.0}", "{1.00}", "{1}"),
    _kind("money", "0", "1.01", "-1.01"),
    _kind("text", "", " ", "a", "A", "a ", "ä", "a\u0308", "💾", "NULL", "\n", "\\N"),
    _kind("varchar(20)", "", "a", "a ", "A"),
    _kind("char(4)", "", "a", "A"),
    _kind("bpchar", "a", "a ", "a  ", "A"),
    _kind("name", "a", "A"),
    _kind("citext", "a", "A", "b"),
    _kind("bytea", "", r"\x00", r"\x0000", r"\xdeadbeef"),
    _kind("uuid", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"),
    _kind("date", "2000-01-01", "0001-01-01 BC", "infinity", "-infinity"),
    _kind("time", "00:00", "24:00", "00:00:00.000001"),
    _kind("timetz", "00:00+00", "00:00+01", "23:00-01"),
    _kind("timestamp", "2000-01-01", "2000-01-01 00:00:00.000001", "infinity"),
    _kind("timestamptz", "2000-01-01 00:00+00", "2000-01-01 00:00+01", "-infinity"),
    _kind("interval", "1 mon", "30 days", "720 hours", "-1 mon", "0"),
    _kind("inet", "10.0.0.1", "10.0.0.1/8", "::1", "::1/64"),
    _kind("cidr", "10.0.0.0/8", "10.0.0.0/9", "::/0"),
    _kind("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    _kind("macaddr8", "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:06"),
    _kind("bit(3)", "101", "100"),
    _kind("varbit", "", "0", "00", "1"),
    _kind("json", '{"a":1}', '{"a": 1}', '{"a":1,"a":1}', "null"),
    _kind(
        *("jsonb", '{"a":1}', '{"a":1.0}', "null", "[]", "{}", '"1"', "1", "[[1],2]", "[[1,2]]", "[1,2]"),
        *('{"a":{"b":1},"c":2}', '{"a":{"b":1,"c":2}}'),
    ),
    _kind("jsonpath", "$.a", "$.b", "strict $.a"),
    _kind("xml", "<a/>", "<a></a>", "a"),
    _kind("tsvector", "a", "a:1", "a:1A", "a b"),
    _kind("tsquery", "a", "a & b", "a | b"),
    _kind("point", "(0,0)", "(0,1e-300)", "(NaN,0)"),
    _kind("line", "{1,2,3}", "{1,2,4}"),
    _kind("lseg", "[(0,0),(1,1)]", "[(1,1),(0,0)]"),
    _kind("box", "(1,1),(0,0)", "(1,2),(0,0)", "(2,1),(0,0)"),
    _kind("path", "[(0,0),(1,1)]", "((0,0),(1,1))"),
    _kind("polygon", "((0,0),(1,1))", "((1,1),(0,0))"),
    _kind("circle", "<(0,0),1>", "<(1,0),1>", "<(0,0),2>"),
    _kind("pg_lsn", "0/0", "0/1", "1/0"),
    _kind("txid_snapshot", "10:20:10", "10:20:"),
    _kind("regclass", "pg_class", "pg_proc"),
    _kind("int4[]", "{}", "{0}", "{NULL}", "{1,2,3,4}", "{{1,2},{3,4}}", "[0:3]={1,2,3,4}", "{4,3,2,1}"),
    _kind("text[]", "{}", '{""}', "{NULL}", "{a,b}", '{"a,b"}', "{A,b}"),
    _kind("float8[]", "{NaN}", "{1}", "{Infinity}"),
    _kind("timestamptz[]", "{2000-01-01 00:00+00}", "{2000-01-01 00:00+01}"),
    _kind("jsonb[]", "{1}", "{1.0}", '{"null"}', "{NULL}"),
    _kind("int4range", "empty", "[1,2)", "[1,3)", "(,1)", "[1,)", "(,)"),
    _kind("numrange", "[1.0,2)", "[1.00,2)", "(1.0,2)", "empty"),
    _kind("tstzrange", "[2000-01-01 00:00+00,)", "(2000-01-01 00:00+00,)", "empty"),
    _kind("int4range[]", '{"[1,2)"}', "{empty}", '{"[1,2)","[1,2)"}'),
    _kind("int4multirange", "{}", "{[1,2)}", "{[1,2),[3,4)}", "{[1,4)}"),
    _kind("nummultirange", "{[1.0,2)}", "{[1.00,2)}"),
    _kind("textrange", "[a,b)", "[a,c)", "[A,b)", "empty"),
    _kind("moodrange", "[sad,ok)", "[sad,ok]", "[sad,happy)"),
    _kind("mood", "sad", "ok", "happy"),
    _kind("mood[]", "{sad}", "{ok}", "{sad,ok}"),
    _kind("feeling", "sad", "ok"),
    _kind("still_feeling", "sad", "happy"),
    _kind("feeling[]", "{sad}", "{ok}", "{{sad}}"),
    _kind("pair", "(1,a)", "(,a)", "(1,)", "(,)", '(1,"")'),
    _kind("pair[]", '{"(1,a)"}', '{"(1,b)"}', '{"(,)"}', "{NULL}"),
    _kind("deep", '("(1,a)","{sad}")', '("(1,a)","{ok}")', '("(,)",)', '(,"{}")'),
    _kind("price", "1", "1.01"),
    _kind("prices", "{1}", "{1.01}", "{{1}}"),
    _kind("plain_number", "1.0", "1.00"),
    _kind("short", "a", "A", ""),
    _kind("hstore", "a=>1", "a=>NULL", "b=>1", "A=>1"),
    _kind("ltree", "a.b", "a.c"),
    _kind("cube", "(1,2)", "(1,3)", "(1,2),(3,4)"),
)
NOT_NULL = ("short",)
EQUAL_UNLESS_STRICT = (
    _kind("float4", "0", "-0"),
    _kind("float8", "0", "-0"),
    _kind("float8[]", "{0}", "{-0}"),
)
"""What PostgreSQL calls equal, and a dump keeps apart."""


def literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def filled(kind: Kind) -> str:
    """SQL that makes its table, with each value once and, where it may be, NULL."""
    values = [literal(value) for value in kind.values] + ([] if kind.type in NOT_NULL else ["NULL"])
    rows = ", ".join(f"({value}::{kind.type})" for value in values)
    return f"CREATE TABLE {kind.table} (key serial, v {kind.type}); INSERT INTO {kind.table} (v) VALUES {rows};"
