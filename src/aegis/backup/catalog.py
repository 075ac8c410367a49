"""The SQL that asks PostgreSQL's catalogs what a database holds, for all majors from 14 on.

To be run with an empty `search_path`, in the snapshot that is dumped. What pg_dump leaves out is left out: the schemas
of the system, temporary tables, and what extensions make themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.backup.checksums import quoted, row_hash

_HELD = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'"
_OF_EXTENSION = """EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
)"""
_READABLE = "coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), true)"
"""Both are NULL of what has been dropped since the snapshot: whoever locks or reads it is told so."""

TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition,
    {_READABLE}, row_security_active(c.oid), {_OF_EXTENSION},
    (SELECT x.extcondition[array_position(x.extconfig, c.oid)] FROM pg_extension x WHERE c.oid = ANY (x.extconfig)),
    CASE WHEN c.relispartition THEN ARRAY(SELECT relid::oid FROM pg_partition_ancestors(c.oid) AS relid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND {_HELD}
"""  # noqa: S608 - of constants
"""The ancestors of a partition: itself, its parent, …, the root. The condition is a WHERE clause, or empty."""

SPREAD_ANEW = """
SELECT DISTINCT pg_partition_root(p.partrelid)::oid FROM pg_partitioned_table p
WHERE p.partstrat = 'h' AND EXISTS (
    SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
    WHERE o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops' AND m.amname = 'hash'
)
"""
"""Roots of trees whose rows a restore spreads over the partitions anew: an enum's hash is that of its OID.

As pg_dump decides it, which loads them through the root (`forcePartitionRootLoad` in its source).
"""

COLUMNS = f"""
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
    coalesce(l.collisdeterministic, true), a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {_HELD}
"""  # noqa: S608 - of constants

TYPES = f"""
WITH RECURSIVE used (oid) AS (
    SELECT a.atttypid
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {_HELD}
    UNION
    SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
    FROM used JOIN pg_type t USING (oid) WHERE t.typtype = 'd' OR t.typoutput = 'array_out'::regproc
)
SELECT t.oid, t.typname, n.nspname = 'pg_catalog',
    CASE WHEN t.typtype = 'd' THEN 'domain' WHEN t.typoutput = 'array_out'::regproc THEN 'array' ELSE 'plain' END,
    CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, t.typtypmod,
    format_type(t.oid, -1), f.nspname, p.proname
FROM used JOIN pg_type t USING (oid) JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_proc p ON p.oid = t.typoutput JOIN pg_namespace f ON f.oid = p.pronamespace
"""  # noqa: S608 - of constants
"""Types of all columns, and those that they are made of. With -1, `format_type` says `bpchar`, not `character`."""

SEQUENCES = f"""
SELECT n.nspname, c.relname, s.seqincrement, s.seqcycle, {_READABLE}, d.refobjid, a.attname
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE {_HELD} AND NOT {_OF_EXTENSION}
"""  # noqa: S608 - of constants

MATVIEWS = f"""
SELECT n.nspname, c.relname, c.relispopulated, {_READABLE}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND {_HELD} AND NOT {_OF_EXTENSION}
"""  # noqa: S608 - of constants

EXTENSIONS = "SELECT extname, extversion FROM pg_extension"

_OWNED = " UNION ALL ".join(
    f"SELECT '{catalog}'::regclass, oid, {owner}, {rights}::text FROM {catalog}"  # noqa: S608 - of constants
    for catalog, owner, rights in (
        ("pg_class", "relowner", "relacl"),
        ("pg_proc", "proowner", "proacl"),
        ("pg_type", "typowner", "typacl"),
        ("pg_namespace", "nspowner", "nspacl"),
        ("pg_language", "lanowner", "lanacl"),
        ("pg_largeobject_metadata", "lomowner", "lomacl"),
        ("pg_foreign_data_wrapper", "fdwowner", "fdwacl"),
        ("pg_foreign_server", "srvowner", "srvacl"),
        ("pg_default_acl", "defaclrole", "defaclacl"),
        ("pg_operator", "oprowner", "NULL"),
        ("pg_opclass", "opcowner", "NULL"),
        ("pg_opfamily", "opfowner", "NULL"),
        ("pg_collation", "collowner", "NULL"),
        ("pg_conversion", "conowner", "NULL"),
        ("pg_ts_dict", "dictowner", "NULL"),
        ("pg_ts_config", "cfgowner", "NULL"),
        ("pg_statistic_ext", "stxowner", "NULL"),
        ("pg_event_trigger", "evtowner", "NULL"),
        ("pg_publication", "pubowner", "NULL"),
        ("pg_subscription", "subowner", "NULL"),
    )
)
_USED = f"""
CASE WHEN r.oid <> 10 THEN EXISTS (
    SELECT FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.classid <> 'pg_extension'::regclass
        AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND NOT (
            d.deptype = 'o' AND EXISTS (
                SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e'
            )
        )
) ELSE EXISTS (
    SELECT FROM ({_OWNED}) held (classid, objid, owner, rights)
    WHERE (held.objid >= 16384 OR held.classid = 'pg_largeobject_metadata'::regclass)
        AND (held.owner = r.oid OR strpos(held.rights, r.rolname || '=') > 0) AND NOT EXISTS (
            SELECT FROM pg_depend e
            WHERE e.classid = held.classid AND e.objid = held.objid AND e.deptype = 'e'
        )
        AND NOT EXISTS (
            SELECT FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
            WHERE held.classid = 'pg_class'::regclass AND t.oid = held.objid AND n.nspname ~ '^pg_'
        )
) END
"""  # noqa: S608 - of constants
"""What belongs to a role is in pg_shdepend, but for the one that `initdb` made (BOOTSTRAP_SUPERUSERID, 10): it is
pinned. Objects from 16384 on (FirstNormalObjectId) are not of the system. An extension's owner is in no dump."""

