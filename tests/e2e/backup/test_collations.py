"""Collations that call different texts equal, which only a server with ICU has."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.adapters.postgres.snapshot import read_inventory
from aegis.backup.compare import compare
from tests.support.backup.databases import dump, fill, restore
from tests.support.databases.postgres import Server, running
from tests.support.programs.debian import postgres_with_icu

DEBIAN_MAJOR = 15
"""Of Debian 12."""
CASTS = ((1, "text"), (2, "text[]"), (3, "blind_text"), (4, "blind_range"), (5, "varchar(10)"))
SCHEMA = """
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE DOMAIN blind_text AS text COLLATE blind;
CREATE TYPE blind_range AS RANGE (subtype = text, collation = blind);
CREATE TABLE t1 AS SELECT 'Ana' COLLATE blind AS v;
CREATE TABLE t2 AS SELECT ARRAY['Ana' COLLATE blind] AS v;
CREATE TABLE t3 AS SELECT 'Ana'::blind_text AS v;
CREATE TABLE t4 AS SELECT '[Ana,Bob)'::blind_range AS v;
CREATE TABLE t5 (v varchar(10) COLLATE blind);
INSERT INTO t5 VALUES ('Ana');
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = postgres_with_icu(DEBIAN_MAJOR)
    told = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    assert re.search(rf"\b{DEBIAN_MAJOR}\.", told)
    with running(DEBIAN_MAJOR, of=folder) as server:
        yield server


def test_texts_that_their_collation_calls_equal_are_told_apart(server: Server, tmp_path: Path) -> None:
    name = server.new_database()
    fill(server, name, SCHEMA)
    expected = read_inventory(server.url(name))
    assert [table.columns[0].rule for table in expected.tables] == ["text-c", "text-c", "text-c", "text", "text-c"]
    restored = restore(server, dump(server, name, tmp_path / "dump"))
    assert compare(expected, read_inventory(server.url(restored))) == ()
    fill(server, restored, "".join(f"UPDATE t{i} SET v = lower(v::text)::{kind};" for i, kind in CASTS))
    differences = compare(expected, read_inventory(server.url(restored)))
    assert [each.what for each in differences] == [f'table "public"."t{i}"' for i, _ in CASTS]
