"""Each weak setting at GitHub: planted alone, and found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aegis.scaffold import protection
from aegis.scaffold.doctor_github import Environment, Settings, demanded, weaknesses
from aegis.scaffold.protection import Wanted
from tests.unit.scaffold.test_doctor import GOOD, read

APP = 15368
WORKFLOWS = read(GOOD)
CHECKS = ("sdk-scan", "verify-model-signatures-aws-oidc", "verify-model-signatures-oci-oidc")
RULESET = {**protection.ruleset(Wanted(CHECKS, APP), None), "id": 7}
PROTECTED_ONLY = {"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False}}
CUSTOM = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}
WELL = Settings(
    branch="main",
    actions_app=APP,
    rules=[{**rule, "ruleset_id": 7} for rule in RULESET["rules"]],
    rulesets=[RULESET],
    protection=None,
    environments=[
        Environment(name="staging", settings=CUSTOM, branches=["main", "refs/pull/*/merge"], of_changes=True)
    ],
    subject={"use_default": True},
    token={"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
    workflows=[{"path": each.path, "state": "active"} for each in WORKFLOWS],
    owner_errors=[],
)
PROTECTED = {
    "enforce_admins": {"enabled": True},
    "required_status_checks": {"checks": [{"context": name, "app_id": APP} for name in CHECKS]},
    "required_pull_request_reviews": {"require_code_owner_reviews": True},
    "allow_force_pushes": {"enabled": False},
    "allow_deletions": {"enabled": False},
}


def found(settings: Settings) -> set[str]:
    return {each.code.removeprefix("doctor.") for each in weaknesses(settings, WORKFLOWS)}


def without(kind: str) -> Settings:
    """Without one kind of rule."""
    return replace(WELL, rules=[rule for rule in WELL.rules if rule["type"] != kind])


def parameters(kind: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Settings:
    """With other parameters of one kind of rule."""
    rules = [
        {**rule, "parameters": change(dict(rule["parameters"]))} if rule["type"] == kind else rule
        for rule in WELL.rules
    ]
    return replace(WELL, rules=rules)


def checks(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Settings:
    """With other required checks."""
    return parameters(
        "required_status_checks",
        lambda given: {**given, "required_status_checks": change(given["required_status_checks"])},
    )


def ruled(**changes: Any) -> Settings:
    """With other settings of the ruleset itself."""
    return replace(WELL, rulesets=[{**RULESET, **changes}])


def environment(settings: Any, *branches: str, of_changes: bool = False) -> Settings:
    found = Environment(name="staging", settings=settings, branches=branches, of_changes=of_changes)
    return replace(WELL, environments=[found])


def reviewed(**changes: Any) -> dict[str, Any]:
    """An environment that reviewers alone hold."""
    rule = {"type": "required_reviewers", "prevent_self_review": True}
    held = {"deployment_branch_policy": None, "protection_rules": [rule], "can_admins_bypass": False}
    return {**held, **changes}


def test_protected_settings_are_well() -> None:
    assert found(WELL) == set()
    assert found(replace(WELL, rules=[], rulesets=[], protection=PROTECTED)) == set()
    assert found(environment(CUSTOM, "main", "release/1.x")) == set()
    assert found(environment(CUSTOM)) == set()
    assert found(environment(reviewed())) == set()
    classic = replace(environment(PROTECTED_ONLY), rules=[], rulesets=[], protection=PROTECTED)
    assert found(classic) == set()


CASES: dict[str, tuple[Settings, set[str]]] = {
    "no rules at all": (
        replace(WELL, rules=[], rulesets=[]),
        {"check_not_required", "no_review", "no_owner_review", "force_push", "deletion"},
    ),
    "a check less": (checks(lambda given: given[1:]), {"check_not_required"}),
    "a check of any app": (checks(lambda given: [{"context": each["context"]} for each in given]), {"check_of_anyone"}),
    "a check of another app": (
        checks(lambda given: [{**each, "integration_id": 9} for each in given]),
        {"check_of_anyone"},
    ),
    "a check that nobody reports": (checks(lambda given: [*given, {"context": "old-name"}]), {"check_unknown"}),
    "a check of another app's own": (checks(lambda given: [*given, {"context": "x", "integration_id": 9}]), set()),
    "no pull requests": (without("pull_request"), {"no_review", "no_owner_review"}),
    "no owner's review": (
        parameters("pull_request", lambda given: {**given, "require_code_owner_review": False}),
        {"no_owner_review"},
    ),
    "pushes by force": (without("non_fast_forward"), {"force_push"}),
    "deletion": (without("deletion"), {"deletion"}),
    "a ruleset that only evaluates": (ruled(enforcement="evaluate"), {"not_enforced"}),
    "an actor who may pass": (
        ruled(bypass_actors=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]),
        {"bypass"},
    ),
    "administrators may pass": (
        replace(WELL, rules=[], rulesets=[], protection={**PROTECTED, "enforce_admins": {"enabled": False}}),
        {"bypass"},
    ),
    "force allowed by protection": (
        replace(WELL, rules=[], rulesets=[], protection={**PROTECTED, "allow_force_pushes": {"enabled": True}}),
        {"force_push"},
    ),
    "a check of any app by protection": (
        replace(
            WELL,
            rules=[],
            rulesets=[],
            protection={
                **PROTECTED,
                "required_status_checks": {"checks": [{"context": name, "app_id": -1} for name in CHECKS]},
            },
        ),
        {"check_of_anyone"},
    ),
    "no environment": (environment(None), {"environment_missing"}),
    "an open environment": (environment({"deployment_branch_policy": None}), {"environment_open"}),
    "an environment for every branch": (environment(CUSTOM, "main", "*"), {"environment_open"}),
    "an environment by a pattern": (environment(CUSTOM, "main", "m*"), {"environment_open"}),
    "an environment by two": (environment(CUSTOM, "*/*"), {"environment_open"}),
    "an environment by a set": (environment(CUSTOM, "[a-z]?"), {"environment_open"}),
    "pull requests in another's": (environment(CUSTOM, "main", "refs/pull/*/merge"), {"environment_open"}),
    "more than pull requests": (environment(CUSTOM, "refs/*/*/merge", of_changes=True), {"environment_open"}),
    "protected by a ruleset alone": (environment(PROTECTED_ONLY), {"environment_open"}),
    "a review of one's own": (
        environment(reviewed(protection_rules=[{"type": "required_reviewers", "prevent_self_review": False}])),
        {"bypass"},
    ),
    "administrators need no reviewer": (environment(reviewed(can_admins_bypass=True)), {"bypass"}),
    "nobody says whether they need one": (environment(reviewed(can_admins_bypass=None)), {"bypass"}),
    "reviewers beside named branches": (
        environment({**CUSTOM, "protection_rules": [{"type": "required_reviewers"}]}, "main"),
        set(),
    ),
    "a token that writes": (replace(WELL, token={"default_workflow_permissions": "write"}), {"token_writes"}),
    "a token that approves": (
        replace(WELL, token={**WELL.token, "can_approve_pull_request_reviews": True}),
        {"token_approves"},
    ),
    "a token of which nothing is said": (replace(WELL, token={}), {"token_writes"}),
    "a subject of the owner alone": (
        replace(WELL, subject={"use_default": False, "include_claim_keys": ["repository_owner"]}),
        {"subject"},
    ),
    "a subject without the environment": (
        replace(WELL, subject={"use_default": False, "include_claim_keys": ["repo", "ref"]}),
        {"subject"},
    ),
    "a subject of both": (
        replace(WELL, subject={"use_default": False, "include_claim_keys": ["repo", "context"]}),
        set(),
    ),
    "a workflow that fell asleep": (
        replace(WELL, workflows=[{**each, "state": "disabled_inactivity"} for each in WELL.workflows]),
        {"workflow_off"},
    ),
    "broken owners": (
        replace(WELL, owner_errors=[{"path": ".github/CODEOWNERS", "line": 3, "kind": "Unknown owner"}]),
        {"codeowners_broken"},
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_weak_setting_is_found(name: str) -> None:
    settings, expected = CASES[name]
    assert found(settings) == expected


def test_a_merge_queue_needs_workflows_that_run_in_it() -> None:
    queued = replace(WELL, rules=[*WELL.rules, {"type": "merge_queue"}])
    assert found(queued) == set()
    path = ".github/workflows/sdk-scan.yml"
    deaf = read({**GOOD, path: GOOD[path].replace("  merge_group:\n", "")})
    assert "doctor.queue_waits" in {each.code for each in weaknesses(queued, deaf)}


def test_a_called_workflow_reports_under_both_names() -> None:
    caller = "on: pull_request\npermissions: {}\njobs:\n  deploy:\n    uses: ./.github/workflows/sdk-scan.yml\n"
    asked = checks(lambda given: [*given, {"context": "deploy / sdk-scan", "integration_id": APP}])
    assert "check_unknown" in found(asked)
    assert weaknesses(asked, read({**GOOD, ".github/workflows/deploy.yml": caller})) == []


def test_checks_of_several_rulesets_are_one_demand() -> None:
    twice = replace(WELL, protection={"required_status_checks": {"checks": [{"context": "sdk-scan", "app_id": None}]}})
    assert demanded(twice.rules, twice.protection)["sdk-scan"] == {APP, None}
