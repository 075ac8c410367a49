"""What is left to do by hand after `aegis init`: variables, secrets and rights that no file can hold."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.scaffold.choices import Choices


def steps(choices: Choices) -> str:
    """Numbered, in the order in which they help."""
    lines = [f"{number}. {step}" for number, step in enumerate(_steps(choices), 1)]
    return "Next:\n" + "\n".join(lines)


def _steps(choices: Choices) -> Iterator[str]:
    yield "Read what was written; name your adapters in aegis.yml; try the gates here, e.g. `aegis scan`."
    if "aws" in choices.clouds or (choices.store or "").startswith("s3:"):
        yield f"Variables AWS_ROLE_TO_ASSUME and AWS_REGION in the environment {choices.environment!r}."
    if "oci" in choices.clouds:
        yield f"Secrets OCI_CLIENT_ID and OCI_CLIENT_SECRET in the environment {choices.environment!r}."
    if "env:COSIGN_PUB_KEY" in choices.keys:
        yield f"Variable COSIGN_PUB_KEY in the environment {choices.environment!r}."
    if "backup-check" in choices.gates:
        yield "Environment 'backup' with AWS_ROLE_TO_ASSUME, AWS_REGION and the secret AEGIS_DATABASE_URL."
        if choices.recipients:
            yield f"Secret AEGIS_AGE_IDENTITY in the environment {choices.environment!r}."
    if not choices.owners:
        yield "Owners: run `aegis init --update --owner @org/team`, so that policies and workflows need a review."
    yield "Commit, open a pull request, and merge it; the gates judge by the base branch's policy from then on."
    yield "`aegis github protect` makes the checks required; `aegis doctor` says what is missing."
