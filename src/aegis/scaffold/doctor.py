"""What is missing or weak in a repository's own files, so that a gate could be passed by, or wait for ever.

Pure rules over workflows, policies and CODEOWNERS; each finding has a code of the registry, which holds its remedy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.policy import Policy
from aegis.scaffold import codeowners
from aegis.scaffold.choices import GATES
from aegis.scaffold.jobs import FOLDER, Job, Workflow, collector, deciding, is_always


@dataclass(frozen=True, slots=True, order=True)
class Weakness:
    """One thing to mend."""

    path: str
    """Of the file; of what GitHub holds, `github`."""
    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is looked at."""

    workflows: tuple[Workflow, ...]
    policies: Mapping[str, Policy]
    """By path; those that can be read."""
    codeowners: tuple[str, str] | None
    """Path and text."""
    aegis: str
    """Repository of the actions."""
    files: tuple[str, ...] = ()
    """Others that decide what may be merged, e.g. `aegis.lock`."""


def weaknesses(facts: Facts) -> list[Weakness]:
    """All of them, by place."""
    found = [*_gates(facts), *_checks(facts), *_ownership(facts), *_policies(facts)]
    for workflow in facts.workflows:
        found += [*_triggers(workflow), *_schedules(workflow), *_rights(workflow), *_jobs(workflow)]
        found += _pins(workflow, facts.aegis)
    return sorted(set(found))


def _gates(facts: Facts) -> Iterator[Weakness]:
    """A gate that a policy names and no workflow runs."""
    run = {gate for workflow in facts.workflows for job in workflow.judging() for gate in job.gates}
    for path, policy in facts.policies.items():
        for gate in named(policy):
            if gate not in run:
                yield Weakness(path, 1, "doctor.gate_not_run", f"no workflow runs the gate {gate}")
    if not facts.policies:
        yield Weakness("aegis.yml", 1, "doctor.no_policy", "there is no policy")


def named(policy: Policy) -> tuple[str, ...]:
    """The gates that a policy names."""
    return tuple(gate for gate in GATES if getattr(policy, gate.replace("-", "_")) is not None)


def _checks(facts: Facts) -> Iterator[Weakness]:
    """Checks of one name from several jobs: either of them satisfies the rule."""
    names = [(job.check, workflow, job) for workflow in facts.workflows for job in workflow.jobs]
    several = Counter(check for check, _, _ in names)
    for check, workflow, job in names:
        if check is not None and several[check] > 1 and any(job in deciding(each) for each in facts.workflows):
            yield Weakness(workflow.path, job.line, "doctor.check_ambiguous", f"{several[check]} jobs report {check!r}")


def _triggers(workflow: Workflow) -> Iterator[Weakness]:
    """Of the workflows whose checks are required: runs that never come, and runs with others' code and our rights."""
    path = workflow.path
    if "pull_request_target" in workflow.triggers:
        yield Weakness(
            path, workflow.lines["pull_request_target"], "doctor.pull_request_target", "`pull_request_target`"
        )
    if not workflow.judging() or "pull_request" not in workflow.triggers:
        return
    if "merge_group" not in workflow.triggers:
        yield Weakness(
            path, workflow.lines["pull_request"], "doctor.no_merge_group", "no `merge_group` among the triggers"
        )
    for event in ("pull_request", "merge_group"):
        filters = workflow.triggers.get(event)
        for name in ("paths", "paths-ignore", "branches", "branches-ignore", "types"):
            if isinstance(filters, dict) and name in filters and not _harmless(name, filters[name]):
                yield Weakness(path, workflow.lines[event], "doctor.filtered", f"`{event}` is filtered by `{name}`")


def _harmless(name: str, value: Any) -> bool:
    """Types that hold every change of a pull request's code; what is beside them may be there."""
    return name == "types" and isinstance(value, list) and {"opened", "synchronize", "reopened"} <= set(map(str, value))


def _schedules(workflow: Workflow) -> Iterator[Weakness]:
    """Runs that GitHub delays or drops, and that nobody can start by hand."""
    schedules = workflow.triggers.get("schedule")
    if not workflow.judging() or not isinstance(schedules, list):
        return
    line = workflow.lines["schedule"]
    for each in schedules:
        cron = str(each.get("cron", "")) if isinstance(each, dict) else ""
        if re.match(r"(0|00|\*(/\d+)?)\s", cron):
            yield Weakness(workflow.path, line, "doctor.full_hour", f"the schedule {cron!r} begins at full hours")
    if "workflow_dispatch" not in workflow.triggers:
        yield Weakness(workflow.path, line, "doctor.no_dispatch", "a schedule without `workflow_dispatch`")


