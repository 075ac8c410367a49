"""Databases to be backed up: one with something of everything, and the dumps and restores of PostgreSQL's own tools."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.support.backup.types import KINDS, PRELUDE, filled
from tests.support.databases.postgres import Server, majors, running

EVERYTHING = r"""
CREATE SCHEMA "a ""schema""; DROP";
CREATE TABLE "a ""schema""; DROP"."it's
broken %s {} ünïcode 💾" ("a ""column"" %(x)s" int, "ORDER" text, "new
line" mood);
INSERT INTO "a ""schema""; DROP"."it's
broken %s {} ünïcode 💾" VALUES (1, 'x', 'sad'), (1, 'x', 'sad'), (NULL, NULL, NULL);

CREATE TABLE empty (a int, b text);
CREATE TABLE bare ();
INSERT INTO bare DEFAULT VALUES;
INSERT INTO bare DEFAULT VALUES;
CREATE UNLOGGED TABLE unlogged (a int);
INSERT INTO unlogged VALUES (1);

CREATE TABLE made (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial bigserial,
    net numeric(10,2),
    gross numeric(10,2) GENERATED ALWAYS AS (net * 1.2) STORED,
    dropped text
);
ALTER TABLE made DROP COLUMN dropped, ADD COLUMN late text DEFAULT 'late';
INSERT INTO made (net) SELECT i FROM generate_series(1, 50) i;
CREATE SEQUENCE downwards INCREMENT -1 MINVALUE -100 MAXVALUE 100 CYCLE;
SELECT nextval('downwards');
CREATE SEQUENCE untouched START 7;

CREATE TABLE parent (a int, b text);
CREATE TABLE child (c mood) INHERITS (parent);
INSERT INTO parent VALUES (1, 'parent');
INSERT INTO child VALUES (2, 'child', 'ok');

CREATE TABLE measured (at date, id serial, note text) PARTITION BY RANGE (at);
CREATE TABLE measured_2000 PARTITION OF measured FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
CREATE TABLE measured_2001 (note text, gone int, id int NOT NULL DEFAULT nextval('measured_id_seq'), at date);
ALTER TABLE measured_2001 DROP COLUMN gone;
ALTER TABLE measured ATTACH PARTITION measured_2001 FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
CREATE TABLE measured_rest PARTITION OF measured DEFAULT PARTITION BY HASH (id);
CREATE TABLE measured_rest_0 PARTITION OF measured_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measured_rest_1 PARTITION OF measured_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO measured (at, note) SELECT date '2000-06-01' + 100 * i, 'note ' || i FROM generate_series(0, 20) i;

CREATE TABLE by_mood (m mood, i int) PARTITION BY HASH (m);
CREATE TABLE by_mood_0 PARTITION OF by_mood FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_mood_1 (i int, m mood);
ALTER TABLE by_mood ATTACH PARTITION by_mood_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE by_mood_2 PARTITION OF by_mood FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO by_mood SELECT (enum_range(NULL::mood))[1 + i % 3], i FROM generate_series(1, 30) i;

CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM made;
INSERT INTO made (net) VALUES (-1);
CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW seen AS SELECT * FROM made;

CREATE EXTENSION file_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE distant (a int) SERVER elsewhere OPTIONS (filename '/nowhere');

SELECT lo_from_bytea(4711, decode(repeat('00ff', 1500000), 'hex')), lo_create(4712), lo_create(4713);
SELECT lo_put(4713, 1000000, 'after a hole');
"""
"""After PRELUDE. Nothing depends on the clock or on chance."""


def fill(server: Server, database: str, *statements: str) -> None:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        connection.execute("SET lock_timeout = '60s'")
        for statement in statements:
            connection.execute(statement.encode())


def everything(server: Server) -> str:
    """A new database with something of everything; the OIDs of its types are others in each."""
    name = server.new_database()
    junk = "".join(f"CREATE TYPE junk_{i} AS ENUM ('a'); DROP TYPE junk_{i};" for i in range(server.major))
    fill(server, name, junk, PRELUDE, "".join(filled(kind) for kind in KINDS), EVERYTHING)
    return name


def dump(server: Server, database: str, file: Path, *options: str) -> Path:
    """By the server's own pg_dump, in the format `custom`."""
    _run(server, "pg_dump", "--format=custom", f"--file={file}", *options, database)
    return file


def restore(server: Server, file: Path, *, tools: Server | None = None, options: Sequence[str] = ()) -> str:
    """Into a new database, by the pg_restore of `tools`."""
    name = server.new_database("template0")
    _run(server, "pg_restore", "--exit-on-error", f"--dbname={name}", *options, str(file), tools=tools)
    return name


def schema_of(server: Server, database: str) -> bytes:
    return _run(server, "pg_dump", "--schema-only", database)


def _run(server: Server, program: str, *arguments: str, tools: Server | None = None) -> bytes:
    place = {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": "postgres"}
    return subprocess.run(
        [str((tools or server).bin / program), *arguments],
        env={"PATH": os.environ["PATH"], **place},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    ).stdout


@contextmanager
def every_major() -> Iterator[dict[int, Server]]:
    """One server of each."""
    with ExitStack() as stack:
        yield {major: stack.enter_context(running(major)) for major in majors()}
