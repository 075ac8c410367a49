"""Each rule beside what it must find, and the nearest thing that it must leave alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.identity.lint import LintFinding, Severity, lint_policy, lint_workflow
from aegis.identity.policy_document import parse_policy
from tests.support.tokens.trusts import HOST, PROVIDER, ROLE, document, parsed, statement, tight

ROOT = Path(__file__).resolve().parents[3]
BOTH = ["repo:octo/shop:ref:refs/heads/main", "repo:octo@42/shop@7001:ref:refs/heads/main"]
AUD = ("StringEquals", "aud", "sts.amazonaws.com")
SUB = ("StringEquals", "sub", BOTH)
ID = ("StringEquals", "repository_id", "7001")
SHA = "a" * 40


def trust(*conditions: tuple[str, str, object], **elements: Any) -> list[LintFinding]:
    return lint_policy(parsed(statement(*conditions, **elements)))


def several(*statements: dict[str, Any]) -> list[LintFinding]:
    return lint_policy(parsed(*statements))


def role(**facts: object) -> list[LintFinding]:
    text = json.dumps({"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": tight(), **facts}})
    return lint_policy(parse_policy(text, name="role.json"))


def rights(*actions: str, resource: object = "arn:aws:s3:::models/staging/*", **elements: Any) -> list[LintFinding]:
    allow = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **elements}
    return lint_policy(
        parse_policy(json.dumps(document({k: v for k, v in allow.items() if v is not None})), name="rights.json")
    )


GOOD_JOB = f"""
    permissions: {{id-token: write, contents: read}}
    steps:
      - uses: actions/checkout@{SHA}
        with: {{persist-credentials: false}}
      - uses: org/aegis/actions/verify@{SHA}
