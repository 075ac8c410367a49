from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.identity.lint import Severity, lint_policy
from aegis.identity.policy_document import parse_policy
from aegis.identity.role import parse_role
from aegis.identity.trust_evaluation import evaluate, request_of
from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles import github_oidc
from tests.doubles.aws import iam_policy
from tests.support.tokens.trusts import ACCOUNT, HOST, JOB, PROVIDER, ROLE, WANTED, claims, tight

IMMUTABLE = {**WANTED, "sub": "repo:octo@42/shop@7001:environment:staging"}
WORKFLOW = "octo/shop/.github/workflows/verify.yml"
PULL = TrustedJob(
    **{**{name: getattr(JOB, name) for name in JOB.__slots__}, "environment": None, "refs": ("refs/pull/*/merge",)}
)
OF_PULL = {
    "sub": "repo:octo/shop:pull_request",
    "ref": "refs/pull/7/merge",
    "job_workflow_ref": f"{WORKFLOW}@refs/pull/7/merge",
}

MUTATIONS: dict[str, dict[str, Any]] = {
    "fork": {
        "sub": "repo:mallory/shop:environment:staging",
        "repository": "mallory/shop",
        "repository_id": "9999",
        "job_workflow_ref": "mallory/shop/.github/workflows/verify.yml@refs/heads/main",
    },
    "pull request": {"sub": "repo:octo/shop:pull_request", "environment": None, "ref": "refs/pull/7/merge"},
    "pull request in the environment": {
        "ref": "refs/pull/7/merge",
        "job_workflow_ref": f"{WORKFLOW}@refs/pull/7/merge",
    },
    "other branch": {"ref": "refs/heads/dev", "job_workflow_ref": f"{WORKFLOW}@refs/heads/dev"},
    "other branch, main's workflow": {"ref": "refs/heads/dev"},
    "tag of the branch's name": {"ref": "refs/tags/main", "job_workflow_ref": f"{WORKFLOW}@refs/tags/main"},
    "renamed repository": {
        "sub": "repo:octo@42/store@7001:environment:staging",
        "repository": "octo/store",
        "job_workflow_ref": "octo/store/.github/workflows/verify.yml@refs/heads/main",
    },
    "recycled name": {
        "sub": "repo:octo/shop:environment:staging",
        "repository_id": "7002",
        "repository_owner_id": "43",
    },
    "recycled name, immutable": {"sub": "repo:octo@43/shop@7002:environment:staging", "repository_id": "7002"},
    "transferred": {"sub": "repo:acme@50/shop@7001:environment:staging", "repository": "acme/shop"},
    "other environment": {"sub": "repo:octo/shop:environment:prod", "environment": "prod"},
    "no environment": {"sub": "repo:octo/shop:ref:refs/heads/main", "environment": None},
    "other workflow": {"job_workflow_ref": "octo/shop/.github/workflows/verify-all.yml@refs/heads/main"},
    "workflow of somebody else": {"job_workflow_ref": "mallory/x/.github/workflows/verify.yml@refs/heads/main"},
    "other audience": {"aud": "https://cloud.oracle.com"},
    "default audience": {"aud": "https://github.com/octo"},
    "other issuer": {"iss": f"https://{HOST}/octo-inc"},
    "other case": {"sub": "repo:octo/shop:environment:Staging"},
}


def judged(policy: dict[str, Any], changes: dict[str, Any]) -> bool | None:
    """By the product; and the double must say the same."""
    token = claims(**changes)
    names = ("aud", "sub", "environment", "job_workflow_ref", "ref", "repository", "repository_id")
    host = token.issuer.removeprefix("https://")
    context = {f"{host}:{name}": [said] for name in names if (said := token.text(name)) is not None}
    provider = PROVIDER.replace(HOST, host)
    theirs = iam_policy.allows([policy], action="sts:AssumeRoleWithWebIdentity", federated=provider, context=context)
    evaluation = evaluate(parse_policy(json.dumps(policy), name="p"), request_of(token, parse_role(ROLE)))
    assert evaluation.allowed is theirs
    return evaluation.allowed


@pytest.mark.parametrize("wanted", [WANTED, IMMUTABLE])
def test_the_job_itself_is_trusted(wanted: dict[str, Any]) -> None:
    assert judged(tight(), wanted) is True


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_anything_else_is_refused(mutation: str) -> None:
    assert judged(tight(), {**WANTED, **MUTATIONS[mutation]}) is False


