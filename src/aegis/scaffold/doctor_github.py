"""What is missing or weak in a repository's settings at GitHub. Pure rules over what its API says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.scaffold.doctor import Weakness
from aegis.scaffold.jobs import Workflow, required_checks
from aegis.scaffold.protection import told_checks

PLACE = "github"
"""Where a weakness stands that no file holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One that a job names."""

    name: str
    settings: Mapping[str, Any] | None
    """None: it is not there."""
    branches: Sequence[str] = ()
    """Names and patterns of branches that may use it, where they are told one by one; tags are none of them."""
    of_changes: bool = False
    """Whether only jobs that pull requests start name it: then it has to be open to those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What GitHub says."""

    branch: str
    actions_app: int
    rules: Sequence[Mapping[str, Any]]
    """In force on the default branch, of all rulesets."""
    rulesets: Sequence[Mapping[str, Any]]
    """In full: those that these rules come from, and ours."""
    protection: Mapping[str, Any] | None
    environments: Sequence[Environment]
    subject: Mapping[str, Any]
    token: Mapping[str, Any]
    workflows: Sequence[Mapping[str, Any]]
    owner_errors: Sequence[Mapping[str, Any]]


def weaknesses(settings: Settings, workflows: Sequence[Workflow]) -> list[Weakness]:
    """All of them."""
    found = [*_checks(settings, workflows), *_reviews(settings), *_ways_by(settings), *_environments(settings)]
    found += [*_token(settings), *_asleep(settings, workflows)]
    return sorted(Weakness(PLACE, 0, code, message) for code, message in set(found))


_Found = Iterator[tuple[str, str]]


def demanded(rules: Sequence[Mapping[str, Any]], protection: Mapping[str, Any] | None) -> dict[str, set[int | None]]:
    """Every required check of a branch, with the apps that may report it; None: any."""
    found: dict[str, set[int | None]] = {}
    for rule in rules:
        for check in _list(_mapping(rule.get("parameters")).get("required_status_checks")):
            found.setdefault(str(check.get("context")), set()).add(check.get("integration_id"))
    for check in told_checks(_mapping(_mapping(protection).get("required_status_checks"))):
        # -1 is a check that any app may report
        app = check.get("app_id")
        found.setdefault(str(check.get("context")), set()).add(None if app == -1 else app)
    return found


def _checks(settings: Settings, workflows: Sequence[Workflow]) -> _Found:
    """Required, under the name that a job has, and from GitHub Actions alone."""
    wanted, there = required_checks(workflows), demanded(settings.rules, settings.protection)
    for check in wanted:
        if check not in there:
            yield "doctor.check_not_required", f"the check {check!r} is not required on {settings.branch!r}"
        elif settings.actions_app not in there[check]:
            yield "doctor.check_of_anyone", f"any app may report the check {check!r}"
    names = {job.check for workflow in workflows for job in workflow.jobs}
    for check, apps in sorted(there.items()):
        if check not in names and apps <= {None, settings.actions_app} and not _called(check, workflows):
            yield "doctor.check_unknown", f"the required check {check!r} is reported by no job"
    if any(True for _ in _rules(settings, "merge_queue")):
        for workflow in workflows:
            if workflow.judging() and "pull_request" in workflow.triggers and "merge_group" not in workflow.triggers:
                yield "doctor.queue_waits", f"there is a merge queue, and {workflow.path} has no `merge_group`"


def _called(check: str, workflows: Sequence[Workflow]) -> bool:
    """A job that calls a workflow reports as `caller / callee`."""
    callers = {job.check for workflow in workflows for job in workflow.jobs if "uses" in job.keys}
    return check.partition(" / ")[0] in callers


def _reviews(settings: Settings) -> _Found:
    """A change of workflows and policies needs an owner's review, or it could change its own judge."""
    rules = [_mapping(rule.get("parameters")) for rule in _rules(settings, "pull_request")]
    protection = _mapping(_mapping(settings.protection).get("required_pull_request_reviews"))
    if not rules and not protection:
        yield "doctor.no_review", f"{settings.branch!r} takes commits without a pull request"
    owners = any(rule.get("require_code_owner_review") for rule in rules)
    if not owners and not protection.get("require_code_owner_reviews"):
        yield "doctor.no_owner_review", "the review of a code owner is not required"
    for error in settings.owner_errors:
        yield "doctor.codeowners_broken", f"{error.get('path')}:{error.get('line')}: {error.get('kind')}"


