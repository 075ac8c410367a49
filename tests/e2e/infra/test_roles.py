"""Who may take the roles that stand in the account after the apply, and what they may do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aegis.cli.main import main
from aegis.identity.lint import Severity, lint_policy
from aegis.identity.policy_document import parse_policy
from aegis.identity.session_policy import ReadNeed, WriteNeed, session_policy
from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles.aws import iam_policy
from tests.e2e.infra.conftest import ISSUER, Aws

pytestmark = pytest.mark.xdist_group("terraform")

HOST = "token.actions.githubusercontent.com"
JOBS = ("verify", "drill", "canary", "evidence")
PODS = {"api": "aegis", "backup-writer": "aegis-backup", "backup-reader": "aegis-restore"}
SECRETS = "aegis-secrets"
"""The service account by whose token External Secrets asks; no pod runs as it."""
STAGING = {
    "aud": "sts.amazonaws.com",
    "sub": "repo:octo/shop:environment:staging",
    "repository_id": "7001",
    "environment": "staging",
}
DRILL = STAGING | {
    "sub": "repo:octo/shop:environment:drill",
    "environment": "drill",
    "ref": "refs/heads/main",
    "job_workflow_ref": "octo/shop/.github/workflows/backup-check.yml@refs/heads/main",
}
CANARY = DRILL | {
    "sub": "repo:octo/shop:environment:production",
    "environment": "production",
    "job_workflow_ref": "octo/shop/.github/workflows/canary.yml@refs/heads/main",
}
EVIDENCE = DRILL | {
    "sub": "repo:octo/shop:environment:evidence",
    "environment": "evidence",
    "job_workflow_ref": "octo/shop/.github/workflows/aegis.yml@refs/heads/main",
}
IDS = "repo:octo@42/shop@7001:environment:staging"


def trust(aws: Aws, role: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.moto.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    return found


def rights(aws: Aws, role: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.moto.client("iam").get_role_policy(RoleName=role, PolicyName="may")["PolicyDocument"]
    return found


@pytest.mark.parametrize("job", JOBS)
def test_our_own_lint_finds_nothing(staging: Aws, job: str) -> None:
    text = json.dumps(trust(staging, f"aegis-staging-github-{job}"))
    findings = lint_policy(parse_policy(text, name=job))
    # that any branch can name the environment is for the repository's settings to forbid
    assert {(one.rule, one.severity) for one in findings} <= {("environment-without-ref", Severity.NOTE)}
    assert job == "verify" or findings == []
    assert len(text) <= 2048
    assert "*" not in text


def test_the_command_says_the_same(staging: Aws, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for job in JOBS:
        file = tmp_path / f"{job}.json"
        file.write_text(json.dumps(trust(staging, f"aegis-staging-github-{job}")), encoding="utf-8")
        files.append(str(file))
    assert main(["credentials", "lint", *files]) == 0
    assert "4 file(s), 0 finding(s), 1 note(s)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("job", "environment", "workflow"),
    [
        ("drill", "drill", "backup-check.yml"),
        ("canary", "production", "canary.yml"),
        ("evidence", "evidence", "aegis.yml"),
    ],
)
def test_it_is_the_policy_that_the_command_prints(staging: Aws, job: str, environment: str, workflow: str) -> None:
    wanted = aws_trust_policy(
        TrustedJob(
            repository="octo/shop",
            owner_id="42",
            repository_id="7001",
            workflow=f".github/workflows/{workflow}",
            environment=environment,
            refs=("refs/heads/main",),
        ),
        account=staging.moto.account,
    )
    have = trust(staging, f"aegis-staging-github-{job}")
    for document in (wanted, have):
        document["Statement"][0].pop("Sid")
    assert have == wanted


@pytest.mark.parametrize(
    ("job", "claims"),
    [
        ("verify", STAGING),
        ("verify", STAGING | {"sub": IDS}),
        ("verify", STAGING | {"ref": "refs/pull/7/merge"}),
        ("drill", DRILL),
        ("drill", DRILL | {"sub": IDS.replace("staging", "drill")}),
        ("canary", CANARY),
        ("evidence", EVIDENCE),
    ],
)
def test_a_job_of_the_repository_gets_in(staging: Aws, job: str, claims: dict[str, str]) -> None:
    assert taken(staging, job, claims)


@pytest.mark.parametrize(
    ("job", "changes"),
    [
        ("verify", {"sub": "repo:octo/other:environment:staging"}),
        ("verify", {"sub": "repo:evil/shop:environment:staging"}),
        ("verify", {"sub": "repo:octo/shop:environment:production", "environment": "production"}),
        ("verify", {"sub": "repo:octo/shop:ref:refs/heads/main", "environment": None}),
        ("verify", {"sub": "repo:octo/shop:pull_request", "environment": None}),
        ("verify", {"sub": "repo:Octo/shop:environment:staging"}),
        ("verify", {"aud": "https://github.com/octo"}),
        ("verify", {"repository_id": "7002"}),
        ("verify", {"repository_id": None}),
        ("verify", {"sub": "repo:octo@42/shop@7002:environment:staging"}),
        ("verify", {"sub": None}),
        # what a pull request's job can be
        ("drill", {"sub": "repo:octo/shop:environment:staging", "environment": "staging"}),
        ("canary", {"sub": "repo:octo/shop:environment:staging", "environment": "staging"}),
        ("drill", {"ref": "refs/heads/feature"}),
        ("drill", {"job_workflow_ref": "octo/shop/.github/workflows/evil.yml@refs/heads/main"}),
        ("drill", {"ref": None}),
        ("canary", {}),
        ("evidence", {"sub": "repo:octo/shop:environment:staging", "environment": "staging"}),
        ("evidence", EVIDENCE | {"ref": "refs/heads/feature"}),
        ("evidence", EVIDENCE | {"job_workflow_ref": "octo/shop/.github/workflows/canary.yml@refs/heads/main"}),
    ],
)
def test_any_other_does_not(staging: Aws, job: str, changes: dict[str, str | None]) -> None:
    claims = {**(STAGING if job == "verify" else DRILL), **changes}
    assert not taken(staging, job, {name: value for name, value in claims.items() if value is not None})


def taken(aws: Aws, job: str, claims: dict[str, str]) -> bool:
    account = aws.moto.account
    return iam_policy.allows(
        [trust(aws, f"aegis-staging-github-{job}")],
        action="sts:AssumeRoleWithWebIdentity",
        federated=f"arn:aws:iam::{account}:oidc-provider/{HOST}",
        context={f"{HOST}:{claim}": [value] for claim, value in claims.items()},
    )


@pytest.mark.parametrize("pod", PODS)
def test_pods_are_named_by_namespace_and_account(staging: Aws, pod: str) -> None:
    agent, issuer = trust(staging, f"aegis-staging-{pod}")["Statement"]
    assert agent["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert list(issuer["Principal"]) == ["Federated"]
    assert agent["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": staging.moto.account,
            "aws:RequestTag/kubernetes-namespace": "aegis",
            "aws:RequestTag/kubernetes-service-account": PODS[pod],
        }
    }


@pytest.mark.parametrize(("role", "account"), [*PODS.items(), ("secrets", SECRETS)])
def test_a_token_of_the_service_account_takes_its_role(staging: Aws, role: str, account: str) -> None:
    assert taken_in_the_cluster(staging, role, {"sub": f"system:serviceaccount:aegis:{account}"})


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "system:serviceaccount:aegis:aegis"},
        {"sub": "system:serviceaccount:aegis:aegis-secrets-2"},
        {"sub": "system:serviceaccount:default:aegis-secrets"},
        {"sub": "system:serviceaccount:external-secrets:external-secrets"},
        {"sub": None},
        {"aud": "https://kubernetes.default.svc"},
        {"aud": None},
        {"issuer": "oidc.eks.eu-central-1.amazonaws.com/id/ABD"},
        {"issuer": "token.actions.githubusercontent.com"},
    ],
)
def test_no_other_token_takes_the_role_that_reads_secrets(staging: Aws, changes: dict[str, str | None]) -> None:
    assert not taken_in_the_cluster(staging, "secrets", {"sub": f"system:serviceaccount:aegis:{SECRETS}", **changes})


def test_nor_does_any_pod_identity(staging: Aws) -> None:
    """The operator cannot ask by it for another service account, so it would be a way in for others alone."""
    (statement,) = trust(staging, "aegis-staging-secrets")["Statement"]
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{staging.moto.account}:oidc-provider/{ISSUER}"}
    assert statement["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert "*" not in json.dumps(statement)


def taken_in_the_cluster(aws: Aws, role: str, changes: dict[str, str | None]) -> bool:
    """By a token that the cluster, or another issuer, has signed."""
    claims = {"issuer": ISSUER, "aud": "sts.amazonaws.com", **changes}
    issuer = claims.pop("issuer")
    return iam_policy.allows(
        [trust(aws, f"aegis-staging-{role}")],
        action="sts:AssumeRoleWithWebIdentity",
        federated=f"arn:aws:iam::{aws.moto.account}:oidc-provider/{issuer}",
        context={f"{issuer}:{claim}": [value] for claim, value in claims.items() if value is not None},
    )


@pytest.mark.parametrize("secret", ["aegis-staging/database", "aegis-audit-AbC123", "aegis-cosign-AbC123"])
def test_external_secrets_reads_what_the_service_needs(staging: Aws, secret: str) -> None:
    where = password_arn(staging) if secret.endswith("/database") else secret_arn(staging, secret)
    assert reads(staging, "secrets", where)


@pytest.mark.parametrize(
    "secret",
    [
        "shop-AbC123",
        "aegis-AbC123",
        "aegis-audit-2-AbC123",
        "aegis-audit-AbC1234",
        "aegis-audit",
        "old/aegis-audit-AbC123",
        "aegis-production/database-AbC123",
        # made anew under the name, by whomever: its ARN is another
        "aegis-staging/database-AbC123",
        "*",
    ],
)
def test_and_no_other_secret(staging: Aws, secret: str) -> None:
    assert not reads(staging, "secrets", secret_arn(staging, secret))


def test_nor_one_of_another_region_or_account(staging: Aws) -> None:
    for where in (password_arn(staging), secret_arn(staging, "aegis-audit-AbC123")):
        assert reads(staging, "secrets", where)
        for part, other in (("eu-central-1", "eu-west-1"), (staging.moto.account, "123456789012")):
            assert part in where
            assert not reads(staging, "secrets", where.replace(part, other))


@pytest.mark.parametrize(
    "action",
    [
        *("BatchGetSecretValue", "CancelRotateSecret", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret"),
        *("DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds", "ListSecrets", "PutResourcePolicy"),
        *("PutSecretValue", "ReplicateSecretToRegions", "RotateSecret", "TagResource", "UpdateSecret"),
    ],
)
def test_it_reads_and_does_nothing_else(staging: Aws, action: str) -> None:
    for where in (password_arn(staging), secret_arn(staging, "aegis-audit-AbC123")):
        assert not reads(staging, "secrets", where, action=f"secretsmanager:{action}")


@pytest.mark.parametrize("role", [*PODS, *(f"github-{job}" for job in JOBS)])
def test_no_other_role_reads_secrets(staging: Aws, role: str) -> None:
    assert not reads(staging, role, password_arn(staging))


def password_arn(aws: Aws) -> str:
    found: str = aws.moto.client("secretsmanager").describe_secret(SecretId="aegis-staging/database")["ARN"]
    return found


def secret_arn(aws: Aws, secret: str) -> str:
    return f"arn:aws:secretsmanager:eu-central-1:{aws.moto.account}:secret:{secret}"


def reads(aws: Aws, role: str, where: str, *, action: str = "secretsmanager:GetSecretValue") -> bool:
    return iam_policy.allows([rights(aws, f"aegis-staging-{role}")], action=action, resource=where, context={})


@pytest.mark.parametrize("role", ["github-verify", "api"])
def test_verifying_reads_the_staging_prefix_as_the_gate_asks_for_it(staging: Aws, role: str) -> None:
    """The role's rights are those of the session that the gate asks for: not less, and not more."""
    bucket = f"aegis-staging-models-{staging.moto.account}"
    have = rights(staging, f"aegis-staging-{role}")
    assert same(have) == same(json.loads(session_policy([ReadNeed(bucket, ("staging/",))])))
    assert lint_policy(parse_policy(json.dumps(have), name=role)) == []


