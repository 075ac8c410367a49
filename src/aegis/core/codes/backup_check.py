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
        "The role lacks a permission below its prefix, or its credentials have ended.",
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
        "Name an installation of the source's major that has the same extensions. Locales of libc: `apt-get install"
        " locales` and `locale-gen en_US.UTF-8` (or whichever the message names).",
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
        "Correct the place that the message names; `aegis init --gates …` writes a section to compare with.",
    ),
    # --- encryption, secrets ------------------------------------------------------------------------------------------
    Code(
        "backup_check.recipient_invalid",
        "A recipient is no public key of age",
        "What is encrypted to a key that nobody has cannot be restored.",
        "Correct `backup-check.recipients`: each is what `age-keygen` prints as its public key.",
    ),
    Code(
        "backup_check.identity_invalid",
        "What should open backups is no secret key of age",
        "Encrypted backups can't be read without one.",
        "Give what `age-keygen` wrote, by --identity-file or as the secret AEGIS_AGE_IDENTITY.",
    ),
    Code(
        "backup_check.identity_missing",
        "The backup is encrypted, and no key here opens it",
        "Whether it restores is not known; if nobody has such a key, it is lost.",
        "Give the secret key of one of the manifest's recipients, e.g. the escrowed one.",
    ),
    Code(
        "backup_check.secret_exposed",
        "A file with a secret can be read by others",
        "Every user of the machine could read the database, or open its backups.",
        "chmod 600 the file, and change the secret if others may have read it.",
    ),
    # --- what lies in the store ---------------------------------------------------------------------------------------
    Code(
        "backup_check.no_backup",
        "There is no backup",
        "No folder of the database has a manifest, so nothing could be restored; that no backup fails is no comfort.",
        "Run `aegis backup run`, and look why its schedule does not.",
    ),
    Code(
        "backup_check.backup_stale",
        "The newest backup is too old",
        "What was written after its snapshot would be lost; a schedule that has ended reports nothing.",
        "Look why the scheduled backup does not run (GitHub ends schedules after 60 days without activity); run it.",
    ),
    Code(
        "backup_check.snapshot_in_future",
        "The newest backup is from the future",
        "The clocks of the database's server and of this machine differ, so no age is known: a stale backup may look"
        " fresh.",
        "Set both clocks by NTP.",
    ),
    Code(
        "backup_check.object_missing",
        "A backup has lost an object",
        "The manifest lists what the store does not have: a lifecycle rule, or somebody, has deleted it.",
        "Take another backup at once, and look for what deletes there.",
    ),
    Code(
        "backup_check.object_size",
        "An object of a backup has another size",
        "It is not what was written: cut short, or put in its place.",
        "Take another backup at once, and treat this one as damaged or tampered with.",
    ),
    Code(
        "backup_check.object_unlisted",
        "A backup has an object too many",
        "Its manifest was written last and lists everything, so somebody else has written there.",
        "Look for who may write below the backups' prefix.",
    ),
    Code(
        "backup_check.cluster_other",
        "The backup is of another database",
        "Its cluster or its name is not what the policy names or the backup before it has, e.g. staging's instead of"
        " production's.",
        "Correct the address that the backup is taken from, or `system-identifier` and `database` in the policy.",
    ),
    Code(
        "backup_check.recipients_differ",
        "The newest backup is not encrypted to the policy's recipients",
        "It is in plain text, lacks a key that was to open it, or can be opened by somebody whom the policy does not"
        " name: it was taken with another policy, or by somebody else.",
        "Take a backup by `aegis backup run` with this policy, and look for what else takes backups.",
    ),
    Code(
        "backup_check.backup_shrunk",
        "The newest backup is much smaller than usual",
        "Tables that were emptied, or a role that sees less, make good backups of too little.",
        "Look for what is gone from the database; raise `max-shrink` where it went on purpose.",
    ),
    Code(
        "backup_check.backup_vanished",
        "A backup that was restored from is gone",
        "Pruning keeps the newest one that passed, so somebody or something else has deleted it.",
        "Look for lifecycle rules and for who may delete; put back the versions that the store has kept.",
    ),
    Code(
        "backup_check.never_proven",
        "No restore has been proven",
        "A backup that was never restored is a hope: what it holds is only known by restoring it.",
        "Run `aegis backup verify latest`, and the action with `mode: verify` on a schedule.",
    ),
    Code(
        "backup_check.proof_stale",
        "The last proven restore is too long ago",
        "What has changed since then (schema, extensions, versions, size) may not restore.",
        "Look why the scheduled restore does not run or pass; then run `aegis backup verify latest`.",
    ),
    Code(
        "backup_check.proof_in_future",
        "The last proven restore is from the future",
        "The clock of the machine that restored, or of this one, is wrong, or the record was not written by a restore.",
        "Set the clocks by NTP, and look for who may write records.",
    ),
    Code(
        "backup_check.proof_failed",
        "The newest backup did not restore",
        "The last restore of it has failed, whatever earlier ones have shown.",
        "Do what the record's reason asks for, and take another backup.",
    ),
    Code(
        "backup_check.restore_slow",
        "The restore takes too long",
        "It took longer than the recovery time objective (`max-restore`) allows.",
        "Give the restore more cores or a nearer store, or raise `max-restore` if that is acceptable.",
    ),
    Code(
        "backup_check.record_invalid",
        "A restore's record is damaged",
        "What decides whether a backup was proven cannot be read in one way, or speaks of another restore.",
        "Verify the backup again, and look for who may write records.",
    ),
    Code(
        "backup_check.manifest_replaced",
        "Another manifest lies where one was proven",
        "None is ever written over, so somebody else has put it there; the proof is of the old one.",
        "Treat the backup and the store as tampered with.",
    ),
    Code(
        "backup_check.clocks_differ",
        "The clocks differ too much to prune by them",
        "A backup from the future means that ages are not known, and nothing is removed by a guess.",
        "Set the clocks by NTP.",
    ),
    Code(
        "backup_check.prune_refused",
        "The store does not let a backup be removed",
        "The role may not delete, or the objects are locked (Object Lock) until their retention ends.",
        "Give the role s3:DeleteObject and s3:DeleteObjectVersion, or prune again when the lock has ended.",
    ),
    Code(
        "backup_check.push_failed",
        "The Pushgateway did not take the metrics",
        "What is not told cannot alarm; an alert on absent or old metrics fires instead.",
        "Correct the address, or look at the Pushgateway's log.",
    ),
    Code(
        "backup_check.proven",
        "The restore is equal to what was dumped",
        "The backup was restored, its content compared with the source's snapshot, and each question answered.",
        "Nothing is to be done.",
    ),
    Code(
        "backup_check.equality_not_run",
        "The backup restores, and nothing says what it should hold",
        "Without checksums of the source, a dump that lost rows before it was stored restores as well as a whole one.",
        "Take backups with `aegis backup run`, with checksums.",
    ),
    Code(
        "backup_check.smoke_failed",
        "A question to the restored database was not answered by `true`",
        "What is equal to the source may still lack what the application needs.",
        "Look into the source for what is missing, and at the question itself.",
    ),
    Code(
        "backup_check.dump_empty",
        "The dump holds no rows",
        "An empty database and a dump of definitions only restore without an error, too.",
        "Look at what was dumped: another database, another schema, or definitions only.",
    ),
)
