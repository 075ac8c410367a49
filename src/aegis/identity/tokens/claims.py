"""What an operator asks of an issuer's tokens, and whether the claims of one meet it (RFC 7519 4.1, RFC 8725 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from aegis.identity.tokens.compact import Header
from aegis.identity.tokens.refusal import refused

MAX_LEEWAY = 60
"""Seconds. Clocks that are further apart are broken; every second is one more for a stolen token."""
MAX_SUBJECT = 1024
"""Characters. OpenID Connect has 255; GitHub's customised subjects have more."""
_LAST_SECOND = 1 << 40
"""Some 35,000 years: beyond it lie milliseconds and mistakes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerRule:
    """Which tokens of one issuer are taken."""

    issuer: str
    """Exactly as in `iss`: a slash at the end is another issuer."""
    audiences: frozenset[str]
    """This service's own names; a token must be for nobody else."""
    authorized_parties: frozenset[str] = frozenset()
    """Clients (`azp`) whose tokens may have further audiences, as long as one of ours is among them."""
    types: frozenset[str | None] = frozenset({None, "jwt"})
    """`typ` of the header in lower case; None: a token without one, as Kubernetes makes them."""
    required: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Claims that must be text with exactly this value."""
    leeway: int = 30
    """Seconds that the clocks of the issuer and of this machine may differ."""
    max_lifetime: int = 24 * 3600
    """Seconds from `iat` to `exp`."""

    def __post_init__(self) -> None:
        """A rule that would take more than anybody can mean is a mistake."""
        if not self.issuer or not self.audiences or "" in self.audiences or "" in self.authorized_parties:
            raise ValueError("a rule names its issuer and its audiences")
        if not 0 <= self.leeway <= MAX_LEEWAY or self.max_lifetime <= 0:
            raise ValueError(f"a rule has a leeway of 0 to {MAX_LEEWAY} seconds, and a longest lifetime")


class Valid(NamedTuple):
    """What was found in claims that meet a rule."""

    subject: str
    start: float
    """Seconds since 1970 from which the token is valid, leeway included."""
    end: float
    """From here on it is not."""


def check(header: Header, claims: Mapping[str, Any], rule: IssuerRule, now: float) -> Valid:
    """Judge all but the signature. `now`: seconds since 1970. The caller has found `rule` by `iss`."""
    if header.typ not in rule.types:
        raise refused("type_refused", "the token's typ is not one that is taken", "a type of the issuer's tokenTypes")
    audience = claims.get("aud")
    if not isinstance(audience, str) or audience not in rule.audiences:
        _check_audiences(audience, claims, rule)
    start, end = _times(claims, rule)
    if now >= end:
        raise refused("expired", f"the token expired {_ago(now - end + rule.leeway)} ago", "a token that is valid now")
    if now < start:
        raise refused(
            "not_yet_valid", f"the token begins in {_ago(start + rule.leeway - now)}", "one that is valid now"
        )
    for name, value in rule.required.items():
        if claims.get(name) != value:
            raise refused("claim_refused", f"the claim {name!r} is not the required one", "claimValidationRules")
    return Valid(_subject(claims), start, end)


def _check_audiences(audience: Any, claims: Mapping[str, Any], rule: IssuerRule) -> None:
    """Judge what is not one audience of ours, as nearly all tokens have."""
    named = (audience,) if isinstance(audience, str) else audience
    if not isinstance(named, tuple) or not all(isinstance(name, str) for name in named):
        raise refused("audience_refused", "the token names no audience", "an audience of this service in 'aud'")
    ours = rule.audiences.intersection(named)
    if not ours:
        raise refused("audience_refused", "the token is for another audience", "an audience of this service in 'aud'")
    # Each of its audiences holds the token, and could use it here; unless a client that is known asked for it
    # (OpenID Connect Core 3.1.3.7, 4 and 5).
    party = claims.get("azp")
    known = isinstance(party, str) and party in rule.authorized_parties
    if not rule.audiences.issuperset(named) and not known:
        raise refused("audience_refused", "the token is for other audiences too", "this service's audience alone")


def _times(claims: Mapping[str, Any], rule: IssuerRule) -> tuple[float, float]:
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if not 0 < expires - issued <= rule.max_lifetime:
        raise refused(
            "times_invalid",
            f"the token is made for {expires - issued:.0f} seconds",
            f"a token that ends at most {rule.max_lifetime} seconds after it was issued",
        )
    begins = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
    return begins - rule.leeway, expires + rule.leeway


def _time(claims: Mapping[str, Any], name: str) -> float:
    """RFC 7519 2, NumericDate. Python would take `true` for 1; JSON was refused where it has no finite number."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST_SECOND:
        raise refused("times_invalid", f"the token has no time in {name!r}", f"seconds since 1970 in {name!r}")
    return value


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise refused("subject_invalid", "the token names no subject", f"1 to {MAX_SUBJECT} characters in 'sub'")
    return subject


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s"
