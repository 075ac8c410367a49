"""The file of issuers and roles: who may call the API, and what they may do.

It is a part of Kubernetes' AuthenticationConfiguration (apiserver.config.k8s.io/v1: `jwt[].issuer`,
`claimValidationRules`, `claimMappings`; no CEL), and `roles`, which Kubernetes keeps elsewhere. Keys of ours beside
theirs are `jwksURL`, `certificateAuthorityFile`, `privateNetwork`, `bearerTokenFile`, `authorizedParties`,
`tokenTypes`, `leewaySeconds` and `maxLifetimeSeconds`. Nothing has a default that lets more in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from aegis.core.strict_yaml import MAX_BYTES, Document, Kind, compose, convert
from aegis.core.strict_yaml import Path as At
from aegis.identity.actors import is_github
from aegis.identity.tokens.claims import MAX_LEEWAY
from aegis.identity.tokens.jwks import origin

Role = Literal["reader", "operator", "admin"]
"""Each may do what those before it may."""

_KIND = Kind("token.config_invalid", "docs/runtime.md", "`jwt:` with at least one issuer")
_WHOSE = frozenset(
    {"sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "job_workflow_ref"}
)
"""Claims of GitHub by which a role is for somebody; anybody may call an environment `production`."""

Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Names = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=100)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A misspelt key must not be a missing rule."""


class IssuerPart(_Part, frozen=True):
    """One issuer, and which of its tokens are meant for this service."""

    url: Name
    """Exactly as in `iss`."""
    audiences: Names
    audience_match_policy: Literal["MatchAny"] | None = None
    """Demanded beside several audiences, as Kubernetes does. A token's other audiences are refused all the same."""
    discovery_url: Name | None = field(default=None, name="discoveryURL")
    jwks_url: Name | None = field(default=None, name="jwksURL")
    """Where the keys are, without discovery; they may be on another host then."""
    certificate_authority: Name | None = None
    """PEM; only these are trusted."""
    certificate_authority_file: Name | None = None
    """The same in a file, by a path from this file's folder."""
    private_network: bool = False
    """The issuer is on this machine or in a private network; with an authority of its own."""
    bearer_token_file: Name | None = None
    """A token that the issuer asks for, as a Kubernetes API server does."""
    authorized_parties: tuple[Name, ...] = ()
    token_types: Annotated[tuple[str, ...], Meta(min_length=1)] = ("JWT", "")
    """`typ` of the header; `""` for a token that has none, as Kubernetes makes them."""
    leeway_seconds: Annotated[int, Meta(ge=0, le=MAX_LEEWAY)] = 30
    max_lifetime_seconds: Annotated[int, Meta(ge=1, le=366 * 24 * 3600)] = 24 * 3600


class RequiredClaim(_Part, frozen=True):
    """A claim that must be exactly this text."""

    claim: Name
    required_value: Name


class MappedClaim(_Part, frozen=True):
    """A claim that gives names, and what is put before each."""

    claim: Name
    prefix: str = ""


class Mappings(_Part, frozen=True):
    """What the issuer's claims are for us."""

    username: MappedClaim | None = None
    """How an actor is shown to people; decides nothing."""
    groups: MappedClaim | None = None


class JwtPart(_Part, frozen=True):
    """An authenticator."""

    issuer: IssuerPart
    claim_validation_rules: tuple[RequiredClaim, ...] = ()
    claim_mappings: Mappings = Mappings()


class Grant(_Part, frozen=True):
    """A role for tokens of one issuer that have one of the values in each claim, and are in one of the groups."""

    role: Role
    issuer: Name
    claims: Mapping[str, Names] = field(default_factory=dict)
    groups: tuple[Name, ...] = ()


class AuthFile(_Part, frozen=True):
    """The whole file."""

    jwt: Annotated[tuple[JwtPart, ...], Meta(min_length=1, max_length=64)]
    roles: tuple[Grant, ...] = ()
    api_version: Literal["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"] | None = None
    kind: Literal["AuthenticationConfiguration"] | None = None


