"""What stays to be done by hand: each variable and secret by the environment that it belongs to."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from aegis.cli.init.next import steps
from aegis.scaffold import templates, workflows
from aegis.scaffold.choices import Artifact, Choices, check

WHOLE = check(
    Choices(
        gates=("scan", "verify", "canary", "backup-check"),
        repository="octo/widgets",
        artifacts=(Artifact("ranking", "s3://models/ranking/"),),
        environment="checks",
        drill_environment="trial",
        deploy_environment="live",
        store="s3://backups/postgresql/",
        databases=("shop",),
        recipients=("age1" + "q" * 58, "age1" + "p" * 58),
        prometheus="https://prometheus.example.org",
        rollout="shop/web",
        terraform=True,
    )
)


def lines(choices: Choices, environment: str) -> list[str]:
    """The steps that name an environment."""
    return [line for line in steps(choices).splitlines() if f"environment '{environment}'" in line.lower()]


@pytest.mark.parametrize(
    ("environment", "held"),
    [
        ("checks", {"AWS_ROLE_TO_ASSUME", "AWS_REGION"}),
        ("trial", {"AWS_ROLE_TO_ASSUME", "AWS_REGION", "AEGIS_AGE_IDENTITY"}),
        ("live", {"AEGIS_KUBECONFIG", "AWS_ROLE_TO_ASSUME", "AWS_REGION"}),
        ("backup", {"AWS_ROLE_TO_ASSUME", "AWS_REGION", "AEGIS_DATABASE_URL"}),
        ("terraform-plan", {"TERRAFORM_ROLE", "AWS_REGION"}),
        ("terraform-apply", {"TERRAFORM_ROLE", "AWS_REGION", "DB_PASSWORD"}),
    ],
)
def test_each_environment_is_told_what_it_holds(environment: str, held: set[str]) -> None:
    (line,) = lines(WHOLE, environment)
    assert set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", line)) == held


def test_the_password_and_the_age_key_are_in_one_environment_each() -> None:
    for secret in ("DB_PASSWORD", "AEGIS_AGE_IDENTITY", "AEGIS_DATABASE_URL", "AEGIS_KUBECONFIG"):
        assert sum(secret in line for line in steps(WHOLE).splitlines()) == 1


def test_who_approves_an_apply_is_said_and_what_it_needs_in_the_repository() -> None:
    (line,) = lines(WHOLE, "terraform-apply")
    assert "reviewers" in line
    assert "'main' alone" in line
    assert "infra/terraform" in steps(WHOLE)
    assert ".terraform.lock.hcl" in steps(WHOLE)


def test_branches_are_told_to_those_that_pull_requests_do_not_use() -> None:
    for environment in ("trial", "live", "backup", "terraform-apply"):
        (line,) = lines(WHOLE, environment)
        assert "'main' alone" in line


def test_nothing_is_asked_for_that_nothing_uses() -> None:
    scan = replace(WHOLE, gates=("scan",), artifacts=(), store=None, databases=(), recipients=(), terraform=False)
    assert not re.search("environment|TERRAFORM|AWS|AGE", steps(scan))


@pytest.mark.parametrize("gates", [("scan",), ("scan", "backup-check")])
def test_a_job_that_needs_no_credentials_asks_for_none(gates: tuple[str, ...]) -> None:
    one = replace(WHOLE, gates=gates, artifacts=(), workflows="one")
    text = templates.render("workflows/aegis.yml.j2", workflows.values(one))
    assert "id-token" not in text
    assert "environment:" not in text
