"""The audit log's tables (`aegis.adapters.postgres.audit_log`), in PostgreSQL only: with SQLite the log is on disk.

The triggers hold ordinary roles back. Who owns the tables can take them away; that shows, since nothing that is
changed afterwards leads to the root hash that the log's key signed.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = """
CREATE TABLE audit_log (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    size bigint NOT NULL CHECK (size >= 0),
    checkpoint bytea NOT NULL
);
COMMENT ON TABLE audit_log IS 'The one log: its number of entries, and the signed checkpoint of that size';
CREATE TABLE audit_entries (
    index bigint PRIMARY KEY CHECK (index >= 0),
    entry bytea NOT NULL
);
COMMENT ON TABLE audit_entries IS 'Entries: events as RFC 8785 JSON';
CREATE TABLE audit_nodes (
    level smallint CHECK (level >= 0),
    index bigint CHECK (index >= 0),
    hash bytea NOT NULL,
    PRIMARY KEY (level, index)
);
COMMENT ON TABLE audit_nodes IS 'Hashes of C2SP tiles; level 0 has the RFC 6962 leaf hashes';

CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER only_grows BEFORE DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER never_shorter BEFORE UPDATE ON audit_log
    FOR EACH ROW WHEN (NEW.size <= OLD.size) EXECUTE FUNCTION audit_only_grows();
"""


def upgrade() -> None:
    """Make them."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_TABLES)
