"""Who calls: a token in, the actor and its roles out.

`validate_oidc_token` and `get_actor_from_token` judge by an `Auth`, by default the one that AEGIS_AUTH names. Without
one every token is refused. Both may wait for an issuer's keys, so a server calls them in a worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from aegis.adapters.oidc_discovery import HttpsFetch
from aegis.core.actor import Actor
from aegis.core.strict_yaml import Document, Kind
from aegis.identity.actors import actor_of, verified_email
from aegis.identity.tokens import IssuerRule, JwksClient, KeysAt, TokenRefused, Validator, ValidToken
from aegis_multimodal_ai_system.api.auth_file import (
    AuthFile,
    Grant,
    IssuerPart,
    JwtPart,
    Role,
    read_auth_file,
    read_part,
)

__all__ = ["Auth", "Role", "TokenRefused", "ValidToken", "default_auth", "get_actor_from_token", "validate_oidc_token"]

_IMPLIED: Mapping[Role, frozenset[Role]] = {
    "reader": frozenset({"reader"}),
    "operator": frozenset({"reader", "operator"}),
    "admin": frozenset({"reader", "operator", "admin"}),
}


class Auth:
    """The issuers that are believed, and the roles of those whom they speak of. Safe to use from many threads."""

    def __init__(self, parsed: AuthFile, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        """`folder`: where the paths in the file begin. No issuer is asked before its first token."""
        self._parts = {part.issuer.url: part for part in parsed.jwt}
        self._grants = parsed.roles
        self._validator = Validator(
            [(_rule(part), _source(part.issuer, folder)) for part in parsed.jwt],
            now=now,
        )

    @classmethod
    def from_file(cls, path: Path, *, now: Callable[[], float] = time.time) -> Auth:
        """Read a file (`aegis_multimodal_ai_system.api.auth_file`). Raises UsageError `token.config_invalid`."""
        return cls(read_auth_file(path), path.parent, now=now)

    def validate(self, token: str) -> ValidToken:
        """What the token proves. Raises TokenRefused; its code is `token.keys_unavailable` if the issuer is away."""
        return self._validator.validate(token)

    def actor_of(self, valid: ValidToken) -> Actor:
        """Whom the token speaks of. Refuses with `token.actor_unclear`."""
        actor = actor_of(valid.claims)
        username = self._parts[valid.issuer].claim_mappings.username
        name = _text(valid.claims, username.claim) if username is not None else None
        return replace(actor, display=username.prefix + name) if username is not None and name else actor

    def roles_of(self, valid: ValidToken) -> frozenset[Role]:
        """All roles of the token, with those that each includes: an admin is an operator, an operator a reader."""
        groups = self._groups(valid)
        granted = [grant.role for grant in self._grants if _is_for(grant, valid, groups)]
        return frozenset().union(*(_IMPLIED[role] for role in granted))

    def _groups(self, valid: ValidToken) -> frozenset[str]:
        mapped = self._parts[valid.issuer].claim_mappings.groups
        if mapped is None:
            return frozenset()
        value = valid.claims.get(mapped.claim)
        names = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        return frozenset(mapped.prefix + name for name in names if isinstance(name, str))


def validate_oidc_token(token: str, *, auth: Auth | None = None) -> ValidToken:
    """What a token proves. Raises TokenRefused with a reason `token.*`; its text never holds the token."""
    return (auth or default_auth()).validate(token)


def get_actor_from_token(token: str, *, auth: Auth | None = None) -> Actor:
    """Whom a valid token speaks of: the actor of an audit event. Raises TokenRefused."""
    judge = auth or default_auth()
    return judge.actor_of(judge.validate(token))


@cache
def default_auth() -> Auth:
    """That of this process. Raises TokenRefused `token.no_issuers` where AEGIS_AUTH is not set."""
    from aegis_multimodal_ai_system.settings import Settings

    path = Settings.from_environment().auth
    if path is None:
        raise TokenRefused(
            "token.no_issuers",
            "AEGIS_AUTH is not set, so no token proves anything",
            expected="a file of issuers and roles",
            remedy="set AEGIS_AUTH to it (docs/runtime.md)",
        )
    return Auth.from_file(path)


def _rule(part: JwtPart) -> IssuerRule:
    issuer = part.issuer
    return IssuerRule(
        issuer=issuer.url,
        audiences=frozenset(issuer.audiences),
        authorized_parties=frozenset(issuer.authorized_parties),
        types=frozenset(name.lower() or None for name in issuer.token_types),
        required={rule.claim: rule.required_value for rule in part.claim_validation_rules},
        leeway=issuer.leeway_seconds,
        max_lifetime=issuer.max_lifetime_seconds,
    )


def _source(issuer: IssuerPart, folder: Path) -> JwksClient:
    authority = issuer.certificate_authority
    if issuer.certificate_authority_file is not None:
        named = Document(issuer.certificate_authority_file, Kind("token.config_invalid", "docs/runtime.md"))
        authority = read_part(folder / issuer.certificate_authority_file, named).decode("ascii", "replace")
    try:
        fetch = HttpsFetch(
            authority=authority,
            private_network=issuer.private_network,
            bearer_file=folder / issuer.bearer_token_file if issuer.bearer_token_file is not None else None,
        )
    except ValueError as error:
        file = Document(issuer.url, Kind("token.config_invalid", "docs/runtime.md"))
        raise file.invalid(None, f"the authority {error}", "certificates in PEM", "correct the authority") from None
    return JwksClient(KeysAt(issuer.url, issuer.discovery_url, issuer.jwks_url), fetch)


def _is_for(grant: Grant, valid: ValidToken, groups: frozenset[str]) -> bool:
    if grant.issuer != valid.issuer or (grant.groups and groups.isdisjoint(grant.groups)):
        return False
    return all(_text(valid.claims, name) in values for name, values in grant.claims.items())


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim that is text; an address only where the issuer has checked it."""
    if name == "email":
        return verified_email(claims)
    value = claims.get(name)
    return value if isinstance(value, str) else None