def read_auth_file(path: Path) -> AuthFile:
    """Read and judge the file. Raises UsageError `token.config_invalid`, with line and column where there are any."""
    document = Document(path.name, _KIND)
    value = compose(read_part(path, document), document)
    parsed = convert(value, AuthFile, document)
    for at, problem, expected in _mistakes(parsed):
        mark = next((document.marks[at[:end]] for end in range(len(at), -1, -1) if at[:end] in document.marks), None)
        raise document.invalid(mark, problem, expected, f"see {_KIND.reference}")
    return parsed


def read_part(path: Path, document: Document) -> bytes:
    """The content of the file, or of one that it names."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"{path.name!r} cannot be read: {error.strerror or type(error).__name__}"
        raise document.invalid(None, problem, "a file that this process may read", "correct the path") from error
    return data


def _mistakes(parsed: AuthFile) -> Iterator[tuple[At, str, str]]:
    """Place, problem and expectation of what the types cannot say."""
    seen: set[str] = set()
    for index, jwt in enumerate(parsed.jwt):
        at: At = ("jwt", index, "issuer")
        yield from _mistakes_of_issuer(jwt.issuer, at)
        if jwt.issuer.url in seen:
            yield (*at, "url"), f"the issuer {jwt.issuer.url!r} stands twice", "each issuer once"
        seen.add(jwt.issuer.url)
        names = [rule.claim for rule in jwt.claim_validation_rules]
        if len(set(names)) != len(names):
            yield ("jwt", index, "claimValidationRules"), "one claim has two rules", "one rule a claim"
    grouped = {jwt.issuer.url for jwt in parsed.jwt if jwt.claim_mappings.groups is not None}
    for index, grant in enumerate(parsed.roles):
        if grant.issuer not in seen:
            yield ("roles", index, "issuer"), f"the issuer {grant.issuer!r} is not in `jwt`", "one of its issuers"
        if not grant.claims and not grant.groups:
            yield ("roles", index), "a role for each token of an issuer", "`claims` or `groups` that say whose it is"
        if grant.groups and grant.issuer not in grouped:
            yield ("roles", index, "groups"), "the issuer has no groups", "its `claimMappings.groups`"
        if is_github(grant.issuer) and not grant.groups and not _WHOSE & set(grant.claims):
            yield (
                ("roles", index, "claims"),
                "every repository on GitHub can have such a token",
                f"one of {', '.join(sorted(_WHOSE))}",
            )


def _mistakes_of_issuer(issuer: IssuerPart, at: At) -> Iterator[tuple[At, str, str]]:
    for key, address in (("url", issuer.url), ("discoveryURL", issuer.discovery_url), ("jwksURL", issuer.jwks_url)):
        if address is None:
            continue
        try:
            origin(address)
        except ValueError as error:
            yield (*at, key), f"{address[:200]!r} {error}", "https://host[:port]/path"
            continue
        if key == "url" and "?" in address:
            # OpenID Connect Discovery 3: an issuer has neither query nor fragment
            yield (*at, key), f"{address[:200]!r} has a query", "https://host[:port]/path"
    if issuer.discovery_url is not None and issuer.jwks_url is not None:
        yield (*at, "jwksURL"), "discovery and keys are both given", "one of them"
    if len(issuer.audiences) > 1 and issuer.audience_match_policy is None:
        yield (*at, "audiences"), "several audiences without a policy", "`audienceMatchPolicy: MatchAny`"
    if issuer.certificate_authority is not None and issuer.certificate_authority_file is not None:
        yield (*at, "certificateAuthorityFile"), "two authorities are given", "one of them"
    if issuer.private_network and issuer.certificate_authority is None and issuer.certificate_authority_file is None:
        # inside a network names are easily taken over; the public authorities do not look there
        yield (*at, "privateNetwork"), "a private network without an authority", "`certificateAuthorityFile`"
    for index, name in enumerate(issuer.token_types):
        if not re.fullmatch(r"[A-Za-z0-9+.-]{0,100}", name):
            yield (*at, "tokenTypes", index), f"{name!r} is no type", "e.g. `at+jwt`, without `application/`"
