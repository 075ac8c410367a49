"""`aegis credentials exec` and `process`: AWS credentials for another tool, never for a whole job.

They read just what the policy's artifacts need, whatever else the role may do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping

from msgspec import structs

from aegis.cli.credentials.documents import read
from aegis.cli.masking import masker
from aegis.cli.surroundings import read_event
from aegis.core.errors import UsageError
from aegis.core.policy import Aws
from aegis.core.policy_file import parse_policy
from aegis.core.ports.credentials import AwsCredentials
from aegis.core.verdict import EXIT_PASS

_REMOVED = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
"""With these the command could get credentials of its own, without a session policy."""


def run_command(arguments: argparse.Namespace) -> int:
    """Become the command: its signals and its exit code are then its own, and nobody else keeps the credentials."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise _wrong("no command is given", "aegis credentials exec -- COMMAND …")
    credentials, aws = _obtained(arguments, os.environ, masker(os.environ))
    sys.stderr.write(f"aegis: credentials until {_end(credentials)}; they cannot be renewed in a running command\n")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name not in _REMOVED
    }
    environ |= {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token or "",
        "AWS_CREDENTIAL_EXPIRATION": _end(credentials),
        "AWS_REGION": aws.region or "",
        "AWS_DEFAULT_REGION": aws.region or "",
    }
    if aws.s3_endpoint is not None:
        environ["AWS_ENDPOINT_URL_S3"] = aws.s3_endpoint
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - the command is what the user asked to run
    except (OSError, ValueError) as error:
        raise _wrong(f"{command[0]!r} cannot be run: {type(error).__name__}", "a program on PATH") from error


def print_for_sdk(arguments: argparse.Namespace) -> int:
    """Version 1 of the protocol (https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html)."""
    if sys.stdout.isatty():
        raise _wrong("the output is a terminal", "an SDK that reads it: credential_process = aegis credentials process")
    # An SDK shows what the program wrote to stderr when it fails, so nothing is masked before it is certain to succeed.
    secrets: list[str] = []
    credentials, _ = _obtained(arguments, os.environ, secrets.append)
    mask = masker(os.environ)
    for secret in secrets:
        mask(secret)
    document = {
        "Version": 1,
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "SessionToken": credentials.token,
        "Expiration": _end(credentials),
    }
    print(json.dumps(document))
    return EXIT_PASS


def _obtained(
    arguments: argparse.Namespace, environ: Mapping[str, str], mask: Callable[[str], None]
) -> tuple[AwsCredentials, Aws]:
    """Credentials for what the policy reads from S3, and what is in force of `verify.aws`."""
    from aegis.adapters.aws.role import Exchange, RoleCredentials
    from aegis.adapters.github.oidc import minter_of
    from aegis.artifacts.needs import needs_of
    from aegis.identity.role import parse_role, session_name
    from aegis.identity.session_policy import ReadNeed, session_policy

    policy = parse_policy(read(arguments.policy), file=arguments.policy).policy.verify
    if policy is None:
        raise _wrong(f"{arguments.policy!r} has no section `verify`", "a policy that names artifacts")
    aws = policy.aws or Aws()
    arn = arguments.role or aws.role or environ.get("AWS_ROLE_TO_ASSUME")
    region = arguments.region or aws.region or environ.get("AWS_REGION")
    if not arn or not region:
        raise _wrong("role or region is not set", "--role and --region, or `verify.aws` in the policy file")
    role = parse_role(arn)
    needs = [ReadNeed(need.store, need.prefixes, need.keys) for need in needs_of(policy) if need.scheme == "s3"]
    exchange = Exchange(
        role=role,
        region=region,
        session_name=session_name("verify", environ.get("GITHUB_RUN_ID"), environ.get("GITHUB_RUN_ATTEMPT")),
        session_policy=session_policy(needs, partition=role.partition, kms_keys=aws.kms_keys),
        endpoint=aws.sts_endpoint,
        account=aws.account,
    )
    minter = minter_of(environ, read_event(environ).payload, mask=mask)
    return RoleCredentials(exchange, lambda: minter.mint(aws.audience), mask=mask)(), structs.replace(
        aws, region=region
    )


def _end(credentials: AwsCredentials) -> str:
    return f"{credentials.expires:%Y-%m-%dT%H:%M:%SZ}"


def _wrong(problem: str, expected: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected=expected, remedy="Correct the arguments.")