def test_the_writer_writes_backups_as_the_gate_asks_for_it(staging: Aws) -> None:
    bucket = f"aegis-staging-backups-{staging.moto.account}"
    asked = session_policy(
        [ReadNeed(bucket, ("postgresql/",))], writes=[WriteNeed(bucket, ("postgresql/aegis/",), "latest")]
    )
    assert same(rights(staging, "aegis-staging-backup-writer")) == same(json.loads(asked))


def test_verdicts_are_kept_as_the_command_asks_for_it(staging: Aws) -> None:
    bucket = f"aegis-staging-evidence-{staging.moto.account}"
    asked = session_policy(
        [ReadNeed(bucket, ("verdicts/",))], writes=[WriteNeed(bucket, ("verdicts/",), "nothing", retain=True)]
    )
    assert same(rights(staging, "aegis-staging-github-evidence")) == same(json.loads(asked))


def test_a_verdict_is_held_fast_until_its_day(staging: Aws) -> None:
    """By the bucket: of the three it alone takes such a day."""
    s3 = staging.moto.client("s3")
    account = staging.moto.account
    found = s3.get_object_lock_configuration(Bucket=f"aegis-staging-evidence-{account}")["ObjectLockConfiguration"]
    assert found["ObjectLockEnabled"] == "Enabled"
    for other in ("models", "backups"):
        with pytest.raises(ClientError, match="ObjectLockConfigurationNotFoundError"):
            s3.get_object_lock_configuration(Bucket=f"aegis-staging-{other}-{account}")


