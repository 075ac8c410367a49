"""A verdict as a GitHub step summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aegis.core.verdict import Finding, Verdict
from aegis.report import backups, canary, gates
from aegis.report.escape import markdown, markdown_code
from aegis.report.headline import answer, cause, observed, remedies, title

LIMIT = 1_048_576
"""Bytes that GitHub takes for a step's summary; it refuses the whole of a longer one
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions#step-isolation-and-limits)."""

_LISTED = 20
"""Notices or remedies that are shown; a character of a value takes at most 14 bytes here, so all fit into the limit."""


def render(verdict: Verdict, limit: int = LIMIT) -> str:
    """The summary: whose cause it is first, the command that reproduces it last, at most `limit` bytes."""
    head = [*_head(verdict), *gates.section(verdict), *backups.section(verdict), *canary.section(verdict)]
    tail = _tail(verdict)
    room = limit - _size(head) - _size(tail)
    waivers = _table(("Waived rule", "Until", "Owner", "Reason"), _waivers(verdict), room // 4)
    findings = _table(("Place", "Rule", "What is wrong"), _findings(verdict.findings), room - _size(waivers))
    return "\n".join([*head, *findings, *waivers, *tail]) + "\n"


def _head(verdict: Verdict) -> list[str]:
    lines = [
        f"## {markdown(verdict.gate)}: {answer(verdict)}. {markdown(cause(verdict))}",
        "",
        f"{markdown_code(verdict.reason)}: {markdown(title(verdict.reason))}. Findings: {len(verdict.findings)}.",
        "",
    ]
    if observed(verdict):
        lines += [
            "> [!WARNING]",
            "> **Observed only.** `mode: observe` is on: this is no pass, and nothing may rely on it.",
            "",
        ]
    if verdict.bootstrap:
        lines += [
            "> [!IMPORTANT]",
            "> **Bootstrap.** The base commit has no policy, so this change's own was used.",
            "> Let CODEOWNERS own the policy file: from now on its owners must see every change of it.",
            "",
        ]
    return lines


def _tail(verdict: Verdict) -> list[str]:
    lines: list[str] = []
    lines += _list("Notices", [markdown(_short(notice)) for notice in verdict.notices])
    todo = [f"{markdown_code(_short(rule))}: {markdown(_short(text))}" for rule, text in remedies(verdict)]
    lines += _list("What to do", todo)
    source, policy, tool = verdict.source, verdict.policy, verdict.tool
    facts = {
        "commit": source.commit,
        "base": source.base,
        "policy": f"{policy.origin} (sha256 {policy.sha256[:12]})",
        "tool": f"{tool.name} {tool.version} (sha256 {tool.digest[:12]})",
    }
    lines += [", ".join(f"{name} {markdown_code(_short(value))}" for name, value in facts.items() if value), ""]
    command = markdown_code(verdict.reproduce) if verdict.reproduce else "not available"
    return [*lines, f"Reproduce: {command}"]


def _list(heading: str, items: Sequence[str]) -> list[str]:
    """A short list: unlike the tables, it stands outside the room that is measured out."""
    if not items:
        return []
    rest = [f"- and {len(items) - _LISTED} more in `verdict.json`"] if len(items) > _LISTED else []
    return [f"### {heading}", "", *(f"- {item}" for item in items[:_LISTED]), *rest, ""]


def _findings(findings: Sequence[Finding]) -> Iterable[tuple[str, ...]]:
    for finding in findings:
        where = ":".join(str(part) for part in (finding.path, finding.line) if part is not None)
        yield (
            markdown_code(_short(where)) if where else "",
            markdown_code(_short(finding.rule)),
            markdown(_short(finding.message)),
        )


def _waivers(verdict: Verdict) -> Iterable[tuple[str, ...]]:
    for waiver in verdict.waivers:
        yield (
            markdown_code(_short(waiver.rule)),
            markdown(_short(waiver.expires)),
            markdown(_short(waiver.owner)),
            markdown(_short(waiver.reason)),
        )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]], room: int) -> list[str]:
    """The rows that fit into `room` bytes, then how many did not."""
    every = list(rows)
    if not every:
        return []
    lines = [_row(header), _row(("---",) * len(header))]
    room -= _size(lines) + 200  # the sentence about the rest
    for row in every:
        line = _row(row)
        room -= _size([line])
        if room < 0:
            break
        lines.append(line)
    left_out = len(every) - (len(lines) - 2)
    if left_out:
        said = f"**{left_out} of {len(every)} rows are left out**, since GitHub takes 1 MiB a step"
        lines += ["", f"{said}; `verdict.json` has them all."]
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines)


def _short(text: str, limit: int = 1_000) -> str:
    """A cell that a reader can take in; the whole text is in `verdict.json`."""
    return text if len(text) <= limit else f"{text[:limit]} …"
