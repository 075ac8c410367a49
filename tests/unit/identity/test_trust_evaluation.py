"""Golden cases: claims beside a policy, the answer, the claim that it hangs on, and a word of the nearest fix."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from aegis.identity.policy_document import parse_policy
from aegis.identity.role import parse_role
from aegis.identity.trust_evaluation import Evaluation, evaluate, request_of
from tests.doubles.aws import iam_policy
from tests.support.tokens.trusts import (
    ACCOUNT,
    HOST,
    PROVIDER,
    ROLE,
    WANTED,
    claims,
    document,
    parsed,
    statement,
    tight,
)

AUD = ("StringEquals", "aud", "sts.amazonaws.com")
MAIN = "repo:octo/shop:ref:refs/heads/main"
IMMUTABLE = "repo:octo@42/shop@7001:ref:refs/heads/main"


@dataclass(frozen=True)
class Golden:
    """One case."""

    name: str
    statements: tuple[dict[str, Any], ...]
    allowed: bool
    failing: str = ""
    """The claim of the first condition that fails."""
    fix: str = ""
    claims: dict[str, Any] = field(default_factory=dict)


def case(
    name: str,
    *conditions: tuple[str, str, object],
    allowed: bool = False,
    failing: str = "",
    fix: str = "",
    **changes: Any,
) -> Golden:
    return Golden(name, (statement(AUD, *conditions),), allowed, failing, fix, changes)


def equals(claim: str, *values: str) -> tuple[str, str, object]:
    return ("StringEquals", claim, list(values))


def like(claim: str, *values: str) -> tuple[str, str, object]:
    return ("StringLike", claim, list(values))


TIGHT = tuple(tight()["Statement"])

GOLDEN = [
    # the audience
    case("right audience", allowed=True),
    case("audience of Google", failing="aud", fix="'sts.amazonaws.com'", aud="//iam.googleapis.com/x"),
    case("audience of the organisation", failing="aud", fix="verify.aws.audience", aud="https://github.com/octo"),
    case("audience in other case", failing="aud", fix="upper and lower case", aud="STS.amazonaws.com"),
    # the subject
    case("main", equals("sub", MAIN), allowed=True),
    case("main among several", equals("sub", "repo:octo/other:ref:refs/heads/main", MAIN), allowed=True),
    case("immutable token, policy by name", equals("sub", MAIN), failing="sub", fix="immutable form", sub=IMMUTABLE),
    case("token by name, policy immutable", equals("sub", IMMUTABLE), failing="sub", fix="form without ids"),
    case("both forms", equals("sub", MAIN, IMMUTABLE), allowed=True, sub=IMMUTABLE),
    case(
        "immutable token, pattern by name",
        like("sub", "repo:octo/shop:*"),
        failing="sub",
        fix="immutable",
        sub=IMMUTABLE,
    ),
    case(
        "another branch",
        equals("sub", MAIN),
        failing="sub",
        fix="'ref:refs/heads/dev'",
        sub="repo:octo/shop:ref:refs/heads/dev",
    ),
    case("a tag", equals("sub", MAIN), failing="sub", fix="run it there", sub="repo:octo/shop:ref:refs/tags/v1"),
    case(
        "pull request", equals("sub", MAIN), failing="sub", fix="for a pull request", sub="repo:octo/shop:pull_request"
    ),
    case(
        "environment takes the ref's place",
        equals("sub", MAIN),
        failing="sub",
        fix="names an environment",
        sub="repo:octo/shop:environment:staging",
    ),
    case(
        "environment is missing",
        equals("sub", "repo:octo/shop:environment:staging"),
        failing="sub",
        fix="`environment: staging`",
    ),
    case(
        "another environment",
        equals("sub", "repo:octo/shop:environment:staging"),
        failing="sub",
        fix="environment: staging",
        sub="repo:octo/shop:environment:prod",
    ),
    case(
        "another repository",
        equals("sub", "repo:octo/web:ref:refs/heads/main"),
        failing="sub",
        fix="another repository",
    ),
    case(
        "a recycled name",
        equals("sub", IMMUTABLE),
        failing="sub",
        fix="another repository",
        sub="repo:octo@42/shop@9:ref:refs/heads/main",
    ),
    case(
        "owner in other case",
        equals("sub", MAIN),
        failing="sub",
        fix="upper and lower case",
        sub="repo:Octo/shop:ref:refs/heads/main",
    ),
    case(
        "a subject of one's own form",
        equals("sub", MAIN),
        failing="sub",
        fix="your organisation's own",
        sub="repository_id:7001:x",
    ),
    case("a literal wildcard", equals("sub", "repo:octo/shop:*"), failing="sub", fix="takes the wildcard"),
    case("a real wildcard", like("sub", "repo:octo/shop:*"), allowed=True),
    case("a question mark is one character", like("sub", "repo:octo/sho?:ref:refs/heads/mai?"), allowed=True),
    case("a question mark is not none", like("sub", MAIN + "?"), failing="sub"),
    case("a wildcard crosses slashes", like("sub", "repo:*main"), allowed=True),
    case("a written-out star", like("sub", "repo:octo/shop:${*}"), failing="sub"),
    case("ignoring case", ("StringEqualsIgnoreCase", "sub", MAIN.upper()), allowed=True),
    # other claims
    case("repository by id", equals("repository_id", "7001"), allowed=True),
    case("another repository's id", equals("repository_id", "8"), failing="repository_id", fix="'7001'"),
    case("repository by name", equals("repository", "octo/web"), failing="repository", fix="'octo/shop'"),
    case("a claim that this token has not", equals("enterprise_id", "1"), failing="enterprise_id", fix="has no claim"),
    case("no environment", equals("environment", "staging"), failing="environment", fix="`environment: staging`"),
    case(
        "wrong environment",
        equals("environment", "staging"),
        failing="environment",
        fix="environment: staging",
        environment="prod",
    ),
    case("right environment", equals("environment", "staging"), allowed=True, environment="staging"),
    case(
        "workflow at another ref",
        equals("job_workflow_ref", "octo/shop/.github/workflows/verify.yml@refs/heads/dev"),
        failing="job_workflow_ref",
        fix="another version",
    ),
    case("workflow at any ref", like("job_workflow_ref", "octo/shop/.github/workflows/verify.yml@*"), allowed=True),
    case("another ref", equals("ref", "refs/heads/dev"), failing="ref", fix="'refs/heads/dev'"),
    case("another actor", equals("actor", "hubot"), failing="actor", fix="'mona'"),
    case("an excluded actor", ("StringNotEquals", "actor", ["mona", "x"]), failing="actor", fix="excludes"),
    case("an actor who is not excluded", ("StringNotEquals", "actor", ["hubot"]), allowed=True),
    case("an excluded pattern", ("StringNotLike", "ref", "refs/heads/*"), failing="ref", fix="excludes"),
    case("two claims, the second fails", equals("repository_id", "7001"), equals("ref", "refs/tags/v1"), failing="ref"),
    case("key in other case", ("StringEquals", f"{HOST.upper()}:REPOSITORY_ID", "7001"), allowed=True),
    # keys that AWS does not read
    case("a claim that is not read", equals("repository_owner", "octo"), failing="repository_owner", fix=":repository"),
    case("a misspelt claim", equals("subject", MAIN), failing="subject", fix=":sub"),
    case(
        "another issuer's key",
        ("StringEquals", "accounts.google.com:sub", MAIN),
        failing="sub",
        fix="accounts.google.com",
    ),
    # what a missing claim meets
    case("a missing claim, negated", ("StringNotEquals", "environment", "prod"), allowed=True),
    case("a missing claim, if it exists", ("StringEqualsIfExists", "environment", "prod"), allowed=True),
    case(
        "a claim that exists", ("StringEqualsIfExists", "environment", "prod"), failing="environment", environment="dev"
    ),
    case("a missing claim, for all values", ("ForAllValues:StringLike", "environment", "prod"), allowed=True),
    case(
        "a missing claim, for any value",
        ("ForAnyValue:StringLike", "environment", "*"),
        failing="environment",
        fix="environment",
    ),
    case("for any value", ("ForAnyValue:StringEquals", "sub", [MAIN, "x"]), allowed=True),
    case("for all values", ("ForAllValues:StringEquals", "sub", "x"), failing="sub"),
    case("must be missing", ("Null", "environment", "true"), allowed=True),
    case("must be missing, and is not", ("Null", "environment", True), failing="environment", environment="x"),
    case("must be there", ("Null", "environment", "false"), failing="environment", fix="StringEquals"),
    case("must be there, and is", ("Null", "environment", "false"), allowed=True, environment="x"),
    case("an empty claim, for any value", ("ForAnyValue:StringEquals", "ref", ""), failing="ref", ref=""),
    case("an empty claim, for all values", ("ForAllValues:StringEquals", "ref", "x"), allowed=True, ref=""),
    case("a truth value", ("Bool", "environment", "TRUE"), allowed=True, environment="true"),
    # statements
    Golden("no condition", (statement(),), True),
    Golden("second statement", (statement(AUD, equals("sub", "x")), statement(AUD, equals("sub", MAIN))), True),
    Golden(
        "nearest of two",
        (statement(AUD, equals("sub", "x"), equals("ref", "y")), statement(AUD, equals("ref", "z"))),
        False,
        "ref",
        "'z'",
    ),
    Golden(
        "denied", (statement(AUD), statement(equals("actor", "mona"), effect="Deny")), False, "", "Take what denies"
    ),
    Golden("not denied", (statement(AUD), statement(equals("actor", "hubot"), effect="Deny")), True),
    Golden("only a deny", (statement(effect="Deny"),), False, "", "Take what denies"),
    Golden(
        "another provider", (statement(AUD, Principal={"Federated": PROVIDER + "/octo"}),), False, "", "Add a statement"
    ),
    Golden(
        "another account",
        (statement(AUD, Principal={"Federated": PROVIDER.replace(ACCOUNT, "9" * 12)}),),
        False,
        "",
        "Add a statement",
    ),
    Golden("an AWS principal", (statement(AUD, Principal={"AWS": "*"}),), False, "", "Add a statement"),
    Golden("several providers", (statement(AUD, Principal={"Federated": ["x", PROVIDER]}),), True),
    Golden("everyone", (statement(AUD, Principal="*"),), True),
    Golden("another action", (statement(AUD, Action="sts:AssumeRole"),), False, "", "Add a statement"),
    Golden("actions by pattern", (statement(AUD, Action=["s3:*", "STS:Assume*Identity"]),), True),
    Golden("all but an action", (statement(AUD, Action=None, NotAction="sts:AssumeRole"),), True),
    Golden("all but this action", (statement(AUD, Action=None, NotAction="sts:*"),), False, "", "Add a statement"),
    # the policy that is printed
    Golden("tight", TIGHT, True, claims=WANTED),
    Golden("tight, immutable", TIGHT, True, claims={**WANTED, "sub": "repo:octo@42/shop@7001:environment:staging"}),
    Golden(
        "tight, another repository of that name",
        TIGHT,
        False,
        "repository_id",
        "another repository",
        {**WANTED, "repository_id": "7002"},
    ),
    Golden(
        "tight, another workflow",
        TIGHT,
        False,
        "job_workflow_ref",
        "Another workflow",
        {**WANTED, "job_workflow_ref": "octo/shop/.github/workflows/evil.yml@refs/heads/main"},
    ),
]


def judged(golden: Golden) -> Evaluation:
    return evaluate(parsed(*golden.statements), request_of(claims(**golden.claims), parse_role(ROLE)))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda one: one.name)
def test_golden(golden: Golden) -> None:
    evaluation = judged(golden)
    assert evaluation.allowed is golden.allowed
    if golden.failing:
        assert evaluation.failing[0].condition.key.rpartition(":")[2] == golden.failing
        assert golden.failing in evaluation.reason
    if not golden.allowed:
        assert golden.fix in evaluation.fix
        assert evaluation.fix


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda one: one.name)
def test_the_double_says_the_same(golden: Golden) -> None:
    token = claims(**golden.claims)
    names = (
        "aud",
        "sub",
        "actor",
        "actor_id",
        "environment",
        "job_workflow_ref",
        "ref",
        "repository",
        "repository_id",
        "workflow",
    )
    context = {f"{HOST}:{name}": [said] for name in names if (said := token.text(name)) is not None}
    answer = iam_policy.allows(
        [document(*golden.statements)], action="sts:AssumeRoleWithWebIdentity", federated=PROVIDER, context=context
    )
    assert answer is golden.allowed


def test_there_are_enough_of_them() -> None:
    assert len(GOLDEN) >= 40
    assert len({golden.name for golden in GOLDEN}) == len(GOLDEN)


@pytest.mark.parametrize(
    "condition",
    [
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
        ("StringEquals", "aws:RequestTag/team", "x"),
        ("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
        ("StringNotEquals", "sts:SourceIdentity", "x"),
        ("ArnLike", "job_workflow_ref", "octo/*"),
        ("StringLike", "sub", "repo:${aws:PrincipalTag/owner}/*"),
        ("ForAnyValue:StringEqualsIfExists", "environment", "x"),
    ],
)
def test_what_cannot_be_known_here_is_not_guessed(condition: tuple[str, str, object]) -> None:
    request = request_of(claims(), parse_role(ROLE))
    assert evaluate(parsed(statement(AUD, condition)), request).allowed is None
    denied = evaluate(parsed(statement(AUD), statement(condition, effect="Deny")), request)
    assert denied.allowed is None
    assert "CloudTrail" in denied.fix
    # what fails for certain fails, whatever else is unknown
    assert evaluate(parsed(statement(("StringEquals", "aud", "x"), condition)), request).allowed is False


def test_not_principal_is_not_guessed() -> None:
    only = statement(AUD, Principal=None, NotPrincipal={"Federated": PROVIDER})
    assert evaluate(parsed(only), request_of(claims(), parse_role(ROLE))).allowed is None


def test_the_session_name_is_known_where_it_is_given() -> None:
    policy = parsed(statement(AUD, ("StringLike", "sts:RoleSessionName", "aegis-verify-*")))
    role = parse_role(ROLE)
    assert evaluate(policy, request_of(claims(), role, "aegis-verify-1-1")).allowed is True
    assert evaluate(policy, request_of(claims(), role, "other")).allowed is False
    assert evaluate(policy, request_of(claims(), role)).allowed is None


def test_without_a_role_the_provider_may_be_of_any_account() -> None:
    policy = parsed(statement(AUD, Principal={"Federated": PROVIDER.replace(ACCOUNT, "9" * 12)}))
    assert evaluate(policy, request_of(claims(), None)).allowed is True


def test_an_enterprise_has_an_issuer_of_its_own() -> None:
    token = claims(iss=f"https://{HOST}/octo-inc")
    named = statement(
        ("StringEquals", f"{HOST}/octo-inc:aud", "sts.amazonaws.com"), Principal={"Federated": PROVIDER + "/octo-inc"}
    )
    assert evaluate(parsed(named), request_of(token, parse_role(ROLE))).allowed is True
    other = evaluate(parsed(statement(AUD)), request_of(token, parse_role(ROLE)))
    assert other.allowed is False


def test_the_old_language_has_no_variables() -> None:
    only = statement(AUD, ("StringLike", "ref", "refs/heads/${*}"))
    role = parse_role(ROLE)
    old = parse_policy(json.dumps({"Statement": [only]}), name="old")
    # `${` and `}` are then plain characters around a wildcard
    assert evaluate(old, request_of(claims(ref="refs/heads/${x}"), role)).allowed is True
    assert evaluate(parsed(only), request_of(claims(ref="refs/heads/${x}"), role)).allowed is False


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ((statement(AUD),), "statement 1 allows it"),
        ((statement(AUD, Sid="Verify"),), "statement 1 (Verify) allows it"),
        (
            (statement(AUD, Action="sts:AssumeRole"),),
            f"no statement allows sts:AssumeRoleWithWebIdentity for {PROVIDER}",
        ),
        ((statement(AUD), statement(equals("actor", "mona"), effect="Deny")), "statement 2 denies it: StringEquals"),
        (
            (statement(AUD), statement(("IpAddress", "aws:SourceIp", "203.0.113.0/24"), effect="Deny")),
            "statement 1 fits, but another one may deny it",
        ),
        ((statement(AUD, ("IpAddress", "aws:SourceIp", "203.0.113.0/24")),), "aws:SourceIp: the token says nothing"),
        ((statement(AUD, equals("ref", "a", "b")),), "the token says 'refs/heads/main', the policy wants 'a' or 'b'"),
    ],
)
def test_the_reason_in_words(statements: tuple[dict[str, Any], ...], reason: str) -> None:
    assert reason in evaluate(parsed(*statements), request_of(claims(), parse_role(ROLE))).reason
