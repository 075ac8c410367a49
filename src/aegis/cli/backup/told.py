"""The answer of a restore for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from aegis.backup.drill import PHASES, DrillResult
from aegis.report.escape import terminal

_SHOWN = 20
"""Differences; the rest is counted."""


def document(result: DrillResult, address: str) -> str:
    """As JSON. Of differences there are the names of tables and their counts, never rows."""
    found = {
        "outcome": result.outcome,
        "reason": result.reason,
        "problem": result.problem,
        "remedy": result.remedy,
        "address": address,
        "backup": result.backup,
        "manifest_sha256": result.manifest_sha256,
        "snapshot_time": result.snapshot_time,
        "tier": result.tier,
        "equality": result.equality,
        "differences": [
            {"rule": each.rule, "what": each.what, "expected": each.expected, "found": each.found}
            for each in result.differences
        ],
        "smoke": [{"name": each.name, "ok": each.ok, "said": each.said} for each in result.smoke],
        "seconds": {phase: round(result.seconds[phase], 3) for phase in PHASES if phase in result.seconds},
        "restore_seconds": round(restore_seconds(result), 3),
        "size": result.size,
        "engine": result.engine,
        "isolated": result.isolated,
        "not_run": list(result.not_run),
        "notices": list(result.notices),
    }
    return json.dumps(found, indent=2) + "\n"


def lines(result: DrillResult, address: str, *, headline: str = "") -> str:
    """As text."""
    return "".join(f"{terminal(line)}\n" for line in _lines(result, address, headline))


def restore_seconds(result: DrillResult) -> float:
    """What a person waits for in an emergency (RTO): all phases but the comparison."""
    return sum(seconds for phase, seconds in result.seconds.items() if phase != "compare")


def _lines(result: DrillResult, address: str, headline: str) -> Iterator[str]:
    yield headline or f"{result.outcome}: {result.tier.upper()}, equality {result.equality} ({result.reason})"
    yield address
    if result.problem:
        yield f"problem: {result.problem}"
        yield f"next: {result.remedy}"
    if result.snapshot_time:
        # a database of somebody's is no place of ours that could be isolated
        where = (" (isolated)" if result.isolated else " (NOT ISOLATED)") if "engine" in result.seconds else ""
        engine = f", restored by PostgreSQL {result.engine}{where}" if result.engine else ""
        yield f"snapshot {result.snapshot_time}, {result.size:,} bytes{engine}"
    for difference in result.differences[:_SHOWN]:
        yield f"differs: {difference.what}: {difference.expected} expected, {difference.found} found"
    if len(result.differences) > _SHOWN:
        yield f"differs: {len(result.differences) - _SHOWN} more"
    for answer in result.smoke:
        yield f"{'ok' if answer.ok else 'NOT OK'}: {answer.name}: {answer.said}"
    if result.seconds:
        phases = ", ".join(f"{phase} {result.seconds[phase]:.1f} s" for phase in PHASES if phase in result.seconds)
        yield f"{phases}; restore time (all but compare) {restore_seconds(result):.1f} s"
    for left in result.not_run:
        yield f"NOT RUN: {left}"
    for notice in result.notices:
        yield f"note: {notice}"
