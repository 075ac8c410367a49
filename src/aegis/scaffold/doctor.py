"""What is missing or weak in a repository's own files, so that a gate could be passed by, or wait for ever.

Pure rules over workflows, policies and CODEOWNERS; each finding has a code of the registry, which holds its remedy.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from aegis.core.policy import Policy
from aegis.scaffold import codeowners
from aegis.scaffold.choices import GATES
from aegis.scaffold.jobs import FOLDER, Job, Workflow, collector, deciding, is_always, secrets


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
    unread_policies: tuple[str, ...] = ()
    """By path; those that cannot."""
    files: tuple[str, ...] = ()
    """Others that decide what may be merged, e.g. `aegis.lock`."""


def weaknesses(facts: Facts) -> list[Weakness]:
    """All of them, by place."""
    found = [*_gates(facts), *_checks(facts), *_ownership(facts), *_policies(facts)]
    signers = _signers(facts.policies.values())
    for workflow in facts.workflows:
        found += [*_triggers(workflow), *_schedules(workflow), *_rights(workflow), *_jobs(workflow, facts)]
        found += [*_credentials(workflow, signers), *_pins(workflow, facts.aegis)]
    return sorted(set(found))


def _gates(facts: Facts) -> Iterator[Weakness]:
    """A gate that a policy names and no workflow runs, or none where a change is judged."""
    run = {gate for workflow in facts.workflows for job in workflow.judging() for gate in job.gates}
    judged = {
        gate
        for workflow in facts.workflows
        if "pull_request" in workflow.triggers
        for job in workflow.judging()
        for gate in job.gates
    }
    for path, policy in facts.policies.items():
        for gate in named(policy):
            if gate not in run:
                yield Weakness(path, 1, "doctor.gate_not_run", f"no workflow runs the gate {gate}")
            elif gate in _OF_CHANGES and gate not in judged:
                yield Weakness(path, 1, "doctor.gate_not_run", f"no workflow runs the gate {gate} on `pull_request`")
    if not facts.policies and not facts.unread_policies:
        yield Weakness("aegis.yml", 1, "doctor.no_policy", "there is no policy")


_OF_CHANGES = frozenset({"scan", "verify"})
"""The gates that judge a change before it is merged; the others look at what is deployed, or stored."""


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
    if "edited" not in _types(workflow.triggers["pull_request"]):
        yield Weakness(
            path, workflow.lines["pull_request"], "doctor.no_edited", "no `edited` among the types of `pull_request`"
        )
    for event in ("pull_request", "merge_group"):
        filters = workflow.triggers.get(event)
        for name in ("paths", "paths-ignore", "branches", "branches-ignore", "types"):
            if isinstance(filters, dict) and name in filters and not _harmless(name, filters[name]):
                yield Weakness(path, workflow.lines[event], "doctor.filtered", f"`{event}` is filtered by `{name}`")


_DEFAULT_TYPES = frozenset({"opened", "synchronize", "reopened"})
"""What starts a workflow on `pull_request` without `types`: every change of the code, none of the base.

https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
"""


def _types(filters: Any) -> frozenset[str]:
    """What starts a workflow on `pull_request`."""
    given = filters.get("types") if isinstance(filters, dict) else None
    if given is None:
        return _DEFAULT_TYPES
    return frozenset(map(str, given if isinstance(given, list) else (given,)))


def _harmless(name: str, value: Any) -> bool:
    """Types that hold every change of a pull request's code; what is beside them may be there."""
    return name == "types" and isinstance(value, list) and set(map(str, value)) >= _DEFAULT_TYPES


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
    path = workflow.path
    for job in workflow.jobs:
        given = workflow.permissions(job)
        if given is None:
            yield Weakness(path, job.line, "doctor.permissions_unsaid", f"no `permissions` for the job {job.id!r}")
        elif given == "write-all":
            yield Weakness(path, job.line, "doctor.permissions_wide", f"`write-all` for the job {job.id!r}")
        elif isinstance(given, dict):
            written = sorted(str(right) for right, level in given.items() if level == "write")
            if job.gates:
                wide, where = [right for right in written if right not in _NEEDED], "beside a gate"
            elif "pull_request" in workflow.triggers and "if" not in job.keys:
                wide, where = [right for right in written if right in _POWER], "on `pull_request`"
            else:
                continue
            for right in wide:
                yield Weakness(path, job.line, "doctor.permissions_wide", f"`{right}: write` {where}")


_NEEDED = frozenset({"id-token", "security-events", "issues", "attestations"})
"""What a gate may need to write: credentials, findings, the issue of a failed run, a signed verdict."""