def _ways_by(settings: Settings) -> _Found:
    """Who may pass the rules by, and rules that only look like some."""
    types = {rule.get("type") for rule in settings.rules}
    switches = {key: _mapping(_mapping(settings.protection).get(key)).get("enabled") for key in _SWITCHES}
    if "non_fast_forward" not in types and (settings.protection is None or switches["allow_force_pushes"]):
        yield "doctor.force_push", f"{settings.branch!r} may be pushed to by force"
    if "deletion" not in types and (settings.protection is None or switches["allow_deletions"]):
        yield "doctor.deletion", f"{settings.branch!r} may be deleted"
    if settings.protection is not None and not types and not switches["enforce_admins"]:
        yield "doctor.bypass", "administrators may pass the branch protection by"
    for ruleset in settings.rulesets:
        name = ruleset.get("name")
        if ruleset.get("enforcement") != "active":
            yield "doctor.not_enforced", f"the ruleset {name!r} is {ruleset.get('enforcement')}"
        for actor in _list(ruleset.get("bypass_actors")):
            kind = f"{actor.get('actor_type')} {actor.get('actor_id') or ''}".strip()
            yield "doctor.bypass", f"{kind} may pass the ruleset {name!r} by ({actor.get('bypass_mode', 'always')})"


_SWITCHES = ("allow_force_pushes", "allow_deletions", "enforce_admins")


def _environments(settings: Settings) -> _Found:
    """Environments whose secrets and role any branch's workflow gets."""
    for each in settings.environments:
        if each.settings is None:
            yield "doctor.environment_missing", f"there is no environment {each.name!r}"
            continue
        rules = _list(each.settings.get("protection_rules"))
        reviewers = [rule for rule in rules if rule.get("type") == "required_reviewers"]
        open_to = list(_open_to(each, each.settings, classic=settings.protection is not None))
        if not reviewers:
            for who in open_to:
                yield "doctor.environment_open", f"{who} may use the environment {each.name!r}"
        elif open_to:  # then the reviewers alone hold it
            if not all(rule.get("prevent_self_review") for rule in reviewers):
                yield "doctor.bypass", f"who starts a run may approve it for the environment {each.name!r}"
            if each.settings.get("can_admins_bypass") is not False:
                yield "doctor.bypass", f"administrators may pass the reviewers of the environment {each.name!r} by"


def _open_to(each: Environment, settings: Mapping[str, Any], *, classic: bool) -> Iterator[str]:
    """Which branches may use it that anybody may make.

    `classic`: whether there is branch protection, without which "protected branches" are all; a ruleset makes none
    (https://docs.github.com/actions/reference/workflows-and-actions/deployments-and-environments).
    """
    policy = _mapping(settings.get("deployment_branch_policy"))
    if policy.get("custom_branch_policies"):
        for name in each.branches:
            if set(name) & set("*?[") and not (each.of_changes and name == "refs/pull/*/merge"):
                yield f"every branch {name!r}"
    elif not policy.get("protected_branches"):
        yield "any branch"
    elif not classic:
        yield "any branch, where a ruleset alone protects,"


def _token(settings: Settings) -> _Found:
    """What a workflow may do that says nothing, and whom its identity names."""
    if settings.token.get("default_workflow_permissions") != "read":
        yield "doctor.token_writes", "a workflow without `permissions:` gets a token that writes"
    if settings.token.get("can_approve_pull_request_reviews"):
        yield "doctor.token_approves", "a workflow may approve pull requests"
    claims = settings.subject.get("include_claim_keys")
    if settings.subject.get("use_default") is False and isinstance(claims, list):
        has_repository = {"repo", "repository", "repository_id"} & set(claims)
        if not has_repository or not {"context", "environment"} & set(claims):
            yield "doctor.subject", f"the OIDC subject is made of {', '.join(map(str, claims)) or 'nothing'}"


def _asleep(settings: Settings, workflows: Sequence[Workflow]) -> _Found:
    """Workflows that GitHub or a person has switched off."""
    judging = {workflow.path for workflow in workflows if workflow.judging()}
    for each in settings.workflows:
        if each.get("path") in judging and each.get("state") != "active":
            yield "doctor.workflow_off", f"{each.get('path')} is {each.get('state')}"


def _rules(settings: Settings, kind: str) -> Iterator[Mapping[str, Any]]:
    yield from (rule for rule in settings.rules if rule.get("type") == kind)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
