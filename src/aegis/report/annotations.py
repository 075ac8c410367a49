"""Findings as workflow commands, which GitHub shows on the lines of a pull request.

GitHub keeps ten annotations of each type a step and drops the rest without a word
(https://github.com/reviewdog/reviewdog/issues/411), so the tenth says how many more there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from aegis.core.verdict import Finding, Verdict
from aegis.report.escape import command_data, command_property
from aegis.report.headline import answer, cause, observed, title

LIMIT = 10
"""Annotations of one type that GitHub shows for a step."""

Level = Literal["error", "warning", "notice"]


def render(verdict: Verdict) -> list[str]:
    """The commands, one a line, to be printed to standard output."""
    enforced = verdict.result != "pass" and not observed(verdict)
    findings = _grouped(verdict.findings) if len(verdict.findings) > LIMIT else [(f, 1) for f in verdict.findings]
    lines = [_annotation("error" if enforced else "warning", finding, count) for finding, count in findings]
    if enforced and not lines:
        lines = [command("error", f"{title(verdict.reason)}. {cause(verdict)}", title=_title(verdict))]
    kept = _capped("error" if enforced else "warning", lines, verdict)
    notices = [command("notice", notice, title=verdict.gate) for notice in verdict.notices]
    return kept + _capped("notice", notices, verdict)


def command(level: Level, message: str, **properties: str | int | None) -> str:
    """One workflow command, e.g. `::error file=a.py,line=3::message`."""
    given = ",".join(f"{k}={command_property(str(v))}" for k, v in properties.items() if v is not None)
    return f"::{level} {given}::{command_data(message)}" if given else f"::{level}::{command_data(message)}"


def _grouped(findings: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """The first finding of each rule in each file, and how many there are of it."""
    first: dict[tuple[str, str | None], Finding] = {}
    count: dict[tuple[str, str | None], int] = {}
    for finding in findings:
        key = (finding.rule, finding.path)
        first.setdefault(key, finding)
        count[key] = count.get(key, 0) + 1
    return [(finding, count[key]) for key, finding in first.items()]


def _annotation(level: Level, finding: Finding, count: int) -> str:
    more = f"\n({count - 1} more of this rule in this file.)" if count > 1 else ""
    return command(
        level,
        f"{finding.message}\n{finding.remedy}{more}",
        file=finding.path,
        line=finding.line,
        col=finding.column,
        title=f"{finding.rule}: {title(finding.rule)}",
    )


def _capped(level: Level, lines: list[str], verdict: Verdict) -> list[str]:
    if len(lines) <= LIMIT:
        return lines
    kept = lines[: LIMIT - 1]
    rest = f"{len(lines) - len(kept)} more are in the step summary; GitHub shows {LIMIT} of a type for each step."
    return [*kept, command(level, rest, title=_title(verdict))]


def _title(verdict: Verdict) -> str:
    return f"{verdict.gate}: {answer(verdict)}"
