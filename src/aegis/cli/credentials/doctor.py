"""`aegis credentials doctor`: each condition of the trust beside what the token says, and the nearest fix."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping

from aegis.cli.credentials.documents import read
from aegis.cli.masking import masker
from aegis.cli.surroundings import read_event
from aegis.core.errors import UsageError
from aegis.core.verdict import EXIT_ERROR, EXIT_FAIL, EXIT_PASS
from aegis.identity.claims import MAX_TOKEN, Claims, decode
from aegis.identity.trust_evaluation import CheckedCondition, CheckedStatement, Evaluation
from aegis.report.escape import terminal

_AUDIENCES = {"aws": "sts.amazonaws.com", "oci": "https://cloud.oracle.com"}
_SHOWN = (
    "iss", "aud", "sub", "repository", "repository_id", "repository_owner_id", "ref", "environment", "job_workflow_ref",
    "event_name", "actor", "runner_environment",
)  # fmt: skip
_ANSWERS = {
    True: ("the trust allows this token", EXIT_PASS),
    False: ("the trust does not allow this token", EXIT_FAIL),
    None: ("whether the trust allows this token cannot be known here", EXIT_ERROR),
}
_MARKS = {True: "✓", False: "✗", None: "?"}


def run(arguments: argparse.Namespace) -> int:
    """0: the token is allowed; 1: it is not; 3: that cannot be known, or there is no token."""
    audience = arguments.audience or _AUDIENCES[arguments.cloud]
    claims = decode(_token(arguments, audience, os.environ))
    _say("the token", *_facts(claims))
    own = _own_conditions(claims, audience if arguments.audience or not arguments.token_file else None)
    for holds, line in own:
        _say(f"{_MARKS[holds]} {line}")
    if arguments.trust_policy is None:
        _say("nothing was judged: pass the role's trust policy with --trust-policy FILE")
        return EXIT_ERROR
    judge = _aws if arguments.cloud == "aws" else _oci
    allowed = judge(arguments, claims)
    if not all(holds for holds, _ in own):
        allowed = False
    answer, code = _ANSWERS[allowed]
    _say(answer)
    return code


def _token(arguments: argparse.Namespace, audience: str, environ: Mapping[str, str]) -> str:
    """A token of this job, or the one that was given: by file or input, since arguments can be seen by everyone."""
    if arguments.token_file is None:
        from aegis.adapters.github.oidc import minter_of

        return minter_of(environ, read_event(environ).payload, mask=masker(environ)).mint(audience)
    data = sys.stdin.buffer.read(MAX_TOKEN + 2) if arguments.token_file == "-" else read(arguments.token_file)  # noqa: S105 - a file's name
    try:
        return data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise UsageError(
            "verify.token_invalid",
            "what was given as a token holds other bytes than a token has",
            expected="a JWT: three base64url segments",
            remedy="Pass the token alone.",
        ) from None


def _facts(claims: Claims) -> Iterator[str]:
    for name in _SHOWN:
        said = claims.text(name)
        if said is not None:
            yield f"  {name}: {said}"


def _own_conditions(claims: Claims, audience: str | None) -> list[tuple[bool, str]]:
    """What every cloud asks of a token before it looks at a trust."""
    left = claims.expires - int(time.time())
    conditions = [(left > 0, f"it ends in {left} s" if left > 0 else f"it ended {-left} s ago: mint a new one")]
    if audience is not None:
        conditions.append(
            (claims.audience == audience, f"its audience is {claims.audience!r}, asked for: {audience!r}")
        )
    return conditions


def _aws(arguments: argparse.Namespace, claims: Claims) -> bool | None:
    from aegis.identity.policy_document import parse_policy
    from aegis.identity.role import parse_role
    from aegis.identity.trust_evaluation import evaluate, request_of

    policy = parse_policy(read(arguments.trust_policy), name=arguments.trust_policy)
    arn = arguments.role or policy.role
    evaluation = evaluate(policy, request_of(claims, parse_role(arn) if arn else None))
    for checked in evaluation.statements:
        _say(*_statement(checked, evaluation))
    if evaluation.allowed is not True:
        _say(f"nearest fix: {evaluation.fix}")
    return evaluation.allowed


def _statement(checked: CheckedStatement, evaluation: Evaluation) -> Iterator[str]:
    effect = "allows" if checked.statement.allows else "denies"
    yield f"{_MARKS[checked.applies]} {checked.statement.name} {effect}"
    yield f"  {_MARKS[checked.principal]} Principal is {evaluation.request.provider}"
    yield f"  {_MARKS[checked.action]} Action is sts:AssumeRoleWithWebIdentity"
    for condition in checked.conditions:
        yield from _condition(condition, checked.statement.allows)


def _condition(checked: CheckedCondition, allows: bool) -> Iterator[str]:
    condition = checked.condition
    yield f"  {_MARKS[checked.holds]} {condition.written} {condition.key}"
    yield f"      token:  {'(nothing)' if checked.said is None else checked.said}"
    for value in condition.values:
        yield f"      policy: {value}"
    if checked.holds is False and allows:
        yield f"      fix:    {checked.fix}"


def _oci(arguments: argparse.Namespace, claims: Claims) -> bool:
    from aegis.identity.oci_trust import explain
    from aegis.identity.oci_trust_document import parse_trust

    checks = explain(claims, parse_trust(read(arguments.trust_policy)), arguments.client_id)
    for check in checks:
        _say(f"{_MARKS[check.holds]} {check}", *([f"      fix:    {check.fix}"] if not check.holds else []))
    return all(check.holds for check in checks)


def _say(*lines: str) -> None:
    """Names of branches and workflows are chosen by whoever opens a pull request: nothing in them acts."""
    for line in lines:
        print(terminal(line))