_POWER = frozenset({"actions", "checks", "contents", "deployments", "packages", "statuses"})
"""What no job needs that runs a pull request's code. By `checks` and `statuses` it reports other jobs' checks."""


def _jobs(workflow: Workflow, facts: Facts) -> Iterator[Weakness]:
    """Jobs that run a gate, or collect, and may be green without it."""
    last = collector(workflow)
    judging = workflow.judging()
    for job in judging if last is None or last in judging else (*judging, last):
        for problem in _ways_by(job, facts, collected=last is not None):
            yield Weakness(workflow.path, job.line, "doctor.passed_by", f"the job {job.id!r} {problem}")
    for job in deciding(workflow):
        if job.check is None:
            yield Weakness(
                workflow.path, job.line, "doctor.check_unnamed", f"the check of the job {job.id!r} has no fixed name"
            )


def _ways_by(job: Job, facts: Facts, *, collected: bool) -> Iterator[str]:
    if job.keys.get("continue-on-error", False) is not False:
        yield "has `continue-on-error`"
    if "if" in job.keys and not is_always(job) and not collected:
        yield "has `if:`, and a skipped job counts as success"
    if job.needs and not is_always(job) and not collected:
        yield "has `needs:`, is skipped when one of them fails, and then counts as success"
    judged = {use.text for use in job.uses if use.gates}
    if job.calls_ours:
        given = job.keys.get("with")
        yield from _other_rules(given if isinstance(given, dict) else {}, facts)
    for step in job.steps:
        if step.get("uses") not in judged:
            continue
        if step.get("continue-on-error", False) is not False:
            yield "has `continue-on-error` at its gate"
        if "if" in step:
            yield "has `if:` at its gate"
        given = step.get("with")
        yield from _other_rules(given if isinstance(given, dict) else {}, facts)


def _other_rules(given: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """Inputs by which a gate judges by something else than this repository's policies on its base branch."""
    if given.get("base"):
        yield "has `base:` at its gate, so the change may say what it is compared with"
    policy = str(given.get("policy") or "")
    if policy and posixpath.normpath(policy) not in facts.policies:
        yield f"takes its policy from {policy[:100]!r}, which is none that can be looked at here"


def _signers(policies: Iterable[Policy]) -> frozenset[str]:
    """The workflows of this repository's signers: a certificate names their branch, so another's is refused anyway."""
    every = (text for policy in policies for text in _named(msgspec.to_builtins(policy)))
    found = (re.search(r"/(\.github/workflows/[^@/]+)@", text.replace("\\", "")) for text in every)
    return frozenset(match[1] for match in found if match)


def _named(value: Any) -> Iterator[str]:
    """Every signer's identity in a policy."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in {"identity", "identity-pattern"} and isinstance(part, str):
                yield part
            else:
                yield from _named(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named(part)


def _credentials(workflow: Workflow, signers: frozenset[str]) -> Iterator[Weakness]:
    """What any branch's workflow gets, since no environment says who may."""
    shared = sorted(set(secrets(workflow.keys.get("env"))))
    for job in workflow.jobs:
        if job.environment is not None or job.local:
            continue
        held = [f"the secret {name}" if name != "*" else "secrets" for name in sorted({*secrets(job.keys), *shared})]
        given = workflow.permissions(job)
        asks = given == "write-all" or (isinstance(given, dict) and given.get("id-token") == "write")
        if asks and workflow.path not in signers:
            held.insert(0, "id-token")
        if held:
            what = "an environment without a fixed name" if "environment" in job.keys else "no environment"
            yield Weakness(
                workflow.path,
                job.line,
                "doctor.no_environment",
                f"the job {job.id!r} has {', '.join(held)} and {what}",
            )


def _pins(workflow: Workflow, aegis: str) -> Iterator[Weakness]:
    """Code of others that may be another tomorrow. Ours may be named by a version; a branch is nobody's promise."""
    for job in workflow.jobs:
        for use in job.uses:
            own = use.repository.lower() == aegis.lower()
            if use.pinned or (own and re.fullmatch(r"v\d+(\.\d+){0,2}", use.ref)):
                continue
            yield Weakness(workflow.path, use.line, "doctor.unpinned", f"{use.text[:120]} is not pinned by a commit")
        for image in _images(job) if job.gates else ():
            if "@sha256:" not in image:
                yield Weakness(
                    workflow.path, job.line, "doctor.unpinned", f"the image {image[:120]} is not pinned by a digest"
                )


def _images(job: Job) -> Iterator[str]:
    """In which a job's steps run, and beside which."""
    services = job.keys.get("services")
    for part in (job.keys.get("container"), *(services.values() if isinstance(services, dict) else ())):
        image = part.get("image") if isinstance(part, dict) else part
        if isinstance(image, str) and image:
            yield image


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
