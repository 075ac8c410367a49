"""Whole trust policies as people write them: what the lint command refuses, and what it lets pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aegis.identity.lint import Severity, lint_policy
from aegis.identity.policy_document import parse_policy
from tests.support.tokens.trusts import HOST, PROVIDER, document, statement, tight

AUD = ("StringEquals", "aud", "sts.amazonaws.com")
ID = ("StringEquals", "repository_id", "7001")
ENVIRONMENT = [f"repo:{name}:environment:staging" for name in ("octo/shop", "octo@42/shop@7001")]
SUB = ("StringEquals", "sub", ENVIRONMENT)


def like(value: str | list[str]) -> dict[str, Any]:
    return statement(AUD, ("StringLike", "sub", value))


REFUSED: dict[str, dict[str, Any]] = {
    "no condition at all": statement(),
    "audience only": statement(AUD),
    "subject only": statement(SUB),
    "every repository": like("repo:*"),
    "every repository of an owner": like("repo:octo/*"),
    "every repository of an owner, both forms": like(["repo:octo/*", "repo:octo@42/*"]),
    "every owner": like("repo:*/shop:environment:staging"),
    "owners that begin so": like("repo:octo*/shop:environment:staging"),
    "repositories that begin so": like("repo:octo/shop*:environment:staging"),
    "one letter open": like("repo:octo/sho?:environment:staging"),
    "every context": like("repo:octo/shop:*"),
    "star alone": like("*"),
    "one good, one star": like([*ENVIRONMENT, "*"]),
    "ForAllValues, as thanked for on the web": statement(("ForAllValues:StringLike", "sub", "repo:octo/*")),
    "ForAllValues on the right values": statement(AUD, ("ForAllValues:StringEquals", "sub", ENVIRONMENT)),
    "IfExists": statement(AUD, ("StringEqualsIfExists", "sub", ENVIRONMENT)),
    "audience IfExists": statement(("StringEqualsIfExists", "aud", "sts.amazonaws.com"), SUB),
    "a claim is there, whatever it says": statement(AUD, ("Null", "sub", "false")),
    "everything but one": statement(AUD, ("StringNotEquals", "sub", "repo:evil/x:ref:refs/heads/main")),
    "a wildcard in StringEquals": statement(AUD, ("StringEquals", "sub", "repo:octo/shop:*")),
    "a misspelt claim": statement(AUD, ID, ("StringEquals", "enviroment", "staging")),
    "a claim that AWS does not read": statement(AUD, ID, ("StringEquals", "repository_owner", "octo")),
    "a person only": statement(AUD, ("StringEquals", "actor", "mona")),
    "the audience of another cloud": statement(("StringEquals", "aud", "https://cloud.oracle.com"), SUB, ID),
    "the default audience": statement(("StringEquals", "aud", "https://github.com/octo"), SUB, ID),
    "anybody's tokens": statement(AUD, Principal="*"),
    "the name's form only": statement(AUD, ("StringEquals", "sub", ENVIRONMENT[0])),
    "the ids' form only": statement(AUD, ("StringEquals", "sub", ENVIRONMENT[1])),
    "pull requests with a branch": statement(
        AUD, ID, ("StringEquals", "sub", ["repo:octo/shop:pull_request", "repo:octo/shop:ref:refs/heads/main"])
    ),
    "somebody else's workflow by a branch": statement(
        AUD, SUB, ID, ("StringEquals", "job_workflow_ref", "acme/ci/.github/workflows/v.yml@refs/heads/main")
    ),
}
PASSED: dict[str, dict[str, Any]] = {
    "what the command prints": tight()["Statement"][0],
    "environment in both forms": statement(AUD, SUB),
    "environment and id": statement(AUD, SUB, ID),
    "id and environment as claims": statement(AUD, ID, ("StringEquals", "environment", "staging")),
    "id and branch": statement(AUD, ID, ("StringEquals", "ref", "refs/heads/main")),
    "branch in both forms": statement(
        AUD, ("StringEquals", "sub", [f"repo:{one}:ref:refs/heads/main" for one in ("octo/shop", "octo@42/shop@7001")])
    ),
    "tags of one repository": statement(AUD, ID, ("StringLike", "ref", "refs/tags/v*")),
    "pull requests alone": statement(AUD, ID, ("StringLike", "ref", "refs/pull/*/merge")),
    "an audience of one's own": statement(("StringEquals", "aud", "acme-verify"), SUB, ID),
    "a workflow of a commit": statement(
        AUD, SUB, ID, ("StringEquals", "job_workflow_ref", f"acme/ci/.github/workflows/v.yml@{'a' * 40}")
    ),
    "its own workflow on main": statement(
        AUD, SUB, ID, ("StringEquals", "job_workflow_ref", "octo/shop/.github/workflows/v.yml@refs/heads/main")
    ),
    "AWS's other keys beside": statement(AUD, SUB, ID, ("Bool", "aws:SecureTransport", "true")),
    "another provider, which is none of ours": statement(
        ("StringEquals", "sub", "x"), Principal={"Federated": PROVIDER.replace(HOST, "gitlab.com")}
    ),
}


def counted(written: dict[str, Any]) -> set[str]:
    """The rules for which `aegis credentials lint` ends with 1."""
    findings = lint_policy(parse_policy(json.dumps(document(written)), name="trust.json"))
    return {finding.rule for finding in findings if finding.severity > Severity.NOTE}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    assert counted(REFUSED[name])


@pytest.mark.parametrize("name", PASSED)
def test_passed(name: str) -> None:
    assert counted(PASSED[name]) == set()


def test_there_are_enough() -> None:
    assert len(REFUSED) >= 20
    assert len(PASSED) >= 10
