"""Trust policies for tokens of the tests' own issuer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aegis.identity.claims import Claims, decode
from aegis.identity.policy_document import PolicyDocument, parse_policy
from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles import github_oidc

HOST = "token.actions.githubusercontent.com"
ACCOUNT = "123456789012"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aegis-verify"
JOB = TrustedJob(
    repository="octo/shop",
    owner_id="42",
    repository_id="7001",
    workflow=".github/workflows/verify.yml",
    environment="staging",
    refs=("refs/heads/main",),
)
WANTED: dict[str, Any] = {"sub": "repo:octo/shop:environment:staging", "environment": "staging"}
"""Claims of a token that JOB's policy allows, beside those that every token of the issuer has."""


def statement(*conditions: tuple[str, str, object], effect: str = "Allow", **elements: object) -> dict[str, Any]:
    """A statement for GitHub's tokens; each condition is operator, claim (or whole key), value or values."""
    block: dict[str, dict[str, object]] = {}
    for operator, claim, wanted in conditions:
        block.setdefault(operator, {})[claim if ":" in claim else f"{HOST}:{claim}"] = wanted
    written = {
        "Effect": effect,
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **({"Condition": block} if block else {}),
        **elements,
    }
    return {name: value for name, value in written.items() if value is not None}


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def parsed(*statements: Mapping[str, Any], name: str = "trust.json") -> PolicyDocument:
    """The same, as the product reads it."""
    return parse_policy(json.dumps(document(*statements)), name=name)


def claims(**changes: Any) -> Claims:
    """The claims of a token of the issuer, with changes; None takes one out."""
    return decode(github_oidc.Issuer().token(**changes))


def tight() -> dict[str, Any]:
    """The policy that the product prints for JOB."""
    return aws_trust_policy(JOB, account=ACCOUNT)
