"""A verdict for a terminal or a build log: plain lines, no colour."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.core.verdict import Finding, Verdict
from aegis.report import canary, gates
from aegis.report.escape import terminal
from aegis.report.headline import answer, cause, remedies, title


def render(verdict: Verdict) -> str:
    """All lines, ending in the command that reproduces the answer."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield f"{terminal(verdict.gate)}: {answer(verdict)}. {cause(verdict)}"
    if verdict.result != "pass":
        yield f"reason: {terminal(verdict.reason)}: {terminal(title(verdict.reason))}"
    if verdict.bootstrap:
        yield "bootstrap: the base commit has no policy, so this change's own was used."
    yield from (f"gate: {line}" for line in gates.lines(verdict))
    yield from (place(finding) for finding in verdict.findings)
    yield from (
        f"waived: {terminal(w.rule)} until {terminal(w.expires)} by {terminal(w.owner)}: {terminal(w.reason)}"
        for w in verdict.waivers
    )
    yield from (f"metric: {terminal(line)}" for line in canary.lines(verdict))
    yield from (f"note: {terminal(notice)}" for notice in verdict.notices)
    yield from (f"next: {terminal(rule)}: {terminal(remedy)}" for rule, remedy in remedies(verdict))
    if verdict.reproduce:
        yield f"reproduce: {terminal(verdict.reproduce)}"


def place(finding: Finding) -> str:
    """`path:line:column: rule: message`, the form that editors jump to."""
    parts = [finding.path or "-", finding.line, finding.column]
    where = ":".join(str(part) for part in parts if part is not None)
    return f"{terminal(where)}: {terminal(finding.rule)}: {terminal(finding.message)}"
