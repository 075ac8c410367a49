"""Entries of the audit log: `record_audit_event` returns when the entry is durable, or raises.

record_audit_event("model.quarantined", actor=actor, resource=Resource(kind="model", name="classifier"),
                   outcome="success", reason="strange answers")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from aegis.audit.event import Action, Event, Outcome, Resource
from aegis.core.actor import Actor
from aegis_multimodal_ai_system.settings import Settings

if TYPE_CHECKING:
    from aegis.audit.log import AuditLog, Receipt

_NOTHING: Mapping[str, str | int | bool | None] = MappingProxyType({})


def record_audit_event(
    action: Action,
    *,
    actor: Actor,
    resource: Resource,
    outcome: Outcome,
    reason: str | None = None,
    details: Mapping[str, str | int | bool | None] | None = None,
    correlation_id: str | None = None,
    log: AuditLog | None = None,
) -> Receipt:
    """Record who did what; durable on return. Without `log`, in the one that this process's settings name.

    Raises CouldNotDecide `audit.unavailable`: then do not do it. Refuses with `audit.event_invalid`.
    """
    event = Event(
        action=action,
        actor=actor,
        resource=resource,
        outcome=outcome,
        reason=reason,
        correlation_id=correlation_id,
        details=_NOTHING if details is None else details,
    )
    return (log or default_log()).append(event)


def default_log() -> AuditLog:
    """The one of this process's runtime, where the loader records too. Threads and forked processes may share it."""
    from aegis_multimodal_ai_system.runtime import default_runtime

    return default_runtime().log


def open_log(settings: Settings) -> AuditLog:
    """The log that the settings name: on disk in `data`, or in the database, whose tables are made where needed.

    One that is new has a checkpoint of no entries from here on.

    Raises CouldNotDecide `audit.unavailable`.
    """
    from aegis.audit.keys import load_key, load_or_create_key

    # At a place that was named, a missing key is a mistake: a log with another key is another log.
    made = settings.audit_key == settings.data / "audit.key"
    key = load_or_create_key(settings.audit_key) if made else load_key(settings.audit_key)
    if settings.audit == "disk":
        from aegis.audit.disk import DiskLog

        return DiskLog(log_folder(settings), settings.audit_origin, key)
    from aegis.adapters.postgres.audit_log import PostgresLog

    log = PostgresLog(settings.database_url, settings.audit_origin, key)
    _make_tables(settings.database_url)
    try:
        log.check()
    except BaseException:
        log.close()
        raise
    return log


def log_folder(settings: Settings) -> Path:
    """Where the log on disk is."""
    return settings.data / "audit"


def process_actor(settings: Settings) -> Actor:
    """The process itself, where it acts for nobody else."""
    name = settings.service
    return Actor(
        id=f"process:{name}",
        kind="process",
        display=name,
        issuer="local",
        subject=name,
        attributes={"pid": str(os.getpid()), "host": os.uname().nodename},
    )


def _make_tables(database_url: str) -> None:
    from aegis.audit.faults import unavailable
    from aegis.core.errors import CouldNotDecide
    from aegis_multimodal_ai_system.database import open_database

    database = open_database(database_url)
    try:
        database.migrate()
    except CouldNotDecide as error:
        raise unavailable(error.problem, expected=error.expected, remedy=error.remedy) from error
    finally:
        database.close()