"""


def workflow(job: str = GOOD_JOB, top: str = "", on: str = "pull_request") -> list[LintFinding]:
    return lint_workflow(f"on: {on}\n{top}\njobs:\n  verify:\n    runs-on: ubuntu-latest{job}", name="w.yml")


def steps(*lines: str, permissions: str = "{id-token: write}") -> str:
    return f"\n    permissions: {permissions}\n    steps:\n" + "".join(f"      - {line}\n" for line in lines)


CHECKOUT = f"{{uses: actions/checkout@{SHA}, with: {{persist-credentials: false}}}}"
HEAD_CHECKOUT = CHECKOUT.replace("}}", ", ref: '${{ github.event.pull_request.head.sha }}'}}")
AWS = f"aws-actions/configure-aws-credentials@{SHA}"
AZURE = f"azure/login@{SHA}"
OTHERS = statement(AUD, ID, Principal={"Federated": PROVIDER.replace(HOST, "gitlab.com")})

RULES: list[tuple[str, list[LintFinding], list[LintFinding]]] = [
    ("any-repository", trust(AUD), trust(AUD, SUB)),
    ("any-repository", trust(AUD, Principal="*"), trust(AUD, ID, Principal="*")),
    ("any-repository", trust(AUD, ("StringLike", "sub", "*")), trust(AUD, ID)),
    (
        "any-repository",
        trust(AUD, ("StringNotEquals", "sub", "x")),
        trust(AUD, ("StringLike", "job_workflow_ref", "octo/shop/*")),
    ),
    ("any-repository", trust(AUD, ("StringLike", "sub", ["repo:octo/shop:pull_request", "*"])), several(OTHERS)),
    ("no-audience", trust(SUB), trust(AUD, SUB)),
    ("no-audience", trust(SUB, ("StringLike", "aud", "*")), trust(SUB, ("StringLike", "aud", "sts.amazonaws.com"))),
    (
        "open-repository",
        trust(AUD, ("StringLike", "sub", "repo:octo/*")),
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:ref:refs/tags/*")),
    ),
    ("open-repository", trust(AUD, ("StringLike", "sub", "repo:*/shop:pull_request")), trust(AUD, SUB)),
    (
        "open-repository",
        trust(AUD, ID, ("StringLike", "repository", "octo/*")),
        trust(AUD, ID, ("StringEquals", "repository", "octo/shop")),
    ),
    (
        "any-context",
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:*")),
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:*"), ("StringEquals", "ref", "refs/heads/main")),
    ),
    (
        "any-context",
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:*")),
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:environment:*")),
    ),
    ("forgiving-operator", trust(AUD, ("ForAllValues:StringLike", "sub", "repo:octo/shop:*")), trust(AUD, SUB)),
    (
        "forgiving-operator",
        trust(AUD, ID, ("StringEqualsIfExists", "environment", "x")),
        trust(AUD, ID, ("StringEquals", "environment", "x")),
    ),
    (
        "forgiving-operator",
        trust(AUD, ID, ("Null", "environment", "false")),
        trust(AUD, ID, ("Null", "aws:TokenIssueTime", "false")),
    ),
    (
        "literal-wildcard",
        trust(AUD, ("StringEquals", "sub", "repo:octo/shop:*")),
        trust(AUD, ("StringLike", "sub", "repo:octo/shop:*")),
    ),
    ("one-subject-form", trust(AUD, ("StringEquals", "sub", BOTH[0])), trust(AUD, SUB)),
    ("one-subject-form", trust(AUD, ("StringEquals", "sub", BOTH[1])), trust(AUD, ID)),
    (
        "one-subject-form",
        trust(AUD, ("StringEquals", "sub", [*BOTH, BOTH[0].replace("octo", "Octo")])),
        trust(AUD, SUB),
    ),
    (
        "unknown-claim",
        trust(AUD, ID, ("StringEquals", "subject", "x")),
        trust(AUD, ID, ("StringEquals", "actor_id", "7")),
    ),
    (
        "unknown-claim",
        trust(AUD, ID, ("StringEquals", "repository_owner", "octo")),
        trust(AUD, ID, ("StringEquals", "aws:SourceIp", "x")),
    ),
    (
        "environment-without-ref",
        trust(AUD, ID, ("StringEquals", "environment", "x")),
        trust(AUD, ID, ("StringEquals", "environment", "x"), ("StringEquals", "ref", "refs/heads/main")),
    ),
    (
        "environment-without-ref",
        trust(AUD, ("StringEquals", "sub", "repo:octo/shop:environment:x")),
        trust(
            AUD,
            ("StringEquals", "sub", "repo:octo/shop:environment:x"),
            ("StringEquals", "job_workflow_ref", "a/b/.github/workflows/c.yml@refs/heads/main"),
        ),
    ),
    (
        "workflow-not-pinned",
        trust(AUD, SUB, ("StringLike", "job_workflow_ref", "acme/ci/.github/workflows/v.yml@*")),
        trust(AUD, SUB, ("StringEquals", "job_workflow_ref", f"acme/ci/.github/workflows/v.yml@{SHA}")),
    ),
    (
        "workflow-not-pinned",
        trust(AUD, SUB, ("StringEquals", "job_workflow_ref", "acme/ci/.github/workflows/v.yml@refs/tags/v1")),
        trust(AUD, SUB, ("StringEquals", "job_workflow_ref", "octo/shop/.github/workflows/v.yml@refs/heads/main")),
    ),
    ("actor-only", trust(AUD, ("StringEquals", "actor", "mona")), trust(AUD, ID, ("StringEquals", "actor", "mona"))),
    (
        "broader-statement",
        several(statement(AUD, SUB, ID), statement(AUD, SUB)),
        several(statement(AUD, SUB), statement(AUD, ID)),
    ),
    ("long-session", role(MaxSessionDuration=43200), role(MaxSessionDuration=3600)),
    ("role-too-broad", rights("s3:*"), rights("s3:GetObject", "s3:GetObjectVersion")),
    (
        "role-too-broad",
        rights("s3:GetObject", "s3:PutObject"),
        rights("kms:Decrypt", resource="arn:aws:kms:eu-west-1:123456789012:key/x"),
    ),
    ("role-too-broad", rights("s3:GetObject", resource="*"), rights("s3:ListBucket", resource="arn:aws:s3:::models")),
    ("role-too-broad", rights("s3:GetObject", resource="arn:aws:s3:::*"), rights("s3:*", Effect="Deny")),
    ("role-too-broad", rights("x", Action=None, NotAction="s3:PutObject"), rights("S3:getobject")),
    (
        "requests-and-branches",
        trust(AUD, ("StringEquals", "sub", [*BOTH, "repo:octo/shop:pull_request"])),
        trust(AUD, SUB),
    ),
    (
        "requests-and-branches",
        several(statement(AUD, ID, ("StringLike", "ref", "refs/pull/*/merge")), statement(AUD, SUB)),
        trust(AUD, ID, ("StringLike", "ref", "refs/pull/*/merge")),
    ),
    (
        "subject-too-long",
        trust(AUD, ("StringEquals", "sub", "repo:octo/shop:environment:" + "x" * 120)),
        trust(AUD, SUB),
    ),
    (
        "foreign-audience",
        trust(SUB, ("StringEquals", "aud", ["sts.amazonaws.com", "https://github.com/octo"])),
        trust(SUB, AUD),
    ),
    (
        "foreign-audience",
        trust(SUB, ("StringEquals", "aud", "https://cloud.oracle.com")),
        trust(SUB, ("StringEquals", "aud", "acme-verify")),
    ),
    (
        "exposed-token",
        workflow(
            steps(CHECKOUT, permissions="{id-token: write}").replace("    permissions: {id-token: write}\n", ""),
            top="permissions: {id-token: write}",
        ),
        workflow(),
    ),
    (
        "exposed-token",
        workflow(steps(CHECKOUT), top="permissions: write-all")
        + workflow("\n    steps: []\n", top="permissions: write-all"),
        workflow(steps(CHECKOUT, "{run: make}", permissions="{contents: read}"), top="permissions: {id-token: write}"),
    ),
    ("exposed-token", workflow(steps(CHECKOUT, "{run: make test}")), workflow(steps("{run: echo before}", CHECKOUT))),
    (
        "exposed-token",
        workflow(steps(CHECKOUT, "{uses: ./actions/x}")),
        workflow(steps(CHECKOUT, "{run: make test}", permissions="{contents: read}")),
    ),
    (
        "exposed-token",
        workflow(
            steps(HEAD_CHECKOUT),
            on="pull_request_target",
        ),
        workflow(steps(CHECKOUT), on="pull_request_target"),
    ),
    ("persisted-credentials", workflow(steps(f"{{uses: actions/checkout@{SHA}}}")), workflow()),
    (
        "persisted-credentials",
        workflow(steps(f"{{uses: actions/checkout@{SHA}, with: {{persist-credentials: true}}}}")),
        workflow(steps(f"{{uses: actions/checkout@{SHA}, with: {{persist-credentials: 'false'}}}}")),
    ),
    (
        "shared-audience",
        workflow(steps(f"{{uses: {AWS}, with: {{audience: x}}}}", f"{{uses: {AZURE}, with: {{audience: x}}}}")),
        workflow(steps(f"{{uses: {AWS}, with: {{audience: x}}}}", f"{{uses: {AZURE}, with: {{audience: y}}}}")),
    ),
    (
        "untrusted-before",
        workflow(steps("{uses: some/action@v1}", f"{{uses: {AWS}}}")),
        workflow(steps(f"{{uses: some/action@{SHA}}}", f"{{uses: {AWS}}}")),
    ),
    (
        "untrusted-before",
        workflow(steps("{uses: some/action@main}", "{uses: org/aegis/actions/verify@v1}")),
        workflow(steps("{uses: actions/setup-python@v6}", f"{{uses: {AWS}}}", "{uses: some/action@v1}")),
    ),
]


@pytest.mark.parametrize(("rule", "bad", "good"), RULES)
def test_each_rule(rule: str, bad: list[LintFinding], good: list[LintFinding]) -> None:
    found = [finding for finding in bad if finding.rule == rule]
    assert found
    assert rule not in {finding.rule for finding in good}
    for finding in found:
        assert finding.message
        assert finding.fix
        assert finding.rule in str(finding)


def test_every_rule_is_tried() -> None:
    from aegis.identity.lint import policies, trust_rules, workflows

    named = {*trust_rules.TRUST_RULES, *policies._WHOLE_RULES, *workflows._RULES, "role-too-broad"}
    assert {rule for rule, _, _ in RULES} == named
    assert len(named) >= 20


def test_what_is_fatal_is_an_error_and_what_may_be_right_a_note() -> None:
    worst = {finding.rule: finding.severity for _, bad, _ in RULES for finding in bad}
    for rule in (
        "any-repository",
        "no-audience",
        "open-repository",
        "any-context",
        "forgiving-operator",
        "literal-wildcard",
        "unknown-claim",
        "actor-only",
        "foreign-audience",
        "shared-audience",
    ):
        assert worst[rule] is Severity.ERROR
    assert worst["environment-without-ref"] is Severity.NOTE
    assert worst["subject-too-long"] is Severity.NOTE


def test_the_example_that_the_web_thanks_for() -> None:
    """The "fix" of aws-actions/configure-aws-credentials issue 318: vacuously true, and open to the organisation."""
    found = trust(
        ("ForAllValues:StringLike", "sub", "repo:octo/*"), ("ForAllValues:StringEquals", "aud", "sts.amazonaws.com")
    )
    assert {"any-repository", "no-audience", "forgiving-operator"} <= {finding.rule for finding in found}


def test_a_workflow_without_tokens_is_none_of_its_business() -> None:
    assert workflow(steps("{uses: actions/checkout@v4}", "{run: make}", permissions="{contents: read}")) == []
    assert lint_workflow("on: push\njobs: {a: {steps: [{run: x}]}}", name="w.yml") == []


def test_a_reusable_call_has_no_steps() -> None:
    assert workflow("\n    permissions: {id-token: write}\n    uses: acme/ci/.github/workflows/v.yml@main\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: b",
        "jobs: []",
        "jobs: {a: 3}",
        "jobs: {a: [",
        "\x00",
        "a: !!python/object:os.system x",
        "[" * 1500,
        b"\xff\xfe\xff",
    ],
)
def test_what_is_no_workflow(text: str | bytes) -> None:
    with pytest.raises(UsageError) as caught:
        lint_workflow(text, name="w.yml")
    assert caught.value.code == "verify.trust_policy_invalid"


@pytest.mark.parametrize(
    "file", sorted((ROOT / "examples/consumer/.github/workflows").glob("verify*.yml")), ids=lambda one: one.name
)
def test_the_workflows_that_we_give_away_are_clean(file: Path) -> None:
    assert [str(one) for one in lint_workflow(file.read_bytes(), name=file.name)] == []
