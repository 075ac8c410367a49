"""What a restore has shown, written down: in the audit log, and beside the backups, where the next check looks."""

from __future__ import annotations

import datetime
import time
from typing import Final

from aegis.backup.drill import DrillResult, error_of
from aegis.backup.records import record_of, write_record
from aegis.cli.backup.audit import BackupAudit
from aegis.cli.backup.stores import Place
from aegis.core.errors import CouldNotDecide
from aegis.core.tool import running_tool

_TRIES: Final = 5
"""To find a second in which no other restore of this backup ends so."""


def remember(
    result: DrillResult,
    *,
    database: str,
    backup: str,
    started: datetime.datetime,
    audit: BackupAudit,
    records: Place | None,
    actor: str,
    run_url: str,
) -> None:
    """`records`: None where nothing is to be written there. Raises CouldNotDecide where one of both cannot be written.

    `database`: its name in the policy; `started`: in UTC; `actor`, `run_url`: of the workflow's run, else empty.
    """
    audit.record(
        "backup.drilled",
        database,
        version=backup,
        sha256=result.manifest_sha256 or None,
        error=error_of(result),
        details={"tier": result.tier, "equality": result.equality, "isolated": result.isolated},
    )
    if records is None:
        return
    for tries_left in reversed(range(_TRIES)):
        record = record_of(
            result,
            database=database,
            backup=backup,
            manifest_sha256=result.manifest_sha256 or None,
            snapshot_time=result.snapshot_time or None,
            started=started,
            finished=datetime.datetime.now(datetime.UTC),
            tool=f"aegis {running_tool().version}",
            actor=actor,
            run_url=run_url,
        )
        try:
            write_record(records.store, records.prefix, record)
            return
        except CouldNotDecide as error:
            if error.code != "backup_check.object_exists" or not tries_left:
                raise
        time.sleep(1)  # the key has the second