ROLES = f"""
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
    r.rolbypassrls, {_USED}, ARRAY(
        SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
        WHERE m.member = r.oid ORDER BY 1
    )
FROM pg_roles r WHERE r.rolname !~ '^pg_'
"""  # noqa: S608 - of constants

DATABASE = """
SELECT to_jsonb(d), pg_encoding_to_char(d.encoding), (SELECT system_identifier FROM pg_control_system()),
    current_setting('server_version_num')::int, pg_is_in_recovery()
FROM pg_database d WHERE d.datname = current_database()
"""
"""As JSON, since majors name its columns differently."""

OWN_SETTINGS = """
SELECT r.rolname, split_part(each, '=', 1), substr(each, strpos(each, '=') + 1)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole,
    unnest(s.setconfig) AS each
WHERE d.datname = current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL)
ORDER BY 1 NULLS FIRST, 2
"""
"""Of the database itself: the role or NULL, name, value."""

SNAPSHOT = """
SELECT pg_export_snapshot(),
    CASE WHEN NOT pg_is_in_recovery() THEN clock_timestamp() ELSE greatest(
        pg_last_xact_replay_timestamp(),
        (
            SELECT least(last_msg_send_time, last_msg_receipt_time, clock_timestamp()) FROM pg_stat_get_wal_receiver()
            WHERE last_msg_send_time IS NOT NULL AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
        )
    ) END,
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text
"""
"""The snapshot, of when it is, and where the log stood.

A standby shows what it has replayed, however late that is: until its last transaction; or, where it has replayed all
that it got, until its sender's last message, if this role may see that (pg_read_all_stats). NULL where nothing tells.
"""

LARGE_OBJECTS_COUNT = "SELECT count(*) FROM pg_largeobject_metadata"

_CHUNK = 1 << 20
_READ = 0x40000
"""INV_READ, from PostgreSQL's libpq/libpq-fs.h."""
_PIECE = row_hash(["o.oid", "o.size", "i", f"lo_get(o.oid, i * {_CHUNK}, {_CHUNK})"])
LARGE_OBJECTS = f"""
SELECT ({LARGE_OBJECTS_COUNT}), coalesce(sum({_PIECE}), 0)
FROM (
    SELECT oid, size, lo_close(CASE WHEN size IS NOT NULL THEN fd END) AS closed FROM (
        SELECT oid, fd, lo_lseek64(fd, 0, 2) AS size FROM (
            SELECT oid, lo_open(oid, {_READ}) AS fd FROM pg_largeobject_metadata OFFSET 0
        ) opened OFFSET 0
    ) measured OFFSET 0
) o, generate_series(0, o.size / {_CHUNK}) AS i
"""  # noqa: S608 - of constants
"""How many, and the sum of their hashes: of what a reader gets, since a restore fills holes in pg_largeobject."""


def sizes(tables: Sequence[int]) -> str:
    """How many bytes these tables have, by OID. It waits for locks, so lock them before."""
    return f"SELECT oid, pg_table_size(oid) FROM unnest('{{{', '.join(map(str, tables))}}}'::oid[]) AS oid"  # noqa: S608


def lock(names: Sequence[tuple[str, str]]) -> str:
    """Keeps TRUNCATE and ALTER TABLE away from these tables, and nobody else."""
    return f"LOCK TABLE {', '.join(f'ONLY {quoted(*name)}' for name in names)} IN ACCESS SHARE MODE"


def positions(names: Sequence[tuple[str, str]]) -> str:
    """Where these sequences stand, in their order: last value, whether it was given out."""
    each = (
        f"SELECT {place}, last_value, is_called FROM {quoted(*name)}"  # noqa: S608 - names are quoted
        for place, name in enumerate(names)
    )
    return " UNION ALL ".join(each) + " ORDER BY 1"


def count(schema: str, name: str) -> str:
    """How many rows a materialized view has."""
    return f"SELECT count(*) FROM {quoted(schema, name)}"  # noqa: S608 - names are quoted
