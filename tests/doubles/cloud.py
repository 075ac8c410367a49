"""A cloud on loopback for whole jobs: GitHub's issuer, an STS that trusts it, and an S3 that asks that STS.

What a session may read is decided as AWS decides it: by the role's own policy, which here allows everything, and by
the session policy that the job asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from aegis.identity.trust_policy import TrustedJob, aws_trust_policy
from tests.doubles import github_oidc
from tests.doubles.aws import s3, sts

ACCOUNT, ROLE, REGION, BUCKET = "123456789012", "aegis-verify", "eu-central-1", "octo-models-staging"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
ENVIRONMENT = "staging"
JOB = TrustedJob(
    repository="octo/shop",
    owner_id="42",
    repository_id="7001",
    workflow=".github/workflows/check.yml",
    environment=ENVIRONMENT,
)
"""The job that the role trusts unless a test says otherwise."""
_EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}


@dataclass(frozen=True)
class Cloud:
    """Everything that runs; each part keeps its script and what it was asked."""

    issuer: github_oidc.Issuer
    sts: sts.Sts
    s3: s3.S3

    @property
    def job(self) -> dict[str, str]:
        """What GitHub's runner adds to the environment of a job with `id-token: write`."""
        environ = self.issuer.environ
        return {name: environ[name] for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")}

    @property
    def places(self) -> dict[str, str]:
        """The addresses for `verify.aws` of a policy: the environment cannot name them."""
        return {"sts-endpoint": self.sts.address, "s3-endpoint": self.s3.address}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no log and in no file."""
        tokens = self.issuer.minted
        signatures = [token.rpartition(".")[2] for token in tokens]
        sessions = [secret for session in self.sts.sessions.values() for secret in session.secrets]
        return (github_oidc.BEARER, *tokens, *signatures, *sessions)

    def put(self, files: Mapping[str, bytes], prefix: str = "") -> None:
        """Upload objects to the staging bucket."""
        for name, content in files.items():
            self.s3.put(prefix + name, content, bucket=BUCKET)

    def trust(self, job: TrustedJob | None = None, **changes: Any) -> None:
        """Have the role trust another job."""
        trusted = aws_trust_policy(replace(job or JOB, **changes), account=ACCOUNT)
        self.sts.roles = (sts.Role(ROLE, trusted, (_EVERYTHING,)),)

    def read(self) -> list[str]:
        """The keys of the objects whose content was asked for."""
        return [asked.key for asked in self.s3.asked if asked.operation == "GetObject"]


@contextmanager
def cloud(workflow: str = JOB.workflow) -> Iterator[Cloud]:
    """Serve it on free ports until the block ends. `workflow` is the one that the token says it runs."""
    claims = github_oidc.claims(
        sub=f"repo:octo/shop:environment:{ENVIRONMENT}",
        environment=ENVIRONMENT,
        workflow_ref=f"octo/shop/{workflow}@refs/heads/main",
        job_workflow_ref=f"octo/shop/{workflow}@refs/heads/main",
    )
    with ExitStack() as stack:
        issuer = stack.enter_context(github_oidc.serve(github_oidc.Issuer(claims=claims)))
        provider = sts.Provider(github_oidc.ISSUER, issuer.address)
        exchange = stack.enter_context(sts.serve(sts.Sts(account=ACCOUNT, providers=(provider,))))
        buckets: dict[str, dict[str, list[s3.Version]]] = {BUCKET: {}}
        store = stack.enter_context(s3.serve(s3.S3(buckets=buckets, authorizer=exchange, region=REGION)))
        running = Cloud(issuer, exchange, store)
        running.trust(workflow=workflow)
        yield running
