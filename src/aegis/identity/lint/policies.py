"""IAM policy documents, judged as wholes: rules 12 to 15, and those of `trust_rules` for each statement."""

from __future__ import annotations

import re
from collections.abc import Callable

from aegis.identity.lint.finding import LintFinding, Severity
from aegis.identity.lint.trust_rules import TRUST_RULES, Found
from aegis.identity.lint.trusts import GitHubTrust, github_trusts
from aegis.identity.policy_document import PolicyDocument, Statement

MAX_SESSION_SECONDS = 3600
READS = frozenset({
    "s3:getobject", "s3:getobjectversion", "s3:listbucket", "s3:listbucketversions", "s3:getbucketlocation",
    "kms:decrypt",
})  # fmt: skip
"""What the verify gate does."""


def lint_policy(policy: PolicyDocument) -> list[LintFinding]:
    """All findings in a trust policy, or in what a role may do."""
    found = []
    if policy.is_trust:
        trusts = github_trusts(policy)
        for trust in trusts:
            for rule, check in TRUST_RULES.items():
                for severity, message, fix in check(trust):
                    found.append(LintFinding(rule, severity, policy.name, trust.statement.name, message, fix))
        for rule, whole in _WHOLE_RULES.items():
            for severity, message, fix in whole(policy, trusts):
                found.append(LintFinding(rule, severity, policy.name, "", message, fix))
    else:
        for statement in policy.statements:
            for severity, message, fix in role_too_broad(statement):
                found.append(LintFinding("role-too-broad", severity, policy.name, statement.name, message, fix))
    return found


def broader_statement(policy: PolicyDocument, trusts: list[GitHubTrust]) -> Found:
    """12: the strict statement is for nothing."""
    keys = [(trust, {claim for claim, _ in trust.conditions() if trust.bound(claim)}) for trust in trusts]
    for trust, bound in keys:
        stricter = [other.statement.name for other, more in keys if bound < more]
        if stricter:
            yield (
                Severity.WARNING,
                f"{trust.statement.name} asks for less than {stricter[0]}, which is therefore for nothing",
                "Keep one statement, or give both the same conditions.",
            )


def long_session(policy: PolicyDocument, trusts: list[GitHubTrust]) -> Found:
    """13: stolen credentials live long."""
    if trusts and policy.max_session is not None and policy.max_session > MAX_SESSION_SECONDS:
        yield (
            Severity.WARNING,
            f"sessions may last {policy.max_session} seconds; the gate asks for 900",
            f"Set the role's MaxSessionDuration to {MAX_SESSION_SECONDS}, the least that IAM takes.",
        )


def requests_and_branches(policy: PolicyDocument, trusts: list[GitHubTrust]) -> Found:
    """15: what a pull request runs has the rights of what was merged."""
    values = [value for trust in trusts for value in trust.bound("sub", "ref")]
    change = any(value.endswith(":pull_request") or value.startswith("refs/pull/") for value in values)
    merged = any(":ref:refs/heads/" in value or value.startswith("refs/heads/") for value in values)
    if change and merged:
        yield (
            Severity.WARNING,
            "pull requests and a branch share this role: a change gets what only merged code should have",
            "Give pull requests a role of their own, which reads only what the check needs.",
        )


def role_too_broad(statement: Statement) -> Found:
    """14: more than the gate needs; the session policy limits it, but not for others who get the role."""
    if not statement.allows:
        return
    if statement.not_action or statement.not_resource:
        yield Severity.WARNING, "NotAction and NotResource allow all else", "List what the role may do."
        return
    more = [action for action in statement.actions if action.lower() not in READS]
    if more:
        yield (
            Severity.WARNING,
            f"the role may do {more[0]!r}; verifying only reads",
            "Allow s3:GetObject, s3:GetObjectVersion, s3:ListBucket, s3:ListBucketVersions and s3:GetBucketLocation.",
        )
    for resource in statement.resources:
        if resource == "*" or re.fullmatch(r"arn:aws[a-z-]*:(?:s3:::[^/]*[*?].*|kms:.*[*?].*)", resource):
            yield (
                Severity.WARNING,
                f"the resource {resource!r} takes in other buckets or keys",
                "Name the bucket and the prefix: arn:aws:s3:::BUCKET/PREFIX/*.",
            )


_WHOLE_RULES: dict[str, Callable[[PolicyDocument, list[GitHubTrust]], Found]] = {
    "broader-statement": broader_statement,
    "long-session": long_session,
    "requests-and-branches": requests_and_branches,
}
