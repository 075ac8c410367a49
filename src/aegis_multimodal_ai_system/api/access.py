"""Who calls, and whether they may: one `Authorization: Bearer` header (RFC 6750 2.1), and nothing else.

A token in a query or a cookie is not looked at: those stand in logs and travel by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from starlette.datastructures import Headers

from aegis.core.actor import Actor
from aegis.core.errors import AegisError
from aegis_multimodal_ai_system.api.problems import Failure, status_of
from aegis_multimodal_ai_system.api.refusals import malformed, refused, undecided

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.api.auth import Auth

RoleName = Literal["reader", "operator", "admin"]
REALM = 'Bearer realm="aegis"'
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/-]+=*)")
NOBODY = Actor(
    id="unauthenticated", kind="process", display="a caller without a valid token", issuer="none", subject="none"
)
"""In entries about calls that nobody answers for."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a valid token names."""

    actor: Actor
    roles: frozenset[str]


def token_of(headers: Headers) -> str:
    """The one bearer token. Raises Failure 401, or 400 for more than one header."""
    given = headers.getlist("authorization")
    if not given:
        raise _challenged(
            refused("runtime.api_token_missing", "there is no header Authorization", expected="Authorization: Bearer"),
        )
    match = _BEARER.fullmatch(given[0])
    if len(given) > 1:
        raise _challenged(malformed("the header authorization stands there more than once", expected="one"))
    if match is None:
        raise _challenged(
            refused(
                "runtime.api_token_missing",
                "the header Authorization holds no bearer token",
                expected="Authorization: Bearer and one token",
            )
        )
    return match[1]


def caller_of(token: str, auth: Auth | None) -> Caller:
    """Who it is. Blocks: the issuer's keys may have to be fetched. Raises Failure 401 or 503."""
    if auth is None:
        raise Failure(
            undecided("runtime.api_auth_unset", "this service trusts no issuer", expected="a file at AEGIS_AUTH")
        )
    try:
        valid = auth.validate(token)
        return Caller(auth.actor_of(valid), frozenset(auth.roles_of(valid)))
    except AegisError as error:
        raise _challenged(error) from error


def check_role(caller: Caller, role: RoleName) -> None:
    """Raises Failure 403. A higher role has the lower ones among its own."""
    if role not in caller.roles:
        error = refused(
            "runtime.api_role_missing",
            f"{caller.actor.id[:200]} has the roles {', '.join(sorted(caller.roles)) or 'none'}",
            expected=f"the role {role}",
        )
        raise Failure(error, _challenge(f'error="insufficient_scope", scope="{role}"'))


def _challenged(error: AegisError) -> Failure:
    """With what RFC 6750 3 asks for: no error code where no token was given."""
    status = status_of(error)
    if status == 503:
        return Failure(error)
    if error.code == "runtime.api_token_missing":
        return Failure(error, _challenge())
    kind = "invalid_token" if status == 401 else "invalid_request"
    return Failure(error, _challenge(f'error="{kind}", error_description="{error.code}"'))


def _challenge(parameters: str = "") -> Mapping[str, str]:
    return MappingProxyType({"WWW-Authenticate": f"{REALM}, {parameters}" if parameters else REALM})
