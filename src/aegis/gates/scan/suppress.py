"""Suppressions: known uses that the policy lets through for a time, each with a place, an owner, a reason and an end.

They stand in the policy file and nowhere else. Comments in the code (`nosemgrep`, `noqa`) never count: whoever can
write the code could write them too.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from aegis.core.globs import WILDCARDS
from aegis.core.policy import MAX_EXCEPTION_DAYS, Suppression
from aegis.core.verdict import Finding
from aegis.core.waivers import ending, exception_fingerprint, term
from aegis.gates.scan.fingerprint import rule_of
from aegis.gates.scan.model import CLASSES

RULES = frozenset({*map(rule_of, CLASSES), "scan.not_analysed", "scan.engine_mismatch"})
"""What can be suppressed: what is found in a file. Never a finding about the policy's own exceptions."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What is left of the findings, and what the suppressions did."""

    remaining: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...]
    problems: tuple[Finding, ...]
    """Suppressions that do not hold, as findings: these fail the gate."""
    notices: tuple[str, ...]


def apply_suppressions(
    findings: Sequence[Finding],
    suppressions: Sequence[Suppression],
    *,
    today: datetime.date,
    whole: bool,
    policy_path: str,
) -> Suppressed:
    """Let through what a suppression names: its rule in its file, and with a fingerprint only that one use.

    `whole`: these are all findings of the repository, so a suppression that matches none is no longer needed, and
    fails. A run over a part of it, or against a base commit, can't know that. An entry with a fingerprint comes before
    one for the whole file; what two entries match is counted for the first.
    """
    remaining = list(findings)
    suppressed: list[tuple[Finding, Suppression]] = []
    problems: list[Finding] = []
    notices: list[str] = []
    for entry in sorted(suppressions, key=lambda entry: entry.fingerprint is None):
        fault = _fault(entry, today)
        if fault is None:
            met = [finding for finding in remaining if _matches(entry, finding)]
            remaining = [finding for finding in remaining if not _matches(entry, finding)]
            suppressed += [(finding, entry) for finding in met]
            if whole and not met:
                fault = "scan.suppression_unused", "matches nothing", "Delete the entry."
            elif notice := ending(f"the suppression of {entry.rule} in {entry.path}", entry.expires, today):
                notices.append(notice)
        if fault is not None:
            problems.append(_problem(entry, *fault, policy_path))
    return Suppressed(tuple(remaining), tuple(suppressed), tuple(problems), tuple(notices))


def _matches(entry: Suppression, finding: Finding) -> bool:
    same_use = entry.fingerprint is None or entry.fingerprint == finding.fingerprint
    return same_use and (entry.rule, entry.path) == (finding.rule, finding.path)


def _fault(entry: Suppression, today: datetime.date) -> tuple[str, str, str] | None:
    """Why an entry does not hold: code, what is wrong, and the remedy."""
    if wrong := _incomplete(entry):
        return "scan.suppression_invalid", wrong, "Complete the entry in `scan.suppressions`."
    match term(entry.expires, today):
        case "expired":
            remedy = "Mend the use, or renew the entry in a reviewed change."
            return "scan.suppression_expired", f"expired on {entry.expires.isoformat()}", remedy
        case "too-long":
            wrong = f"ends on {entry.expires.isoformat()}, more than {MAX_EXCEPTION_DAYS} days from now"
            return "scan.suppression_too_long", wrong, f"Choose a date within {MAX_EXCEPTION_DAYS} days."
        case "holds":
            return None


def _incomplete(entry: Suppression) -> str | None:
    if entry.rule not in RULES:
        return f"names the rule {entry.rule!r}, which is none of {', '.join(sorted(RULES))}"
    segments = entry.path.split("/")
    if any(char in WILDCARDS for char in entry.path) or any(part in {"", ".", ".."} for part in segments):
        return f"names {entry.path!r}, which is not one file relative to the repository's root"
    if not entry.owner.strip() or not entry.reason.strip():
        return "has an empty owner or reason"
    return None


def _problem(entry: Suppression, code: str, wrong: str, remedy: str, policy_path: str) -> Finding:
    facts = entry.rule, entry.path, entry.fingerprint or "", entry.expires.isoformat()
    return Finding(
        rule=code,
        message=f"The suppression of {entry.rule} in {entry.path} (owner: {entry.owner}) {wrong}.",
        remedy=remedy,
        fingerprint=exception_fingerprint(code, *facts),
        path=policy_path,
    )