def test_the_reader_writes_nothing_but_records(staging: Aws) -> None:
    bucket = f"aegis-staging-backups-{staging.moto.account}"
    for role in ("backup-reader", "github-drill"):
        writes = {
            (action, where) for action, where, _ in same(rights(staging, f"aegis-staging-{role}")) if "Put" in action
        }
        assert writes == {("s3:PutObject", f"arn:aws:s3:::{bucket}/postgresql/_records/*")}


@pytest.mark.parametrize(
    ("role", "action", "where", "context"),
    [
        ("github-verify", "s3:PutObject", "models/staging/a", {}),
        ("github-verify", "s3:DeleteObject", "models/staging/a", {}),
        ("github-verify", "s3:GetObject", "models/production/a", {}),
        ("github-verify", "s3:GetObject", "backups/postgresql/aegis/x", {}),
        ("github-verify", "s3:ListBucket", "models", {}),
        ("github-verify", "s3:ListBucket", "models", {"s3:prefix": ["production/"]}),
        ("github-drill", "s3:DeleteObject", "backups/postgresql/aegis/x", {}),
        ("github-drill", "s3:PutObject", "backups/postgresql/aegis/x", {}),
        ("github-drill", "s3:GetObject", "models/staging/a", {}),
        ("github-canary", "s3:GetObject", "models/staging/a", {}),
        ("github-canary", "s3:GetObject", "models/verdicts/a", {}),
        ("github-canary", "s3:PutObject", "evidence/verdicts/a", {}),
        ("github-evidence", "s3:DeleteObject", "evidence/verdicts/a", {}),
        ("github-evidence", "s3:DeleteObjectVersion", "evidence/verdicts/a", {}),
        ("github-evidence", "s3:BypassGovernanceRetention", "evidence/verdicts/a", {}),
        ("github-evidence", "s3:PutObject", "evidence/a", {}),
        ("github-evidence", "s3:PutObject", "models/staging/a", {}),
        ("github-evidence", "s3:GetObject", "models/staging/a", {}),
        ("github-verify", "s3:PutObject", "evidence/verdicts/a", {}),
        ("backup-writer", "s3:PutObject", "backups/postgresql/_records/aegis/x", {}),
        ("backup-writer", "s3:DeleteObjectVersion", "backups/postgresql/aegis/x", {}),
        ("backup-reader", "s3:DeleteObject", "backups/postgresql/_records/x", {}),
        ("api", "s3:PutObject", "models/staging/a", {}),
        ("secrets", "s3:GetObject", "models/staging/a", {}),
        ("secrets", "s3:GetObject", "backups/postgresql/aegis/x", {}),
    ],
)
def test_what_no_role_may(staging: Aws, role: str, action: str, where: str, context: dict[str, list[str]]) -> None:
    assert not may(staging, role, action, where, context)


