"""Whether IAM would allow a request: a reading of AWS's documentation of its own, apart from the product's.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
…/reference_policies_condition-single-vs-multi-valued-context-keys.html, …/reference_policies_evaluation-logic.html.
Written in another way on purpose: conditions are folded into tests over sets of values, and patterns are matched by
walking them, so that a mistake in the one is not a mistake in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Context = Mapping[str, Sequence[str]]
"""Condition keys and all their values."""


def allows(
    documents: Sequence[Mapping[str, Any]],
    *,
    action: str,
    resource: str | None = None,
    federated: str | None = None,
    context: Context,
) -> bool:
    """An Allow in any document and no Deny in any. `resource` for a role's policies, `federated` for a trust policy."""
    known = {key.casefold(): list(values) for key, values in context.items()}
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _list(document["Statement"])
        if _fits(statement, document.get("Version") == "2012-10-17", action, resource, federated, known)
    }
    return effects == {"Allow"}


def _fits(
    statement: Mapping[str, Any],
    modern: bool,
    action: str,
    resource: str | None,
    federated: str | None,
    context: Mapping[str, list[str]],
) -> bool:
    def named(element: str, value: str, *, fold: bool) -> bool:
        written = _list(statement.get(element, statement.get(f"Not{element}")))
        found = any(
            walk(_units(one.casefold() if fold else one, modern and not fold), value.casefold() if fold else value)
            for one in written
        )
        return found is (element in statement)

    if not named("Action", action, fold=True):
        return False
    if resource is not None and not named("Resource", resource, fold=False):
        return False
    if federated is not None:
        who = statement["Principal"]
        if who != "*" and federated.casefold() not in [one.casefold() for one in _list(who.get("Federated", []))]:
            return False
    return all(
        _met(operator, context.get(key.casefold()), [_text(one) for one in _list(wanted)], modern)
        for operator, block in statement.get("Condition", {}).items()
        for key, wanted in block.items()
    )


def _met(operator: str, present: list[str] | None, wanted: list[str], modern: bool) -> bool:
    """One key under one operator."""
    if operator == "Null":
        return ("true" if present is None else "false") in [one.casefold() for one in wanted]
    scope, name = operator.split(":") if ":" in operator else ("", operator)
    lenient = name.endswith("IfExists")
    name = name[: -len("IfExists")] if lenient else name
    refuses = "Not" in name
    compare = _COMPARISONS[name.replace("Not", "")]

    def one_value(value: str) -> bool:
        hit = False
        for pattern in wanted:
            hit = hit or compare(pattern, value, modern)
        return not hit if refuses else hit

    if scope == "ForAllValues":
        return all(one_value(value) for value in present or [] if value)
    if scope == "ForAnyValue":
        return any(one_value(value) for value in present or [] if value)
    if present is None:
        return lenient or refuses
    verdicts = {one_value(value) for value in present}
    return verdicts == {True} if refuses else True in verdicts


def _equals(pattern: str, value: str, modern: bool) -> bool:
    return "".join(unit[-1] for unit in _units(pattern, modern)) == value


def _equals_folded(pattern: str, value: str, modern: bool) -> bool:
    return _equals(pattern.casefold(), value.casefold(), modern)


def _like(pattern: str, value: str, modern: bool) -> bool:
    return walk(_units(pattern, modern), value)


def _bool(pattern: str, value: str, modern: bool) -> bool:
    return pattern.casefold() == value.casefold()


_COMPARISONS: dict[str, Callable[[str, str, bool], bool]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_folded,
    "StringLike": _like,
    "Bool": _bool,
}


def _units(pattern: str, modern: bool) -> list[str]:
    """The pattern's characters; one that stands for itself is written with a backslash before it."""
    units, rest = [], pattern
    while rest:
        if modern and len(rest) >= 4 and rest[:2] == "${" and rest[3] == "}" and rest[2] in "*?$":
            units.append("\\" + rest[2])
            rest = rest[4:]
        else:
            units.append(rest[0])
            rest = rest[1:]
    return units


def walk(units: Sequence[str], value: str) -> bool:
    """Match with `*` and `?`, going back to the last star where the walk gets stuck."""
    at, place, star, mark = 0, 0, -1, 0
    while place < len(value):
        unit = units[at] if at < len(units) else None
        if unit == "*":
            star, mark = at, place
            at += 1
        elif unit is not None and (unit == "?" or unit[-1] == value[place]):
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(unit == "*" for unit in units[at:])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
