"""From what a gate found to the verdict that it gives."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from aegis.core.codes import CODES
from aegis.core.errors import AegisError, UsageError
from aegis.core.policy_in_force import InForce
from aegis.core.verdict import AppliedWaiver, Evidence, Finding, PolicyInForce, Result, Source, Subject, Tool, Verdict

NOT_APPLICABLE = "Not applicable: "
"""How the notice begins that says why there was nothing to judge."""
PART = "pass of a part"
"""The decision where nothing is wrong with what alone was judged; as evidence it is none about the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a gate found; the same for every gate."""

    findings: tuple[Finding, ...] = ()
    waivers: tuple[AppliedWaiver, ...] = ()
    notices: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    not_applicable: str | None = None
    """Why there was nothing to judge."""
    part: str | None = None
    """What alone was judged, where that is not all that the policy in force is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who asks, about what, with which tool, since when."""

    gate: str
    subject: tuple[Subject, ...]
    source: Source
    tool: Tool
    started: datetime.datetime
    reproduce: str


def conclude(run: Run, outcome: Outcome, in_force: InForce, section: Any, finished: datetime.datetime) -> Verdict:
    """The verdict on an outcome. `section` is the gate's part of the policy as it was applied."""
    result, decision, reason = _answer(outcome, in_force.policy.mode, finished.date())
    notices = outcome.notices
    if outcome.not_applicable is not None:
        notices = (f"{NOT_APPLICABLE}{outcome.not_applicable}", *notices)
    if outcome.part is not None:
        notices = (f"Only a part was judged, and this is no answer about the rest: {outcome.part}", *notices)
    return _verdict(
        run,
        finished,
        result=result,
        decision=decision,
        reason=reason,
        policy=PolicyInForce(origin=in_force.origin, sha256=in_force.sha256, effective=msgspec.to_builtins(section)),
        evidence=outcome.evidence,
        findings=outcome.findings,
        waivers=outcome.waivers,
        notices=notices,
        bootstrap=in_force.bootstrap,
        observe=in_force.policy.mode != "enforce",
    )


def refuse(run: Run, error: AegisError, finished: datetime.datetime) -> Verdict:
    """The verdict where an error stood in the way: no answer, which means no."""
    misconfigured = isinstance(error, UsageError)
    message = f"{error.unplaced} (expected: {error.expected})"
    finding = Finding(
        rule=error.code,
        message=message,
        remedy=error.remedy,
        fingerprint=fingerprint_of(error.code, error.problem),
        cause="your-change" if misconfigured else "could-not-decide",
        path=error.place[0] if error.place else None,
        line=error.place[1] if error.place else None,
        column=error.place[2] if error.place else None,
    )
    return _verdict(
        run,
        finished,
        result="error",
        decision="misconfigured" if misconfigured else "could-not-decide",
        reason=error.code,
        policy=PolicyInForce(origin="unknown", sha256="", effective={}),
        findings=(finding,),
    )


def of_loosening(what: str, policy_file: str) -> Finding:
    """Something that the change would let through from now on."""
    return Finding(
        rule="core.policy_loosened",
        message=f"the change loosens the policy: {what}",
        remedy=CODES["core.policy_loosened"].remedy,
        fingerprint=fingerprint_of("core.policy_loosened", what),
        path=policy_file,
        line=1,
    )


def fingerprint_of(*parts: str) -> str:
    """SHA-256 over parts that are kept apart by their lengths."""
    return hashlib.sha256(
        "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogateescape")
    ).hexdigest()


def _answer(outcome: Outcome, mode: str, today: datetime.date) -> tuple[Result, str, str]:
    if mode != "enforce":
        if today.isoformat() > mode.rpartition(" ")[2]:
            return "error", "misconfigured", "core.observe_expired"
        return ("fail", "observed", "core.findings") if outcome.findings else ("error", "observed", "core.observed")
    open_questions = [f for f in outcome.findings if f.cause == "could-not-decide"]
    if len(open_questions) < len(outcome.findings):
        return "fail", "fail", "core.findings"
    if open_questions:
        return "error", "could-not-decide", open_questions[0].rule
    if outcome.not_applicable is not None:
        return "pass", "not-applicable", "core.not_applicable"
    if outcome.waivers:
        return "pass", "pass with waiver", "core.passed"
    return "pass", "pass" if outcome.part is None else PART, "core.passed"


def _verdict(run: Run, finished: datetime.datetime, **answer: Any) -> Verdict:
    return Verdict(
        gate=run.gate,
        subject=run.subject,
        tool=run.tool,
        source=run.source,
        started=_rfc3339(run.started),
        finished=_rfc3339(finished),
        reproduce=run.reproduce,
        **answer,
    )


def _rfc3339(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
