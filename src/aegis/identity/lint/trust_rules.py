"""Rules for one Allow of a trust policy: 1 to 11, 16 and 19."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from aegis.identity.lint.finding import Severity
from aegis.identity.lint.trusts import GitHubTrust
from aegis.identity.subject import parse_subject
from aegis.identity.trust_evaluation import CLAIMS

MAX_GOOGLE_SUBJECT = 127
"""Bytes (https://cloud.google.com/iam/docs/workload-identity-federation#mapping)."""
OTHER_AUDIENCES = re.compile(
    r"https://cloud\.oracle\.com|api://AzureADTokenExchange|https://iam\.googleapis\.com/.*|https://github\.com/[^/]+",
    re.IGNORECASE,
)
"""Audiences that other clouds, or GitHub where none is asked for, use by default."""
_SHA = re.compile(r"@[0-9a-f]{40}$")
_OWN = re.compile(r"([^/]+/[^/]+)/\.github/workflows/")

Found = Iterator[tuple[Severity, str, str]]
"""Severity, message and fix."""


def any_repository(trust: GitHubTrust) -> Found:
    """1: nothing says whose jobs are trusted."""
    if not trust.bound("sub", "repository_id", "job_workflow_ref") and not trust.bound("actor", "actor_id"):
        yield (
            Severity.ERROR,
            "any repository on GitHub can use this role: neither sub, repository_id nor job_workflow_ref is bound",
            "Ask for repository_id and sub; `aegis credentials trust` prints such a policy.",
        )


def no_audience(trust: GitHubTrust) -> Found:
    """2: tokens for other services are taken too."""
    if not trust.bound("aud"):
        yield (
            Severity.ERROR,
            "aud is not bound: a token that was made for another service is taken too",
            f"Add StringEquals {trust.issuer}:aud = sts.amazonaws.com.",
        )


def open_repository(trust: GitHubTrust) -> Found:
    """3: a wildcard where owner or repository stands."""
    for value in (*trust.bound("sub"), *(f"repo:{one}:" for one in trust.bound("repository"))):
        name = ":".join(value.split(":")[:2])
        if "*" in name or "?" in name:
            yield (
                Severity.ERROR,
                f"{value!r} has a wildcard in owner or repository: whoever can make a repository can match it",
                "Name owner and repository exactly.",
            )


def any_context(trust: GitHubTrust) -> Found:
    """4: every branch, and every pull request."""
    if trust.bound("ref", "environment"):
        return
    for value in trust.bound("sub"):
        subject = parse_subject(value)
        if subject is not None and subject.context.strip("*?") == "":
            yield (
                Severity.ERROR,
                f"{value!r} takes every branch, every tag and every pull request",
                "Name the environment or the ref: …:environment:NAME or …:ref:refs/heads/main.",
            )


def forgiving_operator(trust: GitHubTrust) -> Found:
    """5: a token without the claim meets the condition."""
    for claim, condition in trust.conditions():
        operator = condition.operator
        if operator.qualifier == "ForAllValues" or operator.if_exists or operator.base == "Null":
            yield (
                Severity.ERROR,
                f"{condition.written} on {claim} says nothing about its value: a token without it may meet it",
                "Use StringEquals or StringLike without a qualifier.",
            )


def literal_wildcard(trust: GitHubTrust) -> Found:
    """6: a wildcard that is none."""
    for claim, condition in trust.conditions():
        if condition.operator.base in {"StringEquals", "StringEqualsIgnoreCase"}:
            for value in condition.values:
                if "*" in value or "?" in value:
                    yield (
                        Severity.ERROR,
                        f"{condition.written} takes the wildcard in {claim} {value!r} literally: no token says that",
                        "Write the value out, or use StringLike.",
                    )


def one_subject_form(trust: GitHubTrust) -> Found:
    """7: the other form of sub comes with the next rename, or has come already."""
    subjects = [subject for value in trust.bound("sub") if (subject := parse_subject(value)) is not None]
    forms = {subject.immutable for subject in subjects}
    if len(forms) == 1:
        have = "with ids" if True in forms else "without ids"
        yield (
            Severity.WARNING,
            f"sub is given only in the form {have}: a rename or a setting changes the form and breaks the trust",
            "List both forms, repo:O/R:… and repo:O@OWNERID/R@REPOID:…, and ask for repository_id.",
        )
    names = [str(subject) for subject in subjects]
    for name in names:
        if any(name != other and name.lower() == other.lower() for other in names):
            yield (
                Severity.WARNING,
                f"{name!r} stands there in several spellings: sub is compared with upper and lower case",
                "Write owner and repository once, as GitHub does.",
            )
            return


def unknown_claim(trust: GitHubTrust) -> Found:
    """8: a key that is never there."""
    for claim, condition in trust.conditions():
        if claim not in CLAIMS:
            yield (
                Severity.ERROR,
                f"AWS reads no claim {claim!r} of GitHub's token: {condition.written} on it never, or always, holds",
                f"Use one of {', '.join(CLAIMS)}.",
            )


def environment_without_ref(trust: GitHubTrust) -> Found:
    """9: the environment's own branch policy decides alone."""
    named = trust.bound("environment") or [one for one in trust.bound("sub") if ":environment:" in one]
    fixed = trust.bound("ref") or [one for one in trust.bound("job_workflow_ref") if not one.endswith("@*")]
    if named and not fixed:
        yield (
            Severity.NOTE,
            "any branch can name the environment, unless its deployment branch policy says no",
            "Set that policy in the repository's settings, or ask for ref too.",
        )


def workflow_not_pinned(trust: GitHubTrust) -> Found:
    """10: whoever may push there decides what runs here."""
    subjects = [subject for value in trust.bound("sub") if (subject := parse_subject(value)) is not None]
    own = {f"{subject.owner}/{subject.repository}".lower() for subject in subjects}
    own |= {one.lower() for one in trust.bound("repository")}
    for value in trust.bound("job_workflow_ref"):
        found = _OWN.match(value)
        if own and (found is None or found[1].lower() not in own) and not _SHA.search(value):
            yield (
                Severity.WARNING,
                f"the reusable workflow {value!r} of another repository is not pinned to a commit",
                "Pin it by its 40-digit commit in the caller and here.",
            )


def actor_only(trust: GitHubTrust) -> Found:
    """11: who started a run says nothing about what runs."""
    if trust.bound("actor", "actor_id") and not trust.bound("sub", "repository_id", "job_workflow_ref"):
        yield (
            Severity.ERROR,
            "only the actor is bound: every repository in which that person starts a run can use it",
            "Ask for repository_id and sub; `aegis credentials trust` prints such a policy.",
        )


def subject_too_long(trust: GitHubTrust) -> Found:
    """16: longer than Google Cloud takes."""
    for value in trust.bound("sub"):
        if len(value.encode()) > MAX_GOOGLE_SUBJECT:
            yield (
                Severity.NOTE,
                f"the subject {value!r} is longer than {MAX_GOOGLE_SUBJECT} bytes, which Google Cloud does not take",
                "If the same job signs in there, map google.subject from repository_id.",
            )


def foreign_audience(trust: GitHubTrust) -> Found:
    """19: one token opens two clouds."""
    for value in trust.bound("aud"):
        if OTHER_AUDIENCES.fullmatch(value):
            yield (
                Severity.ERROR,
                f"the audience {value!r} is another service's: what gets such a token there can replay it here",
                "Use an audience of its own for each cloud; sts.amazonaws.com here.",
            )


TRUST_RULES: dict[str, Callable[[GitHubTrust], Found]] = {
    "any-repository": any_repository,
    "no-audience": no_audience,
    "open-repository": open_repository,
    "any-context": any_context,
    "forgiving-operator": forgiving_operator,
    "literal-wildcard": literal_wildcard,
    "one-subject-form": one_subject_form,
    "unknown-claim": unknown_claim,
    "environment-without-ref": environment_without_ref,
    "workflow-not-pinned": workflow_not_pinned,
    "actor-only": actor_only,
    "subject-too-long": subject_too_long,
    "foreign-audience": foreign_audience,
}
"""By id."""
