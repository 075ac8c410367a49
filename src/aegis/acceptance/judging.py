"""A criterion's status from what its probes said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aegis.acceptance.catalogue import Criterion, Mode
from aegis.acceptance.result import Attempt, CriterionResult, Status
from aegis.core.codes import CODES
from aegis.core.errors import AegisError

_OWN_REASON = "Look at output.txt and probe.json of this probe in the evidence folder."
"""The remedy for codes that only a probe has."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A status with its reason."""

    status: Status
    reason: str
    message: str


def judge(attempts: Sequence[Attempt]) -> Judgement:
    """Pass only if the real thing passed, and each planted fault was seen for what it is.

    `attempts`: the positive one first. A fault counts as seen if the probe failed for a reason that the catalogue
    expects, at a check that passes without the fault.
    """
    if not attempts or not attempts[0].positive:
        return Judgement("error", "acceptance.probe_broken", "no probe was run")
    positive, *negatives = attempts
    if positive.result != "pass":
        return Judgement(positive.result, positive.reason, positive.message)
    if not negatives:
        return Judgement("error", "acceptance.probe_broken", "no fault was planted")
    for judgement in (_seen(negative, positive) for negative in negatives):
        if judgement is not None:
            return judgement
    faults = ", ".join(negative.name for negative in negatives)
    return Judgement("pass", "core.passed", f"{positive.message}; seen when planted: {faults}")


def _seen(negative: Attempt, positive: Attempt) -> Judgement | None:
    """None: the fault was seen."""
    if negative.result == "error":
        return Judgement("error", negative.reason, f"with {negative.name} planted: {negative.message}")
    if negative.result == "pass":
        problem = f"the probe passes with {negative.name} planted"
        return Judgement("fail", "acceptance.fault_unnoticed", problem)
    expected = " or ".join(negative.expected)
    if negative.reason not in negative.expected:
        problem = f"with {negative.name} planted the probe fails with {negative.reason}, expected {expected}"
        return Judgement("error", "acceptance.fault_misread", problem)
    good = {check.name for check in positive.checks if check.result == "pass"}
    telling = [check.name for check in negative.checks if check.result == "fail" and check.reason in negative.expected]
    if not good.intersection(telling):
        problem = f"with {negative.name} planted only {', '.join(telling)} fails, which is not checked without it"
        return Judgement("error", "acceptance.fault_misread", problem)
    return None


def judged(criterion: Criterion, mode: Mode, attempts: Sequence[Attempt]) -> CriterionResult:
    """The criterion's result."""
    judgement = judge(attempts)
    return _result(
        criterion, mode, judgement.status, judgement.reason, judgement.message, remedy_of(judgement.reason), attempts
    )


def stopped(criterion: Criterion, mode: Mode, error: AegisError, attempts: Sequence[Attempt] = ()) -> CriterionResult:
    """The result where something stood in the way of a probe that had begun."""
    return _result(criterion, mode, "error", error.code, error.problem, error.remedy, attempts)


def not_run(criterion: Criterion, mode: Mode, reason: str, message: str, remedy: str | None = None) -> CriterionResult:
    """The result where no probe was started."""
    return _result(criterion, mode, "not-run", reason, message, remedy or remedy_of(reason), ())


def remedy_of(reason: str) -> str:
    """What to do about a reason; nothing about a pass."""
    if reason == "core.passed":
        return ""
    return CODES[reason].remedy if reason in CODES else _OWN_REASON


def _result(
    criterion: Criterion,
    mode: Mode,
    status: Status,
    reason: str,
    message: str,
    remedy: str,
    attempts: Sequence[Attempt],
) -> CriterionResult:
    probe = criterion.probe(mode)
    return CriterionResult(
        id=criterion.id,
        title=criterion.title,
        runbook=criterion.runbook,
        status=status,
        reason=reason,
        message=message,
        remedy=remedy,
        simulated=probe.simulated if probe is not None else (),
        attempts=tuple(attempts),
    )
