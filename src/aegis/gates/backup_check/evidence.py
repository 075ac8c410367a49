"""What the verdict keeps of one database: outcome, RPO, RTO by phase, how much was proven, and where it is heading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from aegis.backup.drill import PHASES, DrillResult
from aegis.backup.freshness import Shelf
from aegis.backup.records import Record
from aegis.backup.trend import trend
from aegis.core.policy import BackedUp, minutes
from aegis.core.verdict import Finding

_SIZES: Final = (2, 10)
"""Multiples of the newest size for which the trend is drawn out."""
NOT_RESTORED: Final = "a restore in this run; what is shown is what the records say"


def evidence_of(
    database: BackedUp, shelf: Shelf | None, drill: DrillResult | None, findings: Sequence[Finding]
) -> dict[str, Any]:
    """As plain values. Ages and times in seconds, sizes in bytes; null is unknown, never guessed."""
    limits = {
        "rpo_limit": 60 * minutes(database.max_age),
        "proof_limit": 60 * minutes(database.max_proof_age),
        "rto_limit": 60 * minutes(database.max_restore) if database.max_restore is not None else None,
        "tier_wanted": database.tier,
    }
    known: dict[str, Any] = {"name": database.name, "outcome": _outcome(findings), **limits}
    if shelf is not None:
        known |= {
            "backups": len(shelf.backups),
            "newest": shelf.newest.id if shelf.newest is not None else None,
            "manifest_sha256": shelf.manifest_sha256 or None,
            "size": shelf.size,
            "rpo": _seconds(shelf.age),
            "proof": _proof(shelf.proof, shelf.proof_age),
            "trend": _trend(shelf.records),
        }
    known["drill"] = _drill(drill) if drill is not None else None
    known["not_run"] = list(drill.not_run) if drill is not None else [NOT_RESTORED]
    return known


def _outcome(findings: Sequence[Finding]) -> str:
    if not findings:
        return "PASS"
    return "COULD NOT VERIFY" if all(each.cause == "could-not-decide" for each in findings) else "FAIL"


def _proof(record: Record | None, age: timedelta | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "backup": record.backup,
        "manifest_sha256": record.manifest_sha256,
        "age": _seconds(age),
        "tier": record.tier,
        "equality": record.equality,
        "smoke": [{"name": each.name, "ok": each.ok} for each in record.smoke],
        "rto": round(record.restore_seconds, 3),
        "seconds": {phase: record.seconds[phase] for phase in PHASES if phase in record.seconds},
        "engine": record.engine,
        "isolated": record.isolated,
        "run_url": record.run_url or None,
    }


def _drill(result: DrillResult) -> dict[str, Any]:
    rules = sorted({each.rule for each in result.differences})
    return {
        "outcome": result.outcome,
        "reason": result.reason,
        "backup": result.backup or None,
        "manifest_sha256": result.manifest_sha256 or None,
        "tier": result.tier,
        "equality": result.equality,
        "differences": {rule: sum(each.rule == rule for each in result.differences) for rule in rules},
        "smoke": [{"name": each.name, "ok": each.ok} for each in result.smoke],
        "rto": round(sum(seconds for phase, seconds in result.seconds.items() if phase != "compare"), 3),
        "seconds": {phase: round(result.seconds[phase], 3) for phase in PHASES if phase in result.seconds},
        "engine": result.engine,
        "isolated": result.isolated,
    }


def _trend(records: Sequence[Record]) -> dict[str, Any] | None:
    shown = trend(records)
    if shown is None:
        return None
    size = shown.points[-1].size
    return {
        "tier": shown.tier,
        "points": [
            {"finished": point.finished.isoformat(), "rto": round(point.seconds, 3), "size": point.size}
            for point in shown.points
        ],
        "formula": shown.formula,
        "growth_per_day": round(shown.growth),
        "rto_in_90_days": round(shown.seconds_in(90), 3),
        "rto_at": [{"size": size * times, "rto": round(shown.seconds_at(size * times), 3)} for times in _SIZES],
    }


def _seconds(span: timedelta | None) -> float | None:
    return round(span.total_seconds(), 3) if span is not None else None