def _rights(workflow: Workflow) -> Iterator[Weakness]:
    """Tokens that may do more than a check needs."""
    top = workflow.keys.get("permissions", "unsaid")
    for job in workflow.jobs:
        given = job.keys.get("permissions", top)
        if given == "unsaid":
            yield Weakness(
                workflow.path, job.line, "doctor.permissions_unsaid", f"no `permissions` for the job {job.id!r}"
            )
        elif given == "write-all":
            yield Weakness(workflow.path, job.line, "doctor.permissions_wide", f"`write-all` for the job {job.id!r}")
        elif job.gates and isinstance(given, dict):
            wide = [right for right, level in given.items() if level == "write" and right not in _NEEDED]
            for right in sorted(wide):
                yield Weakness(workflow.path, job.line, "doctor.permissions_wide", f"`{right}: write` beside a gate")


_NEEDED = frozenset({"id-token", "security-events", "issues", "attestations"})
"""What a gate may need to write: credentials, findings, the issue of a failed run, a signed verdict."""


def _jobs(workflow: Workflow) -> Iterator[Weakness]:
    """Jobs that run a gate, or collect, and may be green without it."""
    last = collector(workflow)
    for job in workflow.judging():
        for problem in _ways_by(job, collected=last is not None):
            yield Weakness(workflow.path, job.line, "doctor.passed_by", f"the job {job.id!r} {problem}")
        if _asks_for_tokens(job) and job.environment is None:
            yield Weakness(
                workflow.path, job.line, "doctor.no_environment", f"the job {job.id!r} has id-token and no environment"
            )
    for job in deciding(workflow):
        if job.check is None:
            yield Weakness(
                workflow.path, job.line, "doctor.check_unnamed", f"the check of the job {job.id!r} has no fixed name"
            )


def _ways_by(job: Job, *, collected: bool) -> Iterator[str]:
    if job.keys.get("continue-on-error", False) is not False:
        yield "has `continue-on-error`"
    if "if" in job.keys and not is_always(job) and not collected:
        yield "has `if:`, and a skipped job counts as success"
    if job.needs and not is_always(job) and not collected:
        yield "has `needs:`, is skipped when one of them fails, and then counts as success"
    judged = {use.text for use in job.uses if use.gates}
    steps = job.keys.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, dict) or step.get("uses") not in judged:
            continue
        if step.get("continue-on-error", False) is not False:
            yield "has `continue-on-error` at its gate"
        if "if" in step:
            yield "has `if:` at its gate"


def _asks_for_tokens(job: Job) -> bool:
    given = job.keys.get("permissions")
    return isinstance(given, dict) and given.get("id-token") == "write"


def _pins(workflow: Workflow, aegis: str) -> Iterator[Weakness]:
    """Code of others that may be another tomorrow. Ours may be named by a version; a branch is nobody's promise."""
    for job in workflow.jobs:
        for use in job.uses:
            own = use.repository.lower() == aegis.lower()
            if use.pinned or (own and re.fullmatch(r"v\d+(\.\d+){0,2}", use.ref)):
                continue
            yield Weakness(workflow.path, use.line, "doctor.unpinned", f"{use.text[:120]} is not pinned by a commit")


def _ownership(facts: Facts) -> Iterator[Weakness]:
    """Files that decide what may be merged, and whose change nobody must review."""
    deciding_files = [
        *(workflow.path for workflow in facts.workflows if workflow.judging()),
        *facts.policies,
        *facts.files,
        f"{FOLDER}new.yml",
    ]
    if facts.codeowners is None:
        yield Weakness(codeowners.PLACES[0], 1, "doctor.no_codeowners", "there is no CODEOWNERS")
        return
    path, text = facts.codeowners
    for file in codeowners.unowned(text, [*deciding_files, path]):
        shown = f"{FOLDER} (a new workflow)" if file.endswith("/new.yml") else file
        yield Weakness(path, 1, "doctor.unowned", f"nobody owns {shown}")


def _policies(facts: Facts) -> Iterator[Weakness]:
    """Policies that only watch."""
    for path, policy in facts.policies.items():
        if policy.mode != "enforce":
            yield Weakness(path, 1, "doctor.observing", f"mode: {policy.mode}")


def unread(places: Iterable[tuple[str, int, str]]) -> Iterator[Weakness]:
    """Files that could not be read: nobody knows what they hold. `places`: path, line, why."""
    for path, line, why in places:
        yield Weakness(path, line, "doctor.workflow_unreadable", why)
