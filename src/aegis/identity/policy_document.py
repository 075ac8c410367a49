"""IAM policy documents: a role's trust policy, or what a role may do.

Format: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. What IAM would not take is not
guessed at: it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import UsageError
from aegis.identity.documents import UnclearError, parse_object

_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
_OTHERS = frozenset(
    f"{kind}{order}"
    for kind in ("Numeric", "Date")
    for order in ("LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
)
OPERATORS = frozenset({*_NEGATED, *_NEGATED.values(), *_OTHERS, "Bool", "BinaryEquals", "Null"})
_ELEMENTS = frozenset(
    {
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator, taken apart."""

    base: str
    """The positive one of the pair, e.g. StringLike of StringNotLike."""
    negated: bool = False
    qualifier: str = ""
    """`ForAllValues`, `ForAnyValue`, or none."""
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator."""

    written: str
    """The operator as it stands in the policy."""
    operator: Operator
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement."""

    number: int
    """From 1."""
    sid: str
    allows: bool
    principals: Mapping[str, tuple[str, ...]]
    """By kind; `{"*": ("*",)}` for everyone."""
    not_principal: bool
    actions: tuple[str, ...]
    not_action: bool
    resources: tuple[str, ...]
    not_resource: bool
    conditions: tuple[Condition, ...]

    @property
    def name(self) -> str:
        """For messages."""
        return f"statement {self.number} ({self.sid})" if self.sid else f"statement {self.number}"


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A whole document."""

    name: str
    """Where it was read from."""
    variables: bool
    """Version 2012-10-17, in which `${…}` is a variable; without it IAM reads the older version."""
    statements: tuple[Statement, ...]
    max_session: int | None = None
    """Seconds; where the document came with its role."""
    role: str | None = None
    """ARN of the role; likewise."""

    @property
    def is_trust(self) -> bool:
        """Whether it says who may assume a role, and not what a role may do."""
        return any(statement.principals for statement in self.statements)


def parse_policy(text: str | bytes, *, name: str) -> PolicyDocument:
    """A policy document, or the answer of `aws iam get-role`, `get-role-policy` or `get-policy-version` that holds one.

    `UsageError` with `verify.trust_policy_invalid`.
    """
    try:
        document = parse_object(text)
    except UnclearError as error:
        raise invalid(name, str(error)) from None
    role = _object(document.get("Role", {}), name, "Role")
    for wrapper in ("Role", "PolicyVersion"):
        if wrapper in document:
            document = _object(document[wrapper], name, wrapper)
    for member in ("AssumeRolePolicyDocument", "PolicyDocument", "Document"):
        if member in document:
            document = _object(document[member], name, member)
            break
    max_session, arn = role.get("MaxSessionDuration"), role.get("Arn")
    version = document.get("Version", "2008-10-17")
    if version not in ("2008-10-17", "2012-10-17"):
        raise invalid(name, f"Version is {str(version)[:50]!r}")
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise invalid(name, "it has no Statement")
    return PolicyDocument(
        name=name,
        variables=version == "2012-10-17",
        statements=tuple(_statement(number, one, name) for number, one in enumerate(statements, 1)),
        max_session=max_session if isinstance(max_session, int) and not isinstance(max_session, bool) else None,
        role=arn if isinstance(arn, str) else None,
    )


def parse_operator(written: str) -> Operator | None:
    """A condition operator; None where IAM knows no such one."""
    qualifier, colon, rest = written.rpartition(":")
    if colon and qualifier not in {"ForAllValues", "ForAnyValue"}:
        return None
    if_exists = rest.endswith("IfExists")
    name = rest.removesuffix("IfExists")
    if name not in OPERATORS or (name == "Null" and (if_exists or qualifier)):
        return None
    return Operator(_NEGATED.get(name, name), name in _NEGATED, qualifier, if_exists)


def invalid(name: str, problem: str) -> UsageError:
    """The error of a document that cannot be judged."""
    return UsageError(
        "verify.trust_policy_invalid",
        f"{name}: {problem}",
        expected="an IAM policy document as IAM takes it",
        remedy="Pass the JSON that `aws iam get-role --role-name NAME` prints, or the policy document alone.",
    )


def _statement(number: int, value: Any, name: str) -> Statement:
    where = f"statement {number}"
    statement = _object(value, name, where)
    unknown = sorted(set(statement) - _ELEMENTS)
    if unknown:
        raise invalid(name, f"{where} has the element {unknown[0][:50]!r}, which IAM does not know")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise invalid(name, f"{where} has the Effect {str(effect)[:50]!r}")
    principals, not_principal = _principals(statement, name, where)
    actions, not_action = _pair(statement, "Action", name, where)
    resources, not_resource = _pair(statement, "Resource", name, where)
    if not actions:
        raise invalid(name, f"{where} has no Action")
    if not principals and not resources:
        raise invalid(name, f"{where} has neither a Principal, as a trust policy has, nor a Resource")
    sid = statement.get("Sid", "")
    return Statement(
        number=number,
        sid=sid if isinstance(sid, str) else "",
        allows=effect == "Allow",
        principals=principals,
        not_principal=not_principal,
        actions=actions,
        not_action=not_action,
        resources=resources,
        not_resource=not_resource,
        conditions=tuple(_conditions(statement.get("Condition", {}), name, where)),
    )


def _pair(statement: Mapping[str, Any], element: str, name: str, where: str) -> tuple[tuple[str, ...], bool]:
    """The texts of an element or of its negation, and whether it is the negation."""
    if element in statement and f"Not{element}" in statement:
        raise invalid(name, f"{where} has both {element} and Not{element}")
    negated = f"Not{element}" in statement
    written = f"Not{element}" if negated else element
    return (_texts(statement[written], name, f"{written} of {where}") if written in statement else ()), negated


def _principals(statement: Mapping[str, Any], name: str, where: str) -> tuple[Mapping[str, tuple[str, ...]], bool]:
    if "Principal" in statement and "NotPrincipal" in statement:
        raise invalid(name, f"{where} has both Principal and NotPrincipal")
    negated = "NotPrincipal" in statement
    value = statement.get("NotPrincipal" if negated else "Principal")
    if value is None:
        return {}, False
    if value == "*":
        return {"*": ("*",)}, negated
    kinds = _object(value, name, f"Principal of {where}")
    if not kinds:
        raise invalid(name, f"{where} has an empty Principal")
    return {kind: _texts(each, name, f"Principal of {where}") for kind, each in kinds.items()}, negated


def _conditions(value: Any, name: str, where: str) -> list[Condition]:
    found = []
    for written, keys in _object(value, name, f"Condition of {where}").items():
        operator = parse_operator(written)
        if operator is None:
            raise invalid(name, f"{where} has the condition operator {written[:50]!r}, which IAM does not know")
        for key, values in _object(keys, name, f"{written} of {where}").items():
            found.append(Condition(written, operator, key, _texts(values, name, f"{key} in {where}")))
    return found


def _texts(value: Any, name: str, where: str) -> tuple[str, ...]:
    """One or several values; numbers and truth values count as the text that JSON writes (IAM takes both)."""
    values = value if isinstance(value, list) else [value]
    texts = [str(one).lower() if isinstance(one, bool) else str(one) if isinstance(one, int) else one for one in values]
    if not texts or not all(isinstance(one, str) for one in texts):
        raise invalid(name, f"{where} holds no text, or something else than text")
    return tuple(texts)


def _object(value: Any, name: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(name, f"{where} is no JSON object")
    return value
