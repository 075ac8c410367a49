"""What was seen of backups as metrics, in Prometheus' text format.

A scheduler that is dead reports nothing, so its alarm must be another system's: these are written by whoever checks,
and the alert fires by their age, or since they are absent. The limits of the policy are metrics too: the rules need no
copy of them.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aegis.backup.freshness import Shelf
from aegis.core.errors import AegisError
from aegis.core.policy import BackedUp, minutes

_HELP: Final = {
    "aegis_backup_last_proven_timestamp_seconds": "When a restore was last proven equal to its snapshot; 0 for never.",
    "aegis_backup_last_snapshot_timestamp_seconds": "When the newest backup's snapshot was taken; 0 for none.",
    "aegis_backup_size_bytes": "Of the newest backup's objects.",
    "aegis_backup_restore_seconds": "Of the last proven restore, without its comparison (RTO).",
    "aegis_backup_max_age_seconds": "How old the newest snapshot may be (RPO).",
    "aegis_backup_max_proof_age_seconds": "How long ago the last proof may be.",
    "aegis_backup_check_outcome": "Of the last check: 0 pass, 1 fail, 3 could not verify.",
    "aegis_backup_checked_timestamp_seconds": "When it was checked last.",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One database and what was seen of its backups."""

    database: BackedUp
    shelf: Shelf | None
    """None where nothing could be seen."""
    error: AegisError | None = None
    """Why."""

    @property
    def problems(self) -> tuple[AegisError, ...]:
        """All that stands against passing."""
        seen = self.shelf.problems if self.shelf is not None else ()
        return (*seen, *([self.error] if self.error is not None else ()))

    @property
    def outcome(self) -> int:
        """As an exit code; what could not be decided counts more than a failure."""
        return max((problem.exit_code for problem in self.problems), default=0)


def exposition(checked: Sequence[Checked], now: datetime) -> str:
    """All metrics of these databases. Where stores did not answer, nothing is said of what they hold."""
    series: dict[str, list[str]] = {name: [] for name in _HELP}
    for each in checked:
        label = f'{{database="{each.database.name}"}}'  # names of policies need no escape
        for name, value in _values(each, now).items():
            series[name].append(f"{name}{label} {value:.15g}\n")
    return "".join(
        f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n{''.join(lines)}" for name, lines in series.items() if lines
    )


def _values(each: Checked, now: datetime) -> dict[str, float]:
    values: dict[str, float] = {
        "aegis_backup_max_age_seconds": 60 * minutes(each.database.max_age),
        "aegis_backup_max_proof_age_seconds": 60 * minutes(each.database.max_proof_age),
        "aegis_backup_check_outcome": each.outcome,
        "aegis_backup_checked_timestamp_seconds": round(now.timestamp(), 3),
    }
    shelf = each.shelf
    if shelf is None:
        return values
    proof, manifest = shelf.proof, shelf.manifest
    values["aegis_backup_last_proven_timestamp_seconds"] = round(proof.finished_at.timestamp(), 3) if proof else 0
    values["aegis_backup_last_snapshot_timestamp_seconds"] = (
        round(datetime.fromisoformat(manifest.snapshot.time).timestamp(), 3) if manifest else 0
    )
    if manifest is not None:
        values["aegis_backup_size_bytes"] = shelf.size
    if proof is not None:
        values["aegis_backup_restore_seconds"] = round(proof.restore_seconds, 3)
    return values
