"""OCI's session tokens (UPST), as far as a client can judge them: when they end, and whose key they are bound to.

https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/json_web_token_exchange.htm: the public key of the
request becomes the claim `jwk` (RFC 7517) of the token, and every later request is signed with its private half.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import CouldNotDecide
from aegis.identity.documents import UnclearError, parse_object

MAX_TOKEN = 16_000
"""Characters: more does not fit into the header of a request, where the token goes."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """What counts in a session token."""

    expires: int
    """Seconds since 1970."""
    key: tuple[int, int] | None
    """Modulus and exponent of the RSA key that it is bound to; None where it names none."""


def read_session(token: str) -> SessionClaims:
    """Read a session token without verifying it. `CouldNotDecide` with `verify.oci_session_invalid`."""
    found = _TOKEN.fullmatch(token)
    if found is None or len(token) > MAX_TOKEN:
        raise session_invalid("it is not three base64url segments", f"a signed JWT of at most {MAX_TOKEN} characters")
    try:
        payload = parse_object(_decoded(found[1]))
        jwk = payload.get("jwk")
        return SessionClaims(_expiry(payload), None if jwk is None else _key(jwk))
    except binascii.Error:
        raise session_invalid("it holds what is not base64url", "a signed JWT") from None
    except UnclearError as error:
        raise session_invalid(f"it cannot be read: {error}", "a signed JWT") from None


def _expiry(payload: Mapping[str, Any]) -> int:
    expires = payload.get("exp")
    if not isinstance(expires, int) or not 0 < expires < 1 << 40:
        raise session_invalid("it never expires: its claim 'exp' is no time", "seconds since 1970 in 'exp'")
    return expires


def _key(jwk: Any) -> tuple[int, int]:
    """OCI writes the key as JSON inside a text; an object means the same."""
    key = parse_object(jwk) if isinstance(jwk, str) else jwk
    if not isinstance(key, dict):
        raise session_invalid("its claim 'jwk' is no key", "the key that was sent")
    modulus, exponent = key.get("n"), key.get("e")
    if not isinstance(modulus, str) or not isinstance(exponent, str):
        raise session_invalid("its claim 'jwk' is no RSA key", "the key that was sent")
    return int.from_bytes(_decoded(modulus)), int.from_bytes(_decoded(exponent))


def _decoded(text: str) -> bytes:
    if not text.isascii():
        raise binascii.Error
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)


def session_invalid(problem: str, expected: str) -> CouldNotDecide:
    """Nothing may be signed for this session."""
    return CouldNotDecide(
        "verify.oci_session_invalid",
        f"the session token that the identity domain gave cannot be used: {problem}",
        expected=expected,
        remedy="Treat what answers at `verify.oci.domain` as compromised until you know why it answers so.",
    )
