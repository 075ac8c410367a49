"""What is done with backups, in the audit log where one is configured: it is opened before anything is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from aegis.core.errors import AegisError

if TYPE_CHECKING:
    from aegis.audit.log import AuditLog

Deed = Literal["backup.created", "backup.drilled", "backup.pruned", "database.restored"]
_ASKED_FOR: Final = ("AEGIS_DATA", "AEGIS_AUDIT")
_NOTICE: Final = "Nothing was recorded in an audit log: neither AEGIS_DATA nor AEGIS_AUDIT is set."
_NOTHING: Mapping[str, str | int | bool | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BackupAudit:
    """The log of this run, or none."""

    log: AuditLog | None
    correlation_id: str = field(default_factory=lambda: os.urandom(16).hex())
    """Of all entries of this run."""

    @property
    def notices(self) -> tuple[str, ...]:
        """For whoever reads the answer."""
        return () if self.log is not None else (_NOTICE,)

    def record(
        self,
        deed: Deed,
        name: str,
        *,
        version: str | None = None,
        sha256: str | None = None,
        error: AegisError | None = None,
        details: Mapping[str, str | int | bool | None] = _NOTHING,
        begun: bool = False,
    ) -> None:
        """Record what was done, or why it was not; durable on return. CouldNotDecide `audit.unavailable`.

        `name`: the database's, in the policy; `version`: the backup's id; `sha256`: its manifest's (hex). `begun`: it
        is about to be done, so that it has an entry however this run ends.
        """
        if self.log is None:
            return
        from aegis.audit.event import Event, Resource
        from aegis.cli.actors import user_actor
        from aegis.core.errors import Refused

        kind: Literal["database", "backup"] = "database" if deed == "database.restored" else "backup"
        outcome: Literal["success", "refused", "failure", "unknown"] = "unknown" if begun else "success"
        if error is not None:
            outcome = "refused" if isinstance(error, Refused) else "failure"
        self.log.append(
            Event(
                action=deed,
                actor=user_actor(),
                resource=Resource(kind=kind, name=name, sha256=sha256, version=version),
                outcome=outcome,
                reason=error.code if error is not None else None,
                correlation_id=self.correlation_id,
                details=details,
            )
        )


def audit_of(environ: Mapping[str, str]) -> BackupAudit:
    """The log that the environment names; where it names none, nothing is recorded, and `notices` says so.

    CouldNotDecide `audit.unavailable` where it cannot be written: then nothing is to be done.
    """
    if not any(environ.get(name) for name in _ASKED_FOR):
        return BackupAudit(None)
    from aegis_multimodal_ai_system.orchestrator.audit_helper import open_log
    from aegis_multimodal_ai_system.settings import Settings

    return BackupAudit(open_log(Settings.from_environment(environ)))
