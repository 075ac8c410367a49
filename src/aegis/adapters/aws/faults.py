"""What STS's refusals mean, which of them may pass, and what a person can do about each.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.identity.claims import Claims
from aegis.identity.policy_document import PolicyDocument
from aegis.identity.role import Role
from aegis.identity.trust_evaluation import evaluate, request_of

_TRANSIENT = frozenset(
    {
        "IDPCommunicationError",
        "IDPCommunicationErrorException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalError",
        "RequestTimeout",
    }
)
_TOLD = ("iss", "aud", "sub", "repository_id", "ref", "environment", "job_workflow_ref")
"""What most trust policies ask for. None of it is secret: it stands in the workflow's own log."""


def is_transient(response: Mapping[str, Any]) -> bool:
    """Whether the same request may succeed in a moment."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return response.get("Error", {}).get("Code") in _TRANSIENT or status >= 500 or status == 429


def refused_by_sts(response: Mapping[str, Any], role: Role, claims: Claims, trust: PolicyDocument | None) -> AegisError:
    """What the refusal means for the person who reads it."""
    error = response.get("Error", {})
    code = str(error.get("Code", ""))[:100].removesuffix("Exception")
    said = f"STS answered {code} for {role.arn}: {str(error.get('Message', ''))[:300]}"
    if code == "AccessDenied":
        return _denied(said, role, claims, trust)
    if code == "ExpiredToken":
        return CouldNotDecide(
            "verify.token_expired",
            said,
            expected="a token that is valid now",
            remedy="Run it again. If it happens again, compare the clocks of the runner and of the cloud.",
        )
    if code in {"InvalidIdentityToken", "IDPRejectedClaim"}:
        # S3-compatible stores say so for a condition of the trust policy that fails, too.
        return _by_trust("verify.token_invalid", said, role, claims, trust) or CouldNotDecide(
            "verify.token_invalid",
            f"{said}\n  the token says: {_described(claims)}",
            expected=f"an OIDC provider for {claims.issuer} in account {role.account} that lists the audience "
            f"{claims.audience!r}, and a trust policy that allows this token",
            remedy="Create the provider, or add the audience to it; then `aegis credentials doctor` in the same job.",
        )
    if code == "PackedPolicyTooLarge":
        return UsageError(
            "verify.session_policy_too_large",
            said,
            expected="a session policy that fits when STS has packed it",
            remedy="Put the artifacts below fewer common prefixes, or check them in several jobs.",
        )
    if code in {"MalformedPolicy", "MalformedPolicyDocument"}:
        return UsageError(
            "verify.session_policy_invalid",
            said,
            expected="a session policy that STS can read",
            remedy="Correct `verify.artifacts` or `verify.aws.kms-keys`; report it if they are right.",
        )
    return CouldNotDecide(
        "verify.sts_refused",
        said,
        expected="a session",
        remedy="Correct what STS names; its code is in its API reference.",
    )


def _denied(said: str, role: Role, claims: Claims, trust: PolicyDocument | None) -> CouldNotDecide:
    return _by_trust("verify.role_denied", said, role, claims, trust) or CouldNotDecide(
        "verify.role_denied",
        f"{said}\n  the token says: {_described(claims)}",
        expected=f"a role that exists, and whose trust policy allows this token: {role.arn}",
        remedy=f"`aws iam get-role --role-name {role.name} > role.json`, then in the same job "
        "`aegis credentials doctor --trust-policy role.json`: it names the condition that fails.",
    )


def _by_trust(code: str, said: str, role: Role, claims: Claims, trust: PolicyDocument | None) -> CouldNotDecide | None:
    """STS says no more than "Not authorized": which condition fails, only the trust policy can tell."""
    evaluation = evaluate(trust, request_of(claims, role)) if trust is not None else None
    if evaluation is None or evaluation.allowed:
        return None
    return CouldNotDecide(
        code,
        f"{said}\n  {evaluation.reason}",
        expected=f"a token that the trust policy of {role.arn} allows",
        remedy=evaluation.fix,
    )


def _described(claims: Claims) -> str:
    told = ((name, claims.text(name)) for name in _TOLD)
    return ", ".join(f"{name}={value[:200]!r}" for name, value in told if value is not None)


def unreachable(problem: str) -> CouldNotDecide:
    """No answer, or none that can be used."""
    return CouldNotDecide(
        "verify.sts_unreachable",
        problem,
        expected="credentials from STS",
        remedy="Run it again; check that the runner reaches STS in `verify.aws.region`.",
    )


def wrong_account(problem: str, expected: str) -> UsageError:
    """Credentials of somebody else's account would read other objects under the same names."""
    return UsageError(
        "verify.wrong_account",
        problem,
        expected=f"a session of account {expected}",
        remedy="Correct `verify.aws.account` or the role.",
    )
