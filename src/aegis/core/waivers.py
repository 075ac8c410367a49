"""Exceptions with an end: how long one holds, and waivers, which let one finding through in plain sight."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aegis.core.policy import MAX_EXCEPTION_DAYS, Waiver
from aegis.core.verdict import AppliedWaiver, Finding

WARN_DAYS = 14
"""How long before its end an exception is announced: two weeks, so that a sprint has room for it."""

Term = Literal["holds", "expired", "too-long"]


@dataclass(frozen=True, slots=True)
class Waived:
    """What is left of the findings, and what the waivers did."""

    remaining: tuple[Finding, ...]
    applied: tuple[AppliedWaiver, ...]
    problems: tuple[Finding, ...]
    """Waivers that do not hold, as findings: these fail the gate."""
    notices: tuple[str, ...]


def term(expires: datetime.date, today: datetime.date) -> Term:
    """Whether an exception whose last day (UTC) is `expires` holds today."""
    if expires < today:
        return "expired"
    if (expires - today).days > MAX_EXCEPTION_DAYS:
        return "too-long"
    return "holds"


def ending(what: str, expires: datetime.date, today: datetime.date) -> str | None:
    """The announcement that an exception ends soon."""
    left = (expires - today).days
    if not 0 <= left <= WARN_DAYS:
        return None
    when = "today" if left == 0 else f"in {left} day{'' if left == 1 else 's'}, on {expires.isoformat()}"
    return f"{what} ends {when}"


def exception_fingerprint(rule: str, *facts: str) -> str:
    """The fingerprint of a finding about an exception itself."""
    return hashlib.sha256(json.dumps(["aegis-exception/v1", rule, *facts]).encode()).hexdigest()


def apply_waivers(
    findings: Sequence[Finding],
    waivers: Sequence[Waiver],
    *,
    gate: str,
    today: datetime.date,
    whole: bool,
    policy_path: str,
) -> Waived:
    """Let through by name what the waivers of this gate name exactly: the same rule and the same fingerprint.

    `whole`: these are all findings of the gate, so a waiver that matches none is no longer needed, and fails. A run
    over a part of the repository can't know that. A finding about an exception is never waived: give it none of those.
    """
    remaining = list(findings)
    applied: list[AppliedWaiver] = []
    problems: list[Finding] = []
    notices: list[str] = []
    for waiver in waivers:
        if waiver.gate != gate:
            continue
        fault = _fault(waiver, today)
        if fault is None:
            met = [each for each in remaining if (each.rule, each.fingerprint) == (waiver.rule, waiver.fingerprint)]
            remaining = [each for each in remaining if each not in met]
            applied += [_applied(waiver)] if met else []
            if whole and not met:
                fault = "matches no finding", "Delete the waiver."
            elif notice := ending(f"the waiver of {waiver.rule} ({waiver.fingerprint[:12]})", waiver.expires, today):
                notices.append(notice)
        if fault is not None:
            problems.append(_problem(waiver, *fault, policy_path))
    return Waived(tuple(remaining), tuple(applied), tuple(problems), tuple(notices))


def _fault(waiver: Waiver, today: datetime.date) -> tuple[str, str] | None:
    """Why a waiver does not hold, and the remedy."""
    renew = "Mend the finding, or renew the waiver in a reviewed change."
    if not waiver.owner.strip() or not waiver.reason.strip():
        return "has an empty owner or reason", "Say who answers for it, and why."
    match term(waiver.expires, today):
        case "expired":
            return f"expired on {waiver.expires.isoformat()}", renew
        case "too-long":
            return (
                f"ends on {waiver.expires.isoformat()}, more than {MAX_EXCEPTION_DAYS} days from now",
                f"Choose a date within {MAX_EXCEPTION_DAYS} days.",
            )
        case "holds":
            return None


def _applied(waiver: Waiver) -> AppliedWaiver:
    return AppliedWaiver(
        fingerprint=waiver.fingerprint,
        rule=waiver.rule,
        reason=waiver.reason,
        owner=waiver.owner,
        expires=waiver.expires.isoformat(),
    )


def _problem(waiver: Waiver, fault: str, remedy: str, policy_path: str) -> Finding:
    return Finding(
        rule="core.waiver_invalid",
        message=f"The waiver of {waiver.rule} with fingerprint {waiver.fingerprint} {fault}.",
        remedy=remedy,
        fingerprint=exception_fingerprint("core.waiver_invalid", waiver.gate, waiver.rule, waiver.fingerprint),
        path=policy_path,
    )
