"""One Allow of a trust policy for tokens of GitHub, seen as the claims that it really binds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aegis.identity.policy_document import Condition, PolicyDocument, Statement

GITHUB = ("token.actions.githubusercontent.com", "/_services/token")
"""What the addresses of GitHub's issuers hold: github.com (with or without an enterprise), and Enterprise Server."""


@dataclass(frozen=True, slots=True)
class GitHubTrust:
    """A statement that lets tokens of GitHub in."""

    statement: Statement
    issuer: str

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """Each condition on a claim of the token, by the claim's name."""
        for condition in self.statement.conditions:
            prefix, _, claim = condition.key.rpartition(":")
            if prefix.lower() == self.issuer.lower():
                yield claim.lower(), condition

    def bound(self, *claims: str) -> tuple[str, ...]:
        """The values that one of the claims must have; empty where no condition really binds it."""
        return tuple(
            value
            for claim, condition in self.conditions()
            if claim in claims and binds(condition)
            for value in condition.values
        )


def binds(condition: Condition) -> bool:
    """Whether a token must have a certain value: no negation, nothing that a missing claim meets, no bare wildcard."""
    operator = condition.operator
    forgiving = operator.negated or operator.if_exists or operator.qualifier == "ForAllValues"
    texts = operator.base in {"StringEquals", "StringLike", "StringEqualsIgnoreCase"}
    return texts and not forgiving and not any(value.strip("*?") == "" for value in condition.values)


def github_trusts(policy: PolicyDocument) -> list[GitHubTrust]:
    """The Allow statements for GitHub's tokens, and for everyone."""
    return [
        GitHubTrust(statement, issuer)
        for statement in policy.statements
        if statement.allows and not statement.not_principal
        for issuer in _issuers(statement)
    ]


def _issuers(statement: Statement) -> Iterator[str]:
    if "*" in statement.principals:
        yield GITHUB[0]
    for provider in statement.principals.get("Federated", ()):
        issuer = provider.partition(":oidc-provider/")[2]
        if any(part in issuer for part in GITHUB):
            yield issuer
