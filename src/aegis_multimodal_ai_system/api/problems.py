"""Every error as `application/problem+json` (RFC 9457): a status, a reason code, and what to do next.

No stack trace and no library's text is ever in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from aegis.core.codes import CODES
from aegis.core.errors import AegisError, Refused

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:aegis-gates:reason:"
"""Before the reason code: RFC 9457 3.1.1 asks for a URI, and docs/reasons.md explains each."""
STATUSES: Mapping[str, int] = MappingProxyType(
    {
        "core.crashed": 500,
        "runtime.api_path_unknown": 404,
        "runtime.api_entry_unknown": 404,
        "runtime.api_method_refused": 405,
        "runtime.api_request_malformed": 400,
        "runtime.api_body_malformed": 400,
        "runtime.api_body_too_large": 413,
        "runtime.api_headers_too_large": 431,
        "runtime.api_media_type_refused": 415,
        "runtime.api_too_slow": 408,
        "runtime.api_token_missing": 401,
        "runtime.api_role_missing": 403,
        "token.keys_unavailable": 503,
        "runtime.model_unknown": 404,
        "runtime.model_quarantined": 409,
        "runtime.model_revoked": 409,
        "runtime.transition_refused": 409,
    }
)
"""Of the codes that mean something else than their class does (`status_of`)."""
RETRY_SECONDS = 5
"""What Retry-After says where another try may help."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is no success."""

    type: str
    """`urn:aegis-gates:reason:` and the code."""
    title: str
    """The same for all answers with this code."""
    status: int
    detail: str
    """What was wrong this time."""
    code: str
    """The reason, stable; docs/reasons.md lists them all."""
    expected: str
    remedy: str
    correlation_id: str
    """The same as the header X-Request-Id, in the logs and in the audit log."""


@dataclass(frozen=True, slots=True)
class Failure(Exception):  # noqa: N818 - an answer, not a defect
    """An error on its way to the caller, with the headers that belong to it."""

    error: AegisError
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def status_of(error: AegisError) -> int:
    """By code where it says so; else 422 for what was looked at and refused, and 503 where nothing could be told.

    A token that is refused is 401 (RFC 6750 3.1). A wrong policy or setting is the service's fault, hence 503 too.
    """
    status = STATUSES.get(error.code)
    if status is not None:
        return status
    if isinstance(error, Refused):
        return 401 if error.code.startswith("token.") else 422
    return 503


def problem_of(error: AegisError, correlation_id: str) -> Problem:
    """What the caller is told."""
    code = CODES.get(error.code)
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=code.title if code is not None else error.code,
        status=status_of(error),
        detail=error.problem,
        code=error.code,
        expected=error.expected,
        remedy=error.remedy,
        correlation_id=correlation_id,
    )


def answer_of(error: AegisError, correlation_id: str, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """The whole answer."""
    problem = problem_of(error, correlation_id)
    extra = {"Retry-After": str(RETRY_SECONDS)} if problem.status == 503 else {}
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        headers={**extra, **headers},
        media_type=MEDIA_TYPE,
    )
