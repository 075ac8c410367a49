"""The nearest fix for a condition that a token does not meet: what to change, and where."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from aegis.identity.policy_document import Condition
from aegis.identity.subject import Subject, parse_subject


def advise(condition: Condition, said: str | None, issuer: str, known: Sequence[str]) -> str:
    """One sentence or two. `known` are the claims that the cloud reads."""
    prefix, _, claim = condition.key.rpartition(":")
    if prefix.lower() == issuer.lower() and claim.lower() not in known:
        near = get_close_matches(claim.lower(), known, n=1, cutoff=0.3)
        instead = near[0] if near else "sub"
        return f"AWS reads no claim {claim!r} of this token: use {prefix}:{instead}."
    if "." in prefix and prefix.lower() != issuer.lower():
        return f"The condition is about tokens of {prefix}, this one is from {issuer}: use {issuer}:{claim}."
    if condition.operator.base == "Null":
        return f"The policy asks whether the token has {claim!r}; compare its value instead, with StringEquals."
    if said is None:
        return _absent(claim.lower(), condition)
    if condition.operator.negated:
        return f"The policy excludes {claim}={said!r}: run the job elsewhere, or take the value out of the condition."
    return _wildcard(condition, said) or _case(condition, said) or _of_claim(claim.lower(), condition, said)


def _absent(claim: str, condition: Condition) -> str:
    if claim == "environment":
        return f"The job names no environment: add `environment: {condition.values[0]}` to it."
    if ":" not in condition.key or "." not in condition.key:
        return f"{condition.key} cannot be known here: look at the event in CloudTrail."
    return f"The token has no claim {claim!r}: ask for one that it has, such as repository_id."


def _wildcard(condition: Condition, said: str) -> str:
    """`*` in an operator that takes it literally."""
    if condition.operator.base == "StringLike":
        return ""
    from fnmatch import fnmatchcase

    for value in condition.values:
        if ("*" in value or "?" in value) and fnmatchcase(said, value.replace("[", "[[]")):
            return f"{condition.written} takes the wildcard in {value!r} literally: write {said!r}, or use StringLike."
    return ""


def _case(condition: Condition, said: str) -> str:
    for value in condition.values:
        if value.lower() == said.lower():
            return f"{value!r} and {said!r} differ in upper and lower case only: write it as the token does."
    return ""


def _of_claim(claim: str, condition: Condition, said: str) -> str:
    wanted = condition.values[0]
    if claim == "aud":
        return (
            f"Ask for a token with the audience {wanted!r} (`verify.aws.audience`), or add {said!r} to the condition."
        )
    if claim == "sub":
        return _subject(condition, said)
    if claim == "environment":
        return f"Set `environment: {wanted}` in the job, or add {said!r} to the condition."
    if claim in {"repository", "repository_id"}:
        return f"This is another repository: if it is the right one, write {said!r}."
    if claim == "job_workflow_ref":
        return f"Another workflow, or another version of it, runs here: if it is the right one, add {said!r}."
    return f"Run the job where {claim} is {wanted!r}, or add {said!r} to the condition."


def _subject(condition: Condition, said: str) -> str:
    """The reasons for which a `sub` fails, the most particular one first."""
    token = parse_subject(said)
    if token is None:
        return (
            f"The token's sub has a form of your organisation's own: write {said!r}, or ask for repository_id instead."
        )
    wanted = [parsed for value in condition.values if (parsed := parse_subject(value)) is not None]
    same = [one for one in wanted if _same_repository(one, token)]
    for one in same:
        if one.immutable != token.immutable and _like_context(one, token):
            form = "immutable form, with ids" if token.immutable else "form without ids"
            return f"The token's sub is in the {form}: use {said!r}, or better repository_id, which both forms keep."
    for one in same:
        return _context(one, token, said)
    return f"The policy is for another repository: if this is the right one, write {said!r}."


def _same_repository(one: Subject, token: Subject) -> bool:
    names = (one.owner.lower(), one.repository.lower()) == (token.owner.lower(), token.repository.lower())
    ids = (one.owner_id, one.repository_id) == (token.owner_id, token.repository_id)
    return names and (ids or one.immutable != token.immutable)


def _like_context(one: Subject, token: Subject) -> bool:
    return one.context == token.context or "*" in one.context


def _context(wanted: Subject, token: Subject, said: str) -> str:
    if wanted.context.startswith("environment:"):
        name = wanted.context.removeprefix("environment:")
        return f"The policy wants a job with `environment: {name}`: add it to the job, or write {said!r}."
    if token.context.startswith("environment:"):
        return f"The job names an environment, which takes the place of ref and event in sub: write {said!r}."
    if token.context == "pull_request":
        return f"This run is for a pull request, and the policy is for {wanted.context!r}: write {said!r} if it may."
    return (
        f"This run is for {token.context!r}, and the policy is for {wanted.context!r}: run it there, or write {said!r}."
    )