@pytest.mark.parametrize("claim", ["aud", "sub", "repository_id", "job_workflow_ref", "environment", "ref"])
def test_each_condition_is_needed(claim: str) -> None:
    """Without it one of the mutations would get in: none stands there for show."""
    policy = tight()
    (only,) = policy["Statement"]
    for block in only["Condition"].values():
        block.pop(f"{HOST}:{claim}", None)
    changes = {
        "aud": MUTATIONS["other audience"],
        "sub": {"sub": "repo:octo/shop:environment:Staging"},
        "repository_id": MUTATIONS["recycled name"],
        "job_workflow_ref": MUTATIONS["other workflow"],
        "environment": {"environment": "prod"},
        "ref": MUTATIONS["other branch, main's workflow"],
    }[claim]
    assert judged(policy, {**WANTED, **changes}) is True
    assert judged(tight(), {**WANTED, **changes}) is False


def test_pull_requests_have_a_policy_of_their_own() -> None:
    policy = aws_trust_policy(PULL, account=ACCOUNT)
    assert judged(policy, OF_PULL) is True
    assert judged(policy, {**OF_PULL, "sub": "repo:octo@42/shop@7001:pull_request"}) is True
    assert judged(policy, {}) is False
    assert judged(policy, {**OF_PULL, "ref": "refs/heads/main"}) is False
    assert judged(policy, {**OF_PULL, "job_workflow_ref": f"{WORKFLOW}@refs/heads/main"}) is False
    assert judged(policy, {**OF_PULL, **MUTATIONS["recycled name"]}) is False


def test_an_environment_without_a_ref_leaves_the_ref_to_its_branch_policy() -> None:
    policy = aws_trust_policy(replace(JOB, refs=()), account=ACCOUNT)
    anywhere = {**WANTED, "ref": "refs/pull/7/merge", "job_workflow_ref": f"{WORKFLOW}@refs/pull/7/merge"}
    assert judged(policy, anywhere) is True
    assert judged(policy, {**anywhere, **MUTATIONS["other environment"]}) is False


def test_a_reusable_workflow_is_named_with_its_commit() -> None:
    reusable = f"acme/ci/.github/workflows/v.yml@{'a' * 40}"
    policy = aws_trust_policy(replace(JOB, workflow=reusable), account=ACCOUNT)
    assert judged(policy, {**WANTED, "job_workflow_ref": reusable}) is True
    assert judged(policy, {**WANTED, "job_workflow_ref": reusable.replace("a" * 40, "b" * 40)}) is False


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        PULL,
        replace(JOB, environment=None),
        replace(JOB, environment=None, refs=("refs/heads/main", "refs/tags/v*")),
        replace(JOB, workflow=f"acme/ci/.github/workflows/v.yml@{'a' * 40}"),
    ],
)
def test_what_is_printed_passes_lint(job: TrustedJob) -> None:
    text = json.dumps(aws_trust_policy(job, account=ACCOUNT))
    assert lint_policy(parse_policy(text, name="p")) == []
    assert len(text) < 2048, "a trust policy has at most that many characters by default"


def test_an_environment_alone_has_just_the_note_that_its_branch_policy_decides() -> None:
    text = json.dumps(aws_trust_policy(replace(JOB, refs=()), account=ACCOUNT))
    assert [(one.rule, one.severity) for one in lint_policy(parse_policy(text, name="p"))] == [
        ("environment-without-ref", Severity.NOTE)
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"repository": "shop"},
        {"repository": "octo/*"},
        {"repository": "octo/shop/x"},
        {"owner_id": ""},
        {"owner_id": "0"},
        {"repository_id": "7001 "},
        {"repository_id": "*"},
        {"workflow": "verify.yml"},
        {"workflow": ".github/workflows/*.yml"},
        {"workflow": "octo/shop/.github/workflows/v.yml"},
        {"environment": "${aws:x}"},
        {"environment": "*"},
        {"environment": ""},
        {"refs": ("main",)},
        {"refs": ("refs/heads/*",)},
        {"refs": ("*",)},
        {"refs": ("refs/pull/*/head",)},
        {"refs": ("refs/heads/a\n",)},
        {"environment": None, "refs": ()},
    ],
)
def test_a_job_that_is_not_named_exactly(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        replace(JOB, **change)
    assert caught.value.code == "core.wrong_usage"


def test_the_account_is_twelve_digits() -> None:
    with pytest.raises(UsageError, match="account"):
        aws_trust_policy(JOB, account="acme")


def test_there_are_enough_mutations() -> None:
    assert len(MUTATIONS) >= 12
    assert github_oidc.CLAIMS["repository_id"] == JOB.repository_id
