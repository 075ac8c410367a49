"""Who a valid token speaks of, by names that nobody else gets later.

GitHub gives an owner's, a repository's and a person's name to others once they are free; ids it does not. A Kubernetes
service account that is deleted and made again has another uid. An issuer other than these is taken to speak of people,
whose `sub` it never gives to another (OpenID Connect Core 5.7); an e-mail address is none of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from aegis.core.actor import Actor
from aegis.identity.subject import parse_subject
from aegis.identity.tokens.refusal import TokenRefused, refused

GITHUB = "https://token.actions.githubusercontent.com"
_ENTERPRISE_SERVER = "/_services/token"
"""How the issuer of a GitHub Enterprise Server ends."""
_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_GITHUB_IDS = ("repository_owner_id", "repository_id", "run_id", "run_attempt", "actor_id")
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})", re.ASCII)


def actor_of(claims: Mapping[str, Any]) -> Actor:
    """The actor of the claims of a valid token, of which `iss` and `sub` are text.

    Refuses with `token.actor_unclear` where ids are missing or contradict each other.
    """
    issuer = str(claims["iss"])
    if is_github(issuer):
        return _workflow(issuer, claims)
    if "kubernetes.io" in claims:
        return _service_account(issuer, claims)
    return _person(issuer, claims)


def is_github(issuer: str) -> bool:
    """Whether it is GitHub's issuer, an enterprise's own one there, or one of a GitHub Enterprise Server."""
    return issuer == GITHUB or issuer.startswith(GITHUB + "/") or issuer.endswith(_ENTERPRISE_SERVER)


def _workflow(issuer: str, claims: Mapping[str, Any]) -> Actor:
    ids = {name: claims.get(name) for name in _GITHUB_IDS}
    if not all(isinstance(value, str) and _ID.fullmatch(value) for value in ids.values()):
        raise _unclear("the token lacks one of " + ", ".join(_GITHUB_IDS))
    repository, workflow = claims.get("repository"), claims.get("job_workflow_ref")
    if not isinstance(repository, str) or not isinstance(workflow, str):
        raise _unclear("the token lacks its repository or job_workflow_ref")
    environment = claims.get("environment")
    if "environment" in claims and not isinstance(environment, str):
        raise _unclear("the token's environment is no name")
    _check_subject(str(claims["sub"]), claims)
    parts = {
        "owner": ids["repository_owner_id"],
        "repository": ids["repository_id"],
        **({"environment": environment} if environment is not None else {}),
        "workflow": workflow,
        "run": f"{ids['run_id']}.{ids['run_attempt']}",
        "actor": ids["actor_id"],
    }
    person = claims.get("actor")
    return Actor(
        id=_id(issuer, parts),
        kind="github-workflow",
        display=f"{repository} run {ids['run_id']}" + (f" by {person}" if isinstance(person, str) else ""),
        issuer=issuer,
        subject=str(claims["sub"]),
        attributes=_texts(claims, *_GITHUB_IDS, "repository", "environment", "job_workflow_ref", "ref", "sha"),
    )


def _check_subject(text: str, claims: Mapping[str, Any]) -> None:
    """A subject in one of GitHub's own forms says the same as the claims; a customised one has no form."""
    subject = parse_subject(text)
    if subject is None:
        return
    if subject.immutable and (subject.owner_id, subject.repository_id) != (
        claims["repository_owner_id"],
        claims["repository_id"],
    ):
        raise _unclear("the ids in the token's subject are not those of its claims")
    if f"{subject.owner}/{subject.repository}" != claims["repository"]:
        raise _unclear("the repository in the token's subject is not that of its claims")
    kind, _, name = subject.context.partition(":")
    # GitHub writes a colon inside the name as %3A (`aegis.identity.subject.context_of`)
    if kind == "environment" and name.replace("%3A", ":") != claims.get("environment", "").replace("%3A", ":"):
        raise _unclear("the environment in the token's subject is not that of its claims")


def _service_account(issuer: str, claims: Mapping[str, Any]) -> Actor:
    subject, bound = str(claims["sub"]), claims["kubernetes.io"]
    found = _ACCOUNT.fullmatch(subject)
    account = bound.get("serviceaccount") if isinstance(bound, Mapping) else None
    uid = account.get("uid") if isinstance(account, Mapping) else None
    if found is None or not isinstance(account, Mapping) or not isinstance(uid, str) or not uid:
        raise _unclear("the token lacks its service account or the account's uid")
    if (bound.get("namespace"), account.get("name")) != found.groups():
        raise _unclear("the service account in the token's subject is not that of its claims")
    pod = bound.get("pod")
    return Actor(
        id=_id(issuer, {"sub": subject, "uid": uid}),
        kind="service-account",
        display=f"{found[1]}/{found[2]}",
        issuer=issuer,
        subject=subject,
        attributes=MappingProxyType(
            {"namespace": found[1], "serviceaccount": found[2], "uid": uid}
            | ({"pod": pod["name"]} if isinstance(pod, Mapping) and isinstance(pod.get("name"), str) else {})
        ),
    )


def _person(issuer: str, claims: Mapping[str, Any]) -> Actor:
    subject = str(claims["sub"])
    email = verified_email(claims)
    return Actor(
        id=_id(issuer, {"sub": subject}),
        kind="person",
        display=email or subject,
        issuer=issuer,
        subject=subject,
        attributes=MappingProxyType({"email": email} if email else {}),
    )


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The address, if the issuer says that it has checked it; `"true"` as text is not saying so."""
    email = claims.get("email")
    return email if isinstance(email, str) and email and claims.get("email_verified") is True else None


def _id(issuer: str, parts: Mapping[str, Any]) -> str:
    """`|` between the parts stands in none of them, so that no two actors have one id."""
    return "|".join([issuer, *(f"{name}={quote(str(value), safe='/:@.-_')}" for name, value in parts.items())])


def _texts(claims: Mapping[str, Any], *names: str) -> Mapping[str, str]:
    return MappingProxyType({name: claims[name] for name in names if isinstance(claims.get(name), str)})


def _unclear(problem: str) -> TokenRefused:
    return refused(
        "actor_unclear",
        problem,
        "ids that agree with the subject",
        remedy="leave the claims at the issuer as they are by default",
    )
