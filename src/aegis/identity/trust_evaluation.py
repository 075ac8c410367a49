"""What a role's trust policy says to one token, condition by condition, and why.

Semantics: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
…/reference_policies_elements_condition_operators.html. Where a condition asks for what nobody knows here (the caller's
address, the time, a tag), the answer is "unknown", never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from aegis.identity.claims import Claims
from aegis.identity.policy_document import Condition, PolicyDocument, Statement
from aegis.identity.role import Role
from aegis.identity.trust_advice import advise

ACTION = "sts:AssumeRoleWithWebIdentity"
CLAIMS = ("aud", "sub", "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository",
          "repository_id", "workflow")  # fmt: skip
"""What AWS reads of GitHub's token
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif)."""
_STRINGS = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike"})
_SPECIAL = {"${*}": "*", "${?}": "?", "${$}": "$"}
_TOKENS = re.compile(r"\$\{[*?$]\}|.", re.DOTALL)
_VARIABLE = re.compile(r"\$\{[^*?$}][^}]*\}")


@dataclass(frozen=True, slots=True)
class TrustRequest:
    """What STS knows when it judges a token."""

    issuer: str
    """Without its scheme: the prefix of its condition keys."""
    provider: str
    """ARN of the OIDC provider."""
    any_account: bool
    """The role, and with it the account, is not known: a provider of any account counts."""
    context: Mapping[str, str]
    """Condition keys, in lower case, and their one value."""


@dataclass(frozen=True, slots=True)
class CheckedCondition:
    """One condition beside what the token says."""

    condition: Condition
    said: str | None
    """None: the token has no such claim, or AWS does not read it."""
    holds: bool | None
    """None: it cannot be known here."""
    fix: str = ""
    """What to change where it does not hold."""

    def __str__(self) -> str:
        """For people."""
        said = "nothing" if self.said is None else repr(self.said)
        wanted = " or ".join(map(repr, self.condition.values))
        return f"{self.condition.written} {self.condition.key}: the token says {said}, the policy wants {wanted}"


@dataclass(frozen=True, slots=True)
class CheckedStatement:
    """One statement."""

    statement: Statement
    principal: bool | None
    """Whether it speaks of the token's issuer."""
    action: bool
    """Whether it speaks of AssumeRoleWithWebIdentity."""
    conditions: tuple[CheckedCondition, ...]

    @property
    def applies(self) -> bool | None:
        """Whether its effect takes place."""
        parts = (self.principal, self.action, *(one.holds for one in self.conditions))
        return False if False in parts else None if None in parts else True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole answer."""

    request: TrustRequest
    statements: tuple[CheckedStatement, ...]

    @property
    def allowed(self) -> bool | None:
        """Some statement allows it and none denies it; None where that cannot be known here."""
        denied = [one.applies for one in self.statements if not one.statement.allows]
        allowed = [one.applies for one in self.statements if one.statement.allows]
        if True in denied or not (True in allowed or None in allowed):
            return False
        return None if None in denied or True not in allowed else True

    @property
    def nearest(self) -> CheckedStatement | None:
        """The statement that matters: the one that denies, else the Allow with the fewest failing conditions."""
        denies = [one for one in self.statements if not one.statement.allows and one.applies]
        if denies:
            return denies[0]
        candidates = [
            one for one in self.statements if one.statement.allows and one.action and one.principal is not False
        ]
        return min(candidates, key=lambda one: sum(each.holds is False for each in one.conditions), default=None)

    @property
    def failing(self) -> tuple[CheckedCondition, ...]:
        """The conditions of the nearest statement that stand in the way."""
        nearest = self.nearest
        if nearest is None or not nearest.statement.allows:
            return ()
        return tuple(one for one in nearest.conditions if one.holds is False)

    @property
    def reason(self) -> str:
        """Why, in one line for each cause."""
        nearest = self.nearest
        if self.allowed is True:
            return f"{nearest.statement.name} allows it" if nearest else ""
        if nearest is None:
            return f"no statement allows {ACTION} for {self.request.provider}"
        if not nearest.statement.allows:
            return f"{nearest.statement.name} denies it: " + "; ".join(map(str, nearest.conditions))
        causes = self.failing or tuple(one for one in nearest.conditions if one.holds is None)
        if not causes:
            return f"{nearest.statement.name} fits, but another one may deny it"
        return f"{nearest.statement.name}: " + "\n  ".join(map(str, causes))

    @property
    def fix(self) -> str:
        """What to change first."""
        nearest = self.nearest
        if nearest is None:
            return (
                f"Add a statement with the Principal {{'Federated': '{self.request.provider}'}} and the Action "
                f"{ACTION}: `aegis credentials trust` prints one."
            )
        if not nearest.statement.allows:
            return f"Take what denies this token out of {nearest.statement.name}, if it is meant to be allowed."
        fixes = [one.fix for one in self.failing]
        return fixes[0] if fixes else "Check the conditions that cannot be known here in CloudTrail."


def request_of(claims: Claims, role: Role | None, session_name: str | None = None) -> TrustRequest:
    """The request that STS would judge. Without a role, the provider may be of any account."""
    issuer = claims.issuer.removeprefix("https://").rstrip("/")
    context = {f"{issuer}:{name}".lower(): claims.text(name) for name in CLAIMS}
    if session_name is not None:
        context["sts:rolesessionname"] = session_name
    where = f"arn:{role.partition}:iam::{role.account}" if role else "arn:aws:iam::ACCOUNT"
    known = {key: value for key, value in context.items() if value is not None}
    return TrustRequest(issuer, f"{where}:oidc-provider/{issuer}", role is None, known)


def evaluate(policy: PolicyDocument, request: TrustRequest) -> Evaluation:
    """Judge a request by a trust policy."""
    return Evaluation(request, tuple(_checked(statement, policy.variables, request) for statement in policy.statements))


def _checked(statement: Statement, variables: bool, request: TrustRequest) -> CheckedStatement:
    action = any(_like(pattern.lower(), ACTION.lower()) for pattern in statement.actions) != statement.not_action
    conditions = tuple(_checked_condition(one, variables, request) for one in statement.conditions)
    return CheckedStatement(statement, _principal(statement, request), action, conditions)


def _principal(statement: Statement, request: TrustRequest) -> bool | None:
    if statement.not_principal:
        return None  # AWS advises against it everywhere; what it means for a federated principal is not documented
    if "*" in statement.principals.get("*", ()):
        return True
    named = statement.principals.get("Federated", ())
    if request.any_account:
        ending = f":oidc-provider/{request.issuer}"
        return any(one.lower().endswith(ending.lower()) for one in named)
    return any(one.lower() == request.provider.lower() for one in named)


def _checked_condition(condition: Condition, variables: bool, request: TrustRequest) -> CheckedCondition:
    said = request.context.get(condition.key.lower())
    checked = CheckedCondition(condition, said, _holds(condition, variables, said, request))
    return checked if checked.holds else replace(checked, fix=advise(condition, said, request.issuer, CLAIMS))


def _holds(condition: Condition, variables: bool, said: str | None, request: TrustRequest) -> bool | None:
    operator = condition.operator
    if said is None and not _of_a_provider(condition.key, request):
        return None
    if operator.base == "Null":
        return any((said is None) == (value.lower() == "true") for value in condition.values)
    if said is None:
        return _of_nothing(condition)
    if operator.base not in {*_STRINGS, "Bool"}:
        return None
    if variables and any(_VARIABLE.search(value) for value in condition.values):
        return None
    if operator.qualifier and said == "":
        # "if the key value resolves to a null dataset, such as an empty string"
        return operator.qualifier == "ForAllValues"
    matched = any(_matches(operator.base, value, said, variables) for value in condition.values)
    return matched != operator.negated


def _of_nothing(condition: Condition) -> bool | None:
    """A claim that the token has not: the negated operators hold, and so do the forgiving ones."""
    operator = condition.operator
    if operator.qualifier == "ForAllValues":
        return True
    if operator.qualifier == "ForAnyValue":
        return None if operator.if_exists else False  # IfExists: the documentation and what AWS does differ
    return operator.if_exists or operator.negated


def _of_a_provider(key: str, request: TrustRequest) -> bool:
    """Whether a key is one of an identity provider, so that a token without it settles the matter."""
    prefix = key.rpartition(":")[0]
    return "." in prefix or prefix.lower() == request.issuer.lower()


def _matches(base: str, wanted: str, said: str, variables: bool) -> bool:
    if base == "StringLike":
        return _like(wanted, said, variables)
    literal = _TOKENS.sub(lambda found: _SPECIAL.get(found[0], found[0]), wanted) if variables else wanted
    if base == "StringEquals":
        return literal == said
    return literal.lower() == said.lower()


def _like(pattern: str, text: str, variables: bool = False) -> bool:
    return _compiled(pattern, variables).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str, variables: bool) -> re.Pattern[str]:
    """`*` any characters, `?` exactly one, `${*}` and the like the character itself."""
    parts = _TOKENS.findall(pattern) if variables else list(pattern)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(part) or re.escape(_SPECIAL.get(part, part)) for part in parts), re.DOTALL)
