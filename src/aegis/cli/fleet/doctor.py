"""`aegis fleet doctor`: what `aegis doctor` finds, for each repository."""

from __future__ import annotations

from collections import Counter

from aegis.adapters.github.fleet import GitHubCode, Listed
from aegis.adapters.github.settings import GitHubSettings
from aegis.cli.doctor.command import examine
from aegis.cli.fleet.fleet import Fleet
from aegis.cli.fleet.snapshot import snapshot
from aegis.scaffold.fleet import Report, Row, State


def run(fleet: Fleet) -> Report:
    """Run the command."""
    return fleet.each(fleet.meant(), lambda listed: _judged(fleet, listed))


def _judged(fleet: Fleet, listed: Listed) -> Row:
    code = GitHubCode(listed.full_name, fleet.rest)
    head = code.tip(listed.default_branch)
    if head is None:
        return Row(repository=listed.full_name, state=State.EXCLUDED, detail="it is empty")
    settings = None if fleet.arguments.no_settings else GitHubSettings(listed.full_name, fleet.rest)
    with snapshot(code, head.tree) as there:
        found, looked = examine(there.root, fleet.arguments.aegis, settings)
    gates = sorted({gate for workflow in looked.facts.workflows for job in workflow.judging() for gate in job.gates})
    counts = Counter(each.code for each in found)
    words = ", ".join(f"{number} {rule}" for rule, number in sorted(counts.items()))
    return Row(
        repository=listed.full_name,
        state=State.FOUND if found else State.WELL,
        detail=words or f"gates: {', '.join(gates)}",
        code="doctor.found" if found else None,
        commit=head.sha,
    )
