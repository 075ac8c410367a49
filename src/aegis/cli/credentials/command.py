"""`aegis credentials`: short-lived credentials for other tools, and why a cloud would refuse them."""

from __future__ import annotations

import argparse
from typing import Any


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "credentials", help="tokens, trust policies, and short-lived credentials for other tools", allow_abbrev=False
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_doctor(below)
    _add_trust(below)
    _add_lint(below)
    _add_exec(below)
    _add_process(below)


def _add_doctor(below: Any) -> None:
    parser = below.add_parser("doctor", help="does the cloud trust this job, and if not, why not", allow_abbrev=False)
    parser.add_argument("--cloud", choices=("aws", "oci"), default="aws", help="whose trust it is (default: aws)")
    parser.add_argument(
        "--trust-policy", metavar="FILE", help="what `aws iam get-role` prints, or OCI's identity propagation trust"
    )
    parser.add_argument("--role", metavar="ARN", help="the role, where FILE does not name it")
    parser.add_argument("--client-id", metavar="ID", help="OCI: the confidential application")
    parser.add_argument("--audience", help="of the token (default: sts.amazonaws.com, or https://cloud.oracle.com)")
    parser.add_argument("--token-file", metavar="FILE", help="a token instead of one of this job; `-` is the input")
    parser.set_defaults(run=_doctor)


def _add_trust(below: Any) -> None:
    parser = below.add_parser("trust", help="print the tight trust policy for one job", allow_abbrev=False)
    parser.add_argument("--cloud", choices=("aws", "oci"), required=True, help="whose trust it is")
    parser.add_argument("--repository", metavar="OWNER/NAME", required=True, help="whose job is trusted")
    parser.add_argument("--repository-id", metavar="ID", required=True, help="gh api repos/OWNER/NAME --jq .id")
    parser.add_argument("--owner-id", metavar="ID", required=True, help="gh api repos/OWNER/NAME --jq .owner.id")
    parser.add_argument("--environment", metavar="NAME", help="the job's `environment:`")
    parser.add_argument(
        "--ref", action="append", default=[], help="full ref; refs/pull/*/merge for pull requests; may be repeated"
    )
    parser.add_argument("--workflow", metavar="PATH", help=".github/workflows/FILE, or of a reusable one O/R/PATH@SHA")
    parser.add_argument("--audience", help="of the token (default: the cloud's own)")
    aws = parser.add_argument_group("AWS")
    aws.add_argument("--account", metavar="ID", help="12 digits: where provider and role are")
    aws.add_argument(
        "--partition", default="aws", choices=("aws", "aws-cn", "aws-us-gov"), help="of the account (default: aws)"
    )
    oci = parser.add_argument_group("OCI")
    for name, metavar, what in (
        ("client-id", "ID", "the confidential application"),
        ("service-user", "ID", "the service user that the job becomes"),
        ("group", "NAME", "the group that the service user is in"),
        ("compartment", "NAME", "where the bucket is"),
        ("bucket", "NAME", "what may be read"),
    ):
        oci.add_argument(f"--{name}", metavar=metavar, help=what)
    oci.add_argument("--prefix", default="", help="below which objects may be read (default: all of the bucket)")
    parser.set_defaults(run=_trust)


def _add_lint(below: Any) -> None:
    parser = below.add_parser(
        "lint",
        help="what is dangerous in trust policies, role policies (JSON) and workflows (YAML)",
        allow_abbrev=False,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a policy or a workflow")
    parser.set_defaults(run=_lint)


def _add_exec(below: Any) -> None:
    parser = below.add_parser(
        "exec",
        help="run a command with AWS credentials for 15 minutes that read only what the policy names",
        allow_abbrev=False,
        usage="aegis credentials exec [--policy FILE] [--role ARN] [--region REGION] -- COMMAND …",
    )
    _add_session_arguments(parser)
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="after `--`: what gets the credentials"
    )
    parser.set_defaults(run=_exec)


def _add_process(below: Any) -> None:
    parser = below.add_parser(
        "process", help="the same credentials by the protocol of AWS's `credential_process`", allow_abbrev=False
    )
    _add_session_arguments(parser)
    parser.set_defaults(run=_process)


def _add_session_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", metavar="FILE", default="aegis.yml", help="policy file (default: aegis.yml)")
    parser.add_argument("--role", metavar="ARN", help="default: verify.aws.role, or AWS_ROLE_TO_ASSUME")
    parser.add_argument("--region", help="default: verify.aws.region, or AWS_REGION")


# What the commands need is imported when one of them runs: starting `aegis` must stay quick.


def _doctor(arguments: argparse.Namespace) -> int:
    from aegis.cli.credentials import doctor as credentials_doctor

    return credentials_doctor.run(arguments)


def _trust(arguments: argparse.Namespace) -> int:
    from aegis.cli.credentials import documents as credentials_documents

    return credentials_documents.trust(arguments)


def _lint(arguments: argparse.Namespace) -> int:
    from aegis.cli.credentials import documents as credentials_documents

    return credentials_documents.lint(arguments)


def _exec(arguments: argparse.Namespace) -> int:
    from aegis.cli.credentials import session as credentials_session

    return credentials_session.run_command(arguments)


def _process(arguments: argparse.Namespace) -> int:
    from aegis.cli.credentials import session as credentials_session

    return credentials_session.print_for_sdk(arguments)
