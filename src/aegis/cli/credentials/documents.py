"""`aegis credentials trust` and `lint`: policies written, and policies judged."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from aegis.cli.files import open_file
from aegis.core.errors import UsageError
from aegis.core.verdict import EXIT_FAIL, EXIT_PASS
from aegis.identity.lint import LintFinding, Severity, lint_policy, lint_workflow
from aegis.identity.policy_document import parse_policy
from aegis.identity.trust_policy import ISSUER, TrustedJob, aws_trust_policy
from aegis.report.escape import terminal_block

_MAX_FILE = 1 << 20


def read(name: str) -> bytes:
    """A file of the user's. `UsageError` where it cannot be read."""
    try:
        with open_file(Path(name)) as file:
            data = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _wrong(f"{name!r} cannot be read: {why}", "a file") from error
    if len(data) > _MAX_FILE:
        raise _wrong(f"{name!r} is larger than {_MAX_FILE} bytes", "a policy, a workflow or a token")
    return data


def trust(arguments: argparse.Namespace) -> int:
    """Print the policy, and beside it what to know about it."""
    text, notes = _aws(arguments) if arguments.cloud == "aws" else _oci(arguments)
    print(text)
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    return EXIT_PASS


def _aws(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    job = TrustedJob(
        repository=arguments.repository,
        owner_id=arguments.owner_id,
        repository_id=arguments.repository_id,
        workflow=_given(arguments, "workflow"),
        environment=arguments.environment,
        refs=tuple(arguments.ref),
        **({"audience": arguments.audience} if arguments.audience else {}),
    )
    policy = aws_trust_policy(job, account=_given(arguments, "account"), partition=arguments.partition)
    text = json.dumps(policy, indent=2)
    notes = [
        f"the account needs an OIDC provider for https://{ISSUER} with the audience {job.audience}",
        "renaming or moving the repository or the workflow ends this trust: run this command again then",
        'Terraform: save it as trust.json, and set assume_role_policy = file("trust.json")',
    ]
    findings = lint_policy(parse_policy(text, name="this policy"))
    return text, [*notes, *(f"{finding.message}: {finding.fix}" for finding in findings)]


def _oci(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    from aegis.identity.oci_trust import TrustWanted, render

    owner, _, repository = arguments.repository.partition("/")
    if len(arguments.ref) > 1:
        raise _wrong("several refs", "one --ref: a trust of OCI has one rule for each subject")
    rendered = render(
        TrustWanted(
            owner=owner,
            repository=repository,
            owner_id=arguments.owner_id,
            repository_id=arguments.repository_id,
            client_id=_given(arguments, "client-id"),
            service_user=_given(arguments, "service-user"),
            audience=arguments.audience or "https://cloud.oracle.com",
            environment=arguments.environment,
            ref=arguments.ref[0] if arguments.ref else None,
            group=_given(arguments, "group"),
            compartment=_given(arguments, "compartment"),
            bucket=_given(arguments, "bucket"),
            prefix=arguments.prefix,
        )
    )
    return rendered.trust, [f"IAM policy: {statement}" for statement in rendered.statements]


def lint(arguments: argparse.Namespace) -> int:
    """Print the findings; exit code 1 for any that is more than a note."""
    findings = [finding for name in arguments.files for finding in _lint_file(name)]
    for finding in findings:
        print(terminal_block(str(finding)))
    counted = sum(finding.severity > Severity.NOTE for finding in findings)
    print(f"{len(arguments.files)} file(s), {counted} finding(s), {len(findings) - counted} note(s)")
    return EXIT_FAIL if counted else EXIT_PASS


def _lint_file(name: str) -> list[LintFinding]:
    """A workflow by the ending of its name; anything else is a policy."""
    data = read(name)
    return (
        lint_workflow(data, name=name)
        if name.endswith((".yml", ".yaml"))
        else lint_policy(parse_policy(data, name=name))
    )


def _given(arguments: argparse.Namespace, name: str) -> str:
    value = getattr(arguments, name.replace("-", "_"))
    if not value:
        raise _wrong(f"--{name} is not given", f"--{name}, for --cloud {arguments.cloud}")
    return str(value)


def _wrong(problem: str, expected: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected=expected, remedy="Correct the arguments.")
