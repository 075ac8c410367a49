"""What is left to do by hand after `aegis init`: variables, secrets and rights that no file can hold."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.scaffold.choices import Choices

_AWS = "AWS_ROLE_TO_ASSUME (a role of its own) and AWS_REGION"
_OCI = "OCI_CLIENT_ID and OCI_CLIENT_SECRET"


def steps(choices: Choices) -> str:
    """Numbered, in the order in which they help."""
    lines = [f"{number}. {step}" for number, step in enumerate(_steps(choices), 1)]
    return "Next:\n" + "\n".join(lines)


def _steps(choices: Choices) -> Iterator[str]:
    yield "Read what was written; name your adapters in aegis.yml; try the gates here, e.g. `aegis scan`."
    if "verify" in choices.gates:
        if "aws" in choices.clouds:
            yield f"Variables {_AWS} in the environment {choices.environment!r}."
        if "oci" in choices.clouds:
            yield f"Secrets {_OCI} in the environment {choices.environment!r}."
        if "env:COSIGN_PUB_KEY" in choices.keys:
            yield f"Variable COSIGN_PUB_KEY in the environment {choices.environment!r}."
    alone = f"for the branch {choices.branch!r} alone"
    if "backup-check" in choices.gates:
        yield f"Environment 'backup', {alone}: {_AWS}, the secret AEGIS_DATABASE_URL."
        key = ", the secret AEGIS_AGE_IDENTITY" if choices.recipients else ""
        yield f"Environment {choices.drill_environment!r}, {alone}: {_AWS}{key}."
    if "canary" in choices.gates:
        yield (f"Environment {choices.deploy_environment!r}, {alone}: the secret AEGIS_KUBECONFIG; in AWS also {_AWS}.")
    if choices.evidence is not None:
        oci = choices.evidence.startswith("oci://")
        access, bucket = (f"secrets {_OCI}", "versions") if oci else (_AWS, "Object Lock")
        yield f"Environment 'evidence', {alone}: {access}; a bucket with {bucket} for {choices.evidence}."
    if choices.terraform:
        yield "Copy infra/terraform, run `terraform init`, and commit .terraform.lock.hcl."
        yield "Environment 'terraform-plan': variables TERRAFORM_ROLE (one that only reads) and AWS_REGION."
        yield (
            f"Environment 'terraform-apply', {alone}, with required reviewers: variables TERRAFORM_ROLE (the one that "
            "changes things) and AWS_REGION, the secret DB_PASSWORD."
        )
    if not choices.owners:
        yield "Owners: run `aegis init --update --owner @org/team`, so that policies and workflows need a review."
    yield "Commit, open a pull request, and merge it; the gates judge by the base branch's policy from then on."
    yield "`aegis github protect` makes the checks required; `aegis doctor` says what is missing."
