"""An acceptance run as a step summary."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.acceptance.result import Acceptance, CriterionResult
from aegis.report.escape import markdown, markdown_code

_LONGEST = 1_000
"""Characters of a message; the whole is in `acceptance.json`. 99 criteria fit into GitHub's 1 MiB a step so."""


def render(run: Acceptance) -> str:
    """The summary: the answer, a row a criterion, what to do."""
    lines = [
        f"## Acceptance: {'all accepted' if run.accepted else 'not accepted'}",
        "",
        f"{markdown(run.text)}.",
        "",
        "| | Criterion | Result | Probes | Why |",
        "| --- | --- | --- | --- | --- |",
        *(_row(one) for one in run.criteria),
        "",
    ]
    todo = [one for one in run.criteria if one.remedy]
    if todo:
        lines += [
            "### What to do",
            "",
            *(f"- {one.id}, {markdown_code(one.reason)}: {_cell(one.remedy)}" for one in todo),
        ]
        lines.append("")
    return "\n".join([*lines, *_facts(run)]) + "\n"


def _row(one: CriterionResult) -> str:
    probes = "<br>".join(
        f"{markdown_code(attempt.name)}: {attempt.result}"
        + (" as expected" if not attempt.positive and attempt.reason in attempt.expected else "")
        for attempt in one.attempts
    )
    kept = " (kept)" if one.kept else ""
    cells = (
        one.id,
        _cell(one.title),
        f"**{one.status}**{kept}",
        probes,
        f"{markdown_code(one.reason)} {_cell(one.message)}",
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return markdown(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …")


def _facts(run: Acceptance) -> Iterator[str]:
    known = {
        "commit": run.commit,
        "catalogue": f"{run.catalogue.origin} (sha256 {run.catalogue.sha256[:12]})",
        "tool": f"{run.tool.name} {run.tool.version} (sha256 {run.tool.digest[:12]})",
        "finished": run.finished,
    }
    yield ", ".join(f"{name} {markdown_code(value)}" for name, value in known.items() if value)
    yield ""
    yield f"Reproduce: {markdown_code(run.command)}"