@pytest.mark.parametrize(
    ("role", "action", "where", "context"),
    [
        ("github-verify", "s3:GetObject", "models/staging/a", {}),
        ("github-verify", "s3:ListBucket", "models", {"s3:prefix": ["staging/"]}),
        ("github-drill", "s3:GetObject", "backups/postgresql/aegis/x", {}),
        ("github-canary", "s3:GetObject", "evidence/verdicts/a/scan.sigstore.json", {}),
        ("github-canary", "s3:ListBucketVersions", "evidence", {"s3:prefix": ["verdicts/sha256/"]}),
        ("github-evidence", "s3:PutObject", "evidence/verdicts/commit/a", {}),
        ("github-evidence", "s3:PutObjectRetention", "evidence/verdicts/commit/a", {}),
        ("backup-writer", "s3:PutObject", "backups/postgresql/aegis/x", {}),
        ("backup-reader", "s3:PutObject", "backups/postgresql/_records/x", {}),
    ],
)
def test_what_they_may(staging: Aws, role: str, action: str, where: str, context: dict[str, list[str]]) -> None:
    assert may(staging, role, action, where, context)


def may(aws: Aws, role: str, action: str, where: str, context: dict[str, list[str]]) -> bool:
    kind, _, key = where.partition("/")
    arn = f"arn:aws:s3:::aegis-staging-{kind}-{aws.moto.account}" + (f"/{key}" if key else "")
    return iam_policy.allows([rights(aws, f"aegis-staging-{role}")], action=action, resource=arn, context=context)


def same(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Each action on each resource under each condition."""
    found = set()
    for statement in document["Statement"]:
        condition = json.dumps(
            {key: values if isinstance(values, list) else [values]
             for block in statement.get("Condition", {}).values() for key, values in block.items()}
        )  # fmt: skip
        for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
            for where in [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]:
                found.add((action, where, condition))
    return found
