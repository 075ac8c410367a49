"""What counts of a dump of definitions."""

from __future__ import annotations

import pytest

from aegis.backup.schema_digest import schema_digest

DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict WORDaa

-- Dumped from database version 17.11
-- Dumped by pg_dump version 17.11

SET statement_timeout = 0;

CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$
-- Dumped from database version 1
\\restrict WORDaa
$$;

\\unrestrict WORDaa

"""


def test_versions_and_the_random_word_do_not_count() -> None:
    other = DUMP.replace(b"\n\\restrict WORDaa\n\n--", b"\n\\restrict OTHER1\n\n--").replace(
        b"\\unrestrict WORDaa", b"\\unrestrict OTHER1"
    )
    other = other.replace(b"17.11", b"17.12")
    assert schema_digest(other) == schema_digest(DUMP)


def test_older_dumps_have_no_such_word() -> None:
    without = DUMP.replace(b"\n\\restrict WORDaa\n\n--", b"\n\n--").replace(b"\\unrestrict WORDaa\n", b"")
    assert schema_digest(without) == schema_digest(DUMP)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"RETURNS text", b"RETURNS int"),
        (b"version 1\n", b"version 2\n"),
        (b"version 1\n\\restrict WORDaa", b"version 1\n\\restrict OTHER1"),
        (b"-- PostgreSQL", b"-- Postgres"),
    ],
    ids=["a definition", "a comment in a function", "a word in a function", "another line of the header"],
)
def test_everything_else_does(old: bytes, new: bytes) -> None:
    assert old in DUMP
    assert schema_digest(DUMP.replace(old, new)) != schema_digest(DUMP)
