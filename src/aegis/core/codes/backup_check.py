"""Reasons of the backup-check gate, and of the backups that it looks at."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "backup_check.manifest_invalid",
        "The backup's manifest is damaged",
        "What a backup holds is known by its manifest alone; one that can be read in two ways, or lists what leads"
        " elsewhere, proves nothing.",
        "Take another backup, and treat this one as damaged or tampered with.",
    ),
    Code(
        "backup_check.manifest_newer",
        "The backup was written by a later version",
        "Checksums of another version are sums over something else, so they can't be compared.",
        "Use the version of Aegis that wrote the backup, or a later one.",
    ),
    Code(
        "backup_check.database_unavailable",
        "The database did not answer",
        "It was unreachable, refused a query, or took longer than it may.",
        "Look at the database's log; then run the backup again.",
    ),
    Code(
        "backup_check.database_too_old",
        "The server is too old",
        "Servers before PostgreSQL 14 can't compute the checksums that prove a restore.",
        "Upgrade the server: its major gets no more security fixes.",
    ),
    Code(
        "backup_check.address_pooled",
        "The address leads to a pooler",
        "A pooler hands one client's statements to several sessions, so dump and checksums can't share a snapshot.",
        "Use the direct address of the server, e.g. without `-pooler` in its name or on port 5432 instead of 6432.",
    ),
    Code(
        "backup_check.rows_hidden",
        "Row security hides rows from this role",
        "A dump by a role that sees a part of a table's rows is a backup of a part, whatever it reports.",
        "Give the role BYPASSRLS, or back up as the owner of the tables.",
    ),
    Code(
        "backup_check.privilege_missing",
        "The role may not read all of the database",
        "What it can't read is in no dump.",
        "Grant the role pg_read_all_data, or what the message names.",
    ),
    Code(
        "backup_check.tables_changed",
        "Tables were rewritten during the backup",
        "TRUNCATE and some forms of ALTER TABLE are not safe under snapshots: older ones see an empty table.",
        "Run the backup again, at a time without migrations.",
    ),
    Code(
        "backup_check.database_differs",
        "The restored database is of another kind",
        "In another encoding or major, the same rows have other bytes, and applications may get other answers.",
        "Restore into a database of the encoding, and a server of the major, that the manifest names.",
    ),
    Code(
        "backup_check.table_missing",
        "A table is missing after the restore",
        "It was in the database that was dumped.",
        "Take another backup and keep this one for the search of the cause; look for errors of the restore.",
    ),
    Code(
        "backup_check.table_unexpected",
        "A table too many after the restore",
        "It was not in the database that was dumped, so the restore went into a database that was not empty.",
        "Restore into an empty database.",
    ),
    Code(
        "backup_check.table_definition",
        "A table has another definition after the restore",
        "Its kind or its columns are others than in the database that was dumped.",
        "Restore with the same major and the same extensions as the source.",
    ),
    Code(
        "backup_check.table_content",
        "A table has other rows after the restore",
        "Its number of rows, or the sum of their hashes, is another one than in the snapshot that was dumped.",
        "Don't rely on this backup: take another one, and look for damage of the archive or errors of the restore.",
    ),
    Code(
        "backup_check.sequence_missing",
        "A sequence is missing after the restore",
        "It was in the database that was dumped.",
        "Take another backup; look for errors of the restore.",
    ),
    Code(
        "backup_check.sequence_position",
        "A sequence stands elsewhere after the restore",
        "It stands outside of what it passed during the dump: if behind, the next insert collides.",
        "Look for errors of the restore; set it with setval() beyond the largest value in use.",
    ),
    Code(
        "backup_check.large_objects",
        "Large objects differ after the restore",
        "Their number or content is another one than in the snapshot; dumps of single tables or schemas have none.",
        "Dump the whole database, or with --large-objects.",
    ),
    Code(
        "backup_check.matview_state",
        "A materialized view is missing or empty after the restore",
        "It could be read in the database that was dumped, and can't be now.",
        "Look for errors of the restore; then REFRESH MATERIALIZED VIEW.",
    ),
    Code(
        "backup_check.extension_missing",
        "An extension is missing after the restore",
        "Tables, functions and types that need it can't have been restored.",
        "Restore on a server that offers the extension.",
    ),
    Code(
        "backup_check.role_missing",
        "A role is missing after the restore",
        "Owners and grants that name it are lost; a dump of one database holds no roles.",
        "Restore the roles first.",
    ),
    Code(
        "backup_check.schema_differs",
        "The schema differs after the restore",
        "The definitions that pg_dump writes are others than in the database that was dumped.",
        "Compare both with `pg_dump --schema-only`.",
    ),
    # --- writing to a store -------------------------------------------------------------------------------------------
    Code(
        "backup_check.write_denied",
        "The store does not let us write",
        "The role lacks a permission below the backups' prefix, or its credentials have ended.",
        "Give the writer's role s3:PutObject and s3:AbortMultipartUpload there; pruning needs s3:DeleteObject too.",
    ),
    Code(
        "backup_check.bucket_missing",
        "No such bucket",
        "There is nothing to write to.",
        "Create the bucket, or correct its name.",
    ),
    Code(
        "backup_check.object_exists",
        "An object of this name is there already",
        "A backup is never written over: each has a name of its own, so somebody else wrote there.",
        "Look at who writes to this prefix; then run the backup again, under a new name.",
    ),
    Code(
        "backup_check.upload_left",
        "A failed upload could not be removed",
        "Its parts are in the bucket, unseen and paid for, until they are aborted.",
        "Give the bucket a lifecycle rule AbortIncompleteMultipartUpload, and the role s3:AbortMultipartUpload.",
    ),
    # --- PostgreSQL's programs, and dumps by them ---------------------------------------------------------------------
    Code(
        "backup_check.tools_missing",
        "PostgreSQL's programs are missing",
        "A dump is made, and restored, by the programs of the server's own major.",
        "Install postgresql-client-MAJOR (and postgresql-MAJOR for the proof) on the runner.",
    ),
    Code(
        "backup_check.tools_old",
        "PostgreSQL's programs have known holes",
        "What a database holds can run code in old versions of pg_dump and pg_restore.",
        "Upgrade the programs to the latest minor of their major.",
    ),
    Code(
        "backup_check.tools_failed",
        "PostgreSQL's programs could not be fetched",
        "The wheel by hash was not to be had, or does not run on this machine.",
        "Run it again, or install postgresql-client-MAJOR on the runner.",
    ),
    Code(
        "backup_check.dump_failed",
        "The dump failed",
        "pg_dump did not end well, so what it had written is no backup, and was removed.",
        "Do what its message asks for, and run the backup again.",
    ),
    Code(
        "backup_check.dump_stalled",
        "The dump makes no progress",
        "pg_dump wrote nothing for a long time, as when it waits for a lock or for a server that is gone.",
        "Look in pg_stat_activity for what its sessions wait for.",
    ),
    Code(
        "backup_check.backup_late",
        "The backup takes too long",
        "It was ended at its limit, and removed.",
        "Look for what is slow, the database or the store; or allow more time.",
    ),
    Code(
        "backup_check.engine_failed",
        "No PostgreSQL could be started for the restore",
        "Whether a backup restores is only known where it was restored.",
        "Free memory and disk, or name another installation of the same major.",
    ),
    Code(
        "backup_check.engine_lacks",
        "The PostgreSQL here lacks what the backup needs",
        "A restore without an extension, a locale or ICU loses what depends on it, and says nothing about the backup.",
        "Name an installation of the source's major that has the same extensions and locales.",
    ),
    Code(
        "backup_check.engine_exhausted",
        "The restore needs more memory, disk or time than it may have",
        "It was ended so that the machine goes on; whether the backup restores is not known.",
        "Free disk, or allow more memory or time.",
    ),
    Code(
        "backup_check.object_damaged",
        "A file of the backup is not what was written",
        "pg_restore takes most bit flips of zstd and lz4 archives for data, and ends with exit status 0.",
        "Restore from another backup that was verified, and take a new one.",
    ),
    Code(
        "backup_check.archive_unknown",
        "The dump is no archive of pg_dump",
        "Plain dumps are run by psql, which obeys commands in them (CVE-2025-8714), and do not show where they end.",
        "Dump with `aegis backup run`, or with pg_dump -Fc.",
    ),
    Code(
        "backup_check.restore_failed",
        "The backup does not restore",
        "A single error may be a table that is missing; exit statuses hide them.",
        "Take another backup at once; restore from an earlier one that was verified.",
    ),
    Code(
        "backup_check.restore_uninvited",
        "The backup did more than restore",
        "No dump of a database makes roles, databases or settings of the server: somebody wrote into this one.",
        "Treat the backup and the store as tampered with, and look for who wrote it.",
    ),
    Code(
        "backup_check.target_is_source",
        "The target is the database that was backed up",
        "A restore over the source destroys what it was to save.",
        "Restore into another, empty database.",
    ),
    Code(
        "backup_check.target_not_empty",
        "The target is not empty",
        "A restore over other data mixes the two, or fails half-way.",
        "Restore into an empty database; --force if what is there may be mixed with it.",
    ),
    Code(
        "backup_check.policy_incomplete",
        "The section `backup-check` protects nothing",
        "It names no database, one name twice, a prefix for two things, or a single key whose loss loses every backup.",
        "Correct `backup-check` in the policy file; docs/backup.md explains each key.",
    ),
    Code(
        "backup_check.restore_slow",
        "The restore takes longer than it may",
        "In an emergency people wait for all phases but the comparison; the policy says for how long.",
        "Speed the restore up (more jobs, fewer large indexes), or agree on another `max-restore`.",
    ),
)
