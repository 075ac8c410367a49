"""What OCI must be told to trust one GitHub workflow, and why a trust refuses a token.

- `render(TrustWanted(…)) -> TrustText`: what `aegis credentials trust --cloud oci` prints: trust and IAM policy.
- `explain(claims, trust, client_id=None) -> tuple[TrustCheck, …]`: what doctor prints; the domain takes the token where
  all of them hold. `trust` comes from `oci_trust_document.parse_trust`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from aegis.core.errors import UsageError
from aegis.identity.claims import Claims
from aegis.identity.oci_trust_document import PropagationTrust
from aegis.identity.subject import both_forms, context_of, parse_subject

ISSUER = "https://token.actions.githubusercontent.com"
JWKS = f"{ISSUER}/.well-known/jwks"
SCHEMA = "urn:ietf:params:scim:schemas:oracle:idcs:IdentityPropagationTrust"
# A rule has no quoting that is documented, and `*` in it matches everything.
_RULE_TEXT = re.compile(r"[A-Za-z0-9@:/._%+-]{1,500}")
_IAM_NAME = re.compile(r"[A-Za-z0-9@._+-]{1,100}")
_PREFIX = re.compile(r"[A-Za-z0-9@._+=/-]{0,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustWanted:
    """Whom the domain shall trust, and what for."""

    owner: str
    repository: str
    """Its name without the owner."""
    owner_id: str
    repository_id: str
    client_id: str
    """Of the confidential application whose id and secret the job has."""
    service_user: str
    """Id of the service user that the job becomes."""
    audience: str
    environment: str | None = None
    """The environment that the job names; else `ref` counts."""
    ref: str | None = None
    """E.g. `refs/heads/main`; None without an environment: pull requests."""
    domain_name: str = "Default"
    group: str
    """The group of the domain in which the service user is."""
    compartment: str
    bucket: str
    prefix: str = ""
    """Below which objects may be read; empty: all of the bucket."""
    name: str = "aegis-verify"


@dataclass(frozen=True, slots=True)
class TrustText:
    """What an administrator applies."""

    trust: str
    """The body of POST {domain}/admin/v1/IdentityPropagationTrusts, JSON."""
    statements: tuple[str, ...]
    """Of an IAM policy."""


@dataclass(frozen=True, slots=True)
class TrustCheck:
    """One condition of a trust beside what the token says."""

    what: str
    said: str | None
    """What the token (or the client) says; None: nothing."""
    wanted: str
    holds: bool
    fix: str = ""
    """What to change where it does not hold."""

    def __str__(self) -> str:
        """For people."""
        said = "nothing" if self.said is None else repr(self.said)
        return f"{self.what}: it is {said}, the trust wants {self.wanted}"


def render(wanted: TrustWanted) -> TrustText:
    """The tight trust, and the policy that lets its service user read one bucket, and nothing else.

    Both forms of GitHub's subject are in it, so that the day on which a repository gets immutable subjects breaks
    nothing; the repository's id is asked for too, so that nobody can take over a name that became free. `UsageError`
    where a name cannot be said in a rule.
    """
    context = context_of(wanted.ref, wanted.environment)
    subjects = both_forms(wanted.owner, wanted.repository, wanted.owner_id, wanted.repository_id, context)
    for subject in subjects:
        _check(_RULE_TEXT, subject, "the subject")
    for what, name in (
        ("the group", wanted.group),
        ("the domain's name", wanted.domain_name),
        ("the compartment", wanted.compartment),
        ("the bucket", wanted.bucket),
    ):
        _check(_IAM_NAME, name, what)
    _check(_PREFIX, wanted.prefix, "the prefix")
    document = {
        "schemas": [SCHEMA],
        "name": wanted.name,
        "type": "JWT",
        "active": True,
        "issuer": ISSUER,
        "publicKeyEndpoint": JWKS,
        "subjectType": "User",
        "subjectClaimName": "sub",
        "clientClaimName": "aud",
        "clientClaimValues": [wanted.audience],
        "oauthClients": [wanted.client_id],
        "claimValidations": [{"name": "repository_id", "value": wanted.repository_id}],
        "allowImpersonation": True,
        "impersonationServiceUsers": [
            {"rule": f"sub eq {subject}", "value": wanted.service_user} for subject in subjects
        ],
    }
    return TrustText(json.dumps(document, indent=2), (_statement(wanted),))


def _statement(wanted: TrustWanted) -> str:
    """Listing is not bound to a prefix in OCI, so OBJECT_INSPECT is for the bucket and OBJECT_READ for the prefix."""
    condition = f"target.bucket.name = '{wanted.bucket}'"
    if wanted.prefix:
        names = f"target.object.name = '{wanted.prefix}*'"
        condition = f"all {{{condition}, any {{request.permission = 'OBJECT_INSPECT', {names}}}}}"
    subject = f"group '{wanted.domain_name}'/'{wanted.group}'"
    return f"Allow {subject} to read objects in compartment {wanted.compartment} where {condition}"


def explain(claims: Claims, trust: PropagationTrust, client_id: str | None = None) -> tuple[TrustCheck, ...]:
    """Each condition of the trust beside what the token says; the domain takes the token where all hold.

    `client_id` None: whether the client may exchange tokens is not looked at.
    """
    checks = [
        TrustCheck("active", None, "an active trust", trust.active, "Set `active` of the trust to true."),
        TrustCheck("type", "JWT", repr(trust.kind), trust.kind.upper() == "JWT", "Make the trust one of type JWT."),
        TrustCheck(
            "issuer",
            claims.issuer,
            repr(trust.issuer),
            claims.issuer == trust.issuer,
            f"Set `issuer` of the trust to {claims.issuer!r}, exactly.",
        ),
    ]
    if trust.client_claim is not None:
        said = claims.audience if trust.client_claim == "aud" else claims.text(trust.client_claim)
        checks.append(
            TrustCheck(
                trust.client_claim,
                said,
                " or ".join(map(repr, trust.client_values)) or "nothing",
                said in trust.client_values,
                "Mint the token with an audience of `clientClaimValues` (`verify.oci.audience`), or add this one.",
            )
        )
    if client_id is not None:
        checks.append(
            TrustCheck(
                "client",
                client_id,
                " or ".join(map(repr, trust.clients)) or "nothing",
                client_id in trust.clients,
                "Add the id of the confidential application to `oauthClients`.",
            )
        )
    checks.extend(
        TrustCheck(
            name,
            claims.text(name),
            repr(value),
            claims.text(name) == value,
            f"Correct `claimValidations` for {name}, if this token is meant to be allowed.",
        )
        for name, value in trust.validations
    )
    return (*checks, _rules(claims, trust))


def _rules(claims: Claims, trust: PropagationTrust) -> TrustCheck:
    """Whether some rule maps the token to a service user."""
    if not trust.impersonates:
        fix = "Set `allowImpersonation` to true and add a rule for the subject: a workflow is no user of the domain."
        return TrustCheck("rule", claims.subject, "a user of the domain with this name", False, fix)
    names = {rule.claim for rule in trust.rules} or {"sub"}
    name = "sub" if "sub" in names else sorted(names)[0]
    return TrustCheck(
        name,
        claims.text(name),
        " or ".join(repr(rule.text) for rule in trust.rules) or "a rule, and has none",
        any(rule.matches(claims.text(rule.claim)) for rule in trust.rules),
        _fix(claims, trust),
    )


def _fix(claims: Claims, trust: PropagationTrust) -> str:
    """The nearest change that lets the token in, with the cause where it is a known one."""
    add = f"add a rule `sub eq {claims.subject[:500]}`, if this token is meant to be allowed."
    said = parse_subject(claims.subject)
    wanted = [parse_subject(rule.value) for rule in trust.rules if rule.claim == "sub" and rule.operator == "eq"]
    for one in wanted:
        if said is None or one is None:
            continue
        same = (one.owner, one.repository, one.context) == (said.owner, said.repository, said.context)
        if same and one.immutable != said.immutable:
            form = "the immutable form with ids" if said.immutable else "the form without ids"
            return f"The token's subject is in {form}, the rule's is not: {add}"
        if (one.owner, one.repository) == (said.owner, said.repository):
            return f"The job is another one ({said.context!r} instead of {one.context!r}): {add}"
        if str(one).lower() == str(said).lower():
            return f"Subjects are compared with their case: {add}"
    return add[0].upper() + add[1:]


def _check(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise UsageError(
            "core.wrong_usage",
            f"{what} is {text[:200]!r}",
            expected=f"a name that can stand in a rule without quotes: {pattern.pattern}",
            remedy="Choose names without spaces, quotes and wildcards.",
        )
