"""The one exception of this package."""

from __future__ import annotations

from aegis.core.errors import Refused


class TokenRefused(Refused):
    """The token proves nothing. Its text never holds the token, nor what a claim says.

    `token.keys_unavailable` alone is not the token's fault: the issuer cannot be reached.
    """


def refused(
    cause: str, problem: str, expected: str, *, remedy: str = "ask the issuer for a new token, and send it as it came"
) -> TokenRefused:
    """A refusal with the code `token.<cause>`."""
    return TokenRefused(f"token.{cause}", problem, expected=expected, remedy=remedy)
