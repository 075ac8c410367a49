"""What an OIDC token says about itself: read for people and for checks of our own.

Nothing here proves anything: the signature is the business of the cloud that takes the token. A token that we were just
given over an authenticated connection is decoded to see whether it is the one that was asked for.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aegis.core.errors import CouldNotDecide
from aegis.identity.documents import UnclearError, parse_object

MAX_TOKEN = 20_000
"""Characters: what STS takes (API reference of AssumeRoleWithWebIdentity, `WebIdentityToken`)."""
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_CLAIM = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one token."""

    issuer: str
    subject: str
    audience: str
    issued: int | None
    """Seconds since 1970, as the next two."""
    not_before: int | None
    expires: int
    values: Mapping[str, Any] = field(repr=False)
    """Each claim with a plain name, as it stands in the token."""

    def text(self, name: str) -> str | None:
        """A claim as clouds compare it: text, or as JSON writes it. None where there is none, or no single value."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def decode(token: str) -> Claims:
    """Read a JWT (RFC 7519) in compact form without verifying it. `CouldNotDecide` with `verify.token_invalid`."""
    segments = token.split(".")
    if len(token) > MAX_TOKEN or len(segments) != 3 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise _invalid("it is not three base64url segments", f"a signed JWT of at most {MAX_TOKEN} characters")
    header, payload = _part("header", segments[0]), _part("payload", segments[1])
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise _invalid("its header names no signature algorithm", "a signed token")
    return Claims(
        issuer=_text(payload, "iss"),
        subject=_text(payload, "sub"),
        audience=_text(payload, "aud"),
        issued=_time(payload, "iat"),
        not_before=_time(payload, "nbf"),
        expires=_expiry(payload),
        values=MappingProxyType({name: value for name, value in payload.items() if _CLAIM.fullmatch(name)}),
    )


def _part(name: str, segment: str) -> dict[str, Any]:
    try:
        return parse_object(base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True))
    except binascii.Error:
        raise _invalid(f"its {name} is not base64url", "a signed JWT") from None
    except UnclearError as error:
        raise _invalid(f"its {name} cannot be read: {error}", "a signed JWT") from None


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value:
        raise _invalid(f"its claim {name!r} is {type(value).__name__}", f"one text in {name!r}")
    return value


def _time(payload: Mapping[str, Any], name: str) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise _invalid(f"its claim {name!r} is no time", f"seconds since 1970 in {name!r}")
    return int(value)


def _expiry(payload: Mapping[str, Any]) -> int:
    expires = _time(payload, "exp")
    if expires is None:
        raise _invalid("it never expires: it has no claim 'exp'", "a token with an end")
    return expires


def _invalid(problem: str, expected: str) -> CouldNotDecide:
    return CouldNotDecide(
        "verify.token_invalid",
        f"the OIDC token cannot be used: {problem}",
        expected=expected,
        remedy="Let Aegis mint the token in the job itself (`permissions: id-token: write`).",
    )
