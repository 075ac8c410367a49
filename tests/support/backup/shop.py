"""The database that the catalogue of broken backups is about: small, with something that each fault can break."""

from __future__ import annotations

import psycopg

from tests.support.databases.postgres import Server

ROLES = ("shop_owner", "shop_reader")
FILLER = "f" * 600
"""A comment on a table, which stands in an archive as it is, so that other SQL of its length can take its place."""
SHOP = f"""
CREATE TABLE accounts (id bigserial PRIMARY KEY, mail text NOT NULL UNIQUE, note text, paid numeric(12,2));
INSERT INTO accounts (mail, note, paid)
    SELECT md5(i::text) || '@example.org', repeat(md5(i::text), 4), i / 7.0 FROM generate_series(1, 1500) AS i;
CREATE INDEX accounts_note ON accounts (note);
CREATE TABLE orders (account bigint REFERENCES accounts, at timestamptz NOT NULL, lines jsonb);
INSERT INTO orders SELECT i, 'epoch'::timestamptz + i * interval '1 hour', jsonb_build_object('n', i)
    FROM generate_series(1, 700) AS i;
CREATE TABLE audit_trail (at timestamptz, what text);
INSERT INTO audit_trail SELECT 'epoch'::timestamptz + i * interval '1 s', 'signed in' FROM generate_series(1, 200) AS i;
CREATE MATERIALIZED VIEW totals AS SELECT sum(paid) AS paid FROM accounts;
CREATE EXTENSION hstore;
CREATE TABLE tags (account bigint, held hstore);
INSERT INTO tags SELECT i, hstore('n', i::text) FROM generate_series(1, 50) AS i;
CREATE SEQUENCE invoices;
SELECT setval('invoices', 4711);
SELECT lo_from_bytea(4712, 'a contract'), lo_from_bytea(4713, decode(repeat('00ff', 5000), 'hex'));
COMMENT ON TABLE accounts IS '{FILLER}';
ALTER TABLE accounts OWNER TO shop_owner;
ALTER TABLE orders OWNER TO shop_owner;
GRANT SELECT ON accounts TO shop_reader;
"""


def shop(server: Server) -> str:
    """A new one; its roles are made where the cluster has none yet."""
    name = server.new_database()
    with psycopg.connect(server.socket_url(name), autocommit=True) as connection:
        there = {each for (each,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role in ROLES:
            if role not in there:
                connection.execute(f"CREATE ROLE {role}".encode())
        connection.execute(SHOP.encode())
    return name


def run(server: Server, database: str, *statements: str) -> None:
    """Statements as the superuser."""
    with psycopg.connect(server.socket_url(database), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
