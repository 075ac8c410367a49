"""Acceptance runs that are made up: for what renders them, and for what judges them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aegis.acceptance import result
from aegis.acceptance.result import Acceptance, Attempt, CatalogueUsed, CheckSeen, CriterionResult, Status
from aegis.core.verdict import Tool

STARTED, FINISHED = "2026-11-26T10:00:00.000Z", "2026-11-26T10:00:12.500Z"
LOOKS = [
    {"minute": minute, "log_ratio": 1.6 + math.sin(minute) / 4, "low": 1.6 - 3 / minute, "high": 1.6 + 3 / minute}
    for minute in range(1, 9)
]
RESTORES = [{"finished": f"2026-11-2{day}T03:00:00Z", "seconds": 30.0 + day, "bytes": 1 << 20} for day in range(1, 7)]


def check(name: str = "looked", reason: str | None = None, detail: str = "what was seen") -> CheckSeen:
    """One check; with a reason it failed."""
    return CheckSeen(name=name, result="fail" if reason else "pass", detail=detail, reason=reason)


def attempt(
    name: str = "positive",
    *checks: CheckSeen,
    expected: Sequence[str] = (),
    error: str | None = None,
    facts: dict[str, Any] | None = None,
) -> Attempt:
    """One probe that ended with these checks (default: a good one), or without an answer."""
    seen = () if error else checks or (check(),)
    reasons = [each.reason for each in seen if each.reason]
    return Attempt(
        name=name,
        fault=name if expected else None,
        plants=f"{name} is planted" if expected else "",
        expected=tuple(expected),
        result="error" if error else "fail" if reasons else "pass",
        reason=error or (reasons[0] if reasons else "core.passed"),
        message="what came of it",
        command="python acceptance/local/a1_scan.py",
        exit_code=None if error else 1 if reasons else 0,
        started=STARTED,
        finished=FINISHED,
        checks=seen,
        facts=facts or {},
    )


def criterion(
    name: str, status: Status = "pass", *attempts: Attempt, reason: str = "core.passed", message: str = "it is so"
) -> CriterionResult:
    """One criterion."""
    return CriterionResult(
        id=name,
        title=f"The criterion {name}",
        runbook=("Run scanner: zero findings.",),
        status=status,
        reason=reason,
        message=message,
        remedy="" if status == "pass" else "Do something about it.",
        simulated=("the cloud is a server on this machine",),
        attempts=attempts,
    )


def run(*criteria: CriterionResult, **changes: Any) -> Acceptance:
    """A whole run of these criteria."""
    asked = tuple(one.id for one in criteria)
    whole = Acceptance(
        mode="local",
        asked=asked,
        planted=(),
        commit="a" * 40,
        uncommitted=False,
        catalogue=CatalogueUsed(origin="acceptance/catalogue.yml", sha256="b" * 64),
        config_sha256=None,
        tool=Tool(name="aegis", version="1.0.0", digest="c" * 64),
        versions={"python": "3.11.2"},
        command="aegis acceptance --mode local",
        started=STARTED,
        finished=FINISHED,
        criteria=criteria,
        result=result.overall(criteria, asked),
        accepted=result.accepted(criteria, planted=(), commit="a" * 40, uncommitted=False),
        text="",
    )
    whole = replace(whole, **changes)
    return replace(whole, text=result.said(whole))


def mixed() -> Acceptance:
    """One of each status, with the curves of a canary and of restores."""
    seen = attempt("planted-fault", check(reason="probe.not_rolled_back"), expected=["probe.not_rolled_back"])
    return run(
        criterion("A1", "pass", attempt(facts={"restores": RESTORES}), seen),
        criterion("A2", "fail", attempt("positive", check(reason="scan.runtime")), reason="scan.runtime"),
        criterion("A3", "error", attempt(error="acceptance.probe_broken"), reason="acceptance.probe_broken"),
        criterion("A4", "not-run", reason="acceptance.precondition_missing", message="install helm"),
        criterion("A5", "pass", attempt(facts={"canary_looks": LOOKS}), seen),
    )
