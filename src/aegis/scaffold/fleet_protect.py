"""One ruleset of an organisation for many repositories: which of them it can serve, and what it is to say.

A ruleset demands the same checks of each repository that it means, and a check that no workflow reports keeps every
change waiting for ever: so it serves those whose workflows report the same, and the others have one of their own.
https://docs.github.com/rest/orgs/rules
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aegis.scaffold.protection import Wanted, ruleset

Checks = tuple[str, ...]
"""Names, sorted."""


def served(checks: Mapping[int, Checks], present: Mapping[str, Any] | None) -> Checks | None:
    """The checks that the organisation's ruleset demands, of `checks` by repository id; None: it can serve none.

    The most repositories that report the same. What the ruleset demands already stays, and none that it means gets a
    check demanded that it does not report.
    """
    there, meant = demanded(present), meant_ids(present)
    for each, _ in Counter(checks.values()).most_common():
        if there <= set(each) and (there == set(each) or all(set(each) <= set(checks.get(one, ())) for one in meant)):
            return each
    return None


def demanded(present: Mapping[str, Any] | None) -> frozenset[str]:
    """The checks that a ruleset demands."""
    rules = [rule for rule in (present or {}).get("rules", []) if rule["type"] == "required_status_checks"]
    return frozenset(
        check["context"] for rule in rules for check in (rule.get("parameters") or {}).get("required_status_checks", [])
    )


def meant_ids(present: Mapping[str, Any] | None) -> frozenset[int]:
    """The repositories that a ruleset names by id."""
    conditions = (present or {}).get("conditions") or {}
    return frozenset((conditions.get("repository_id") or {}).get("repository_ids") or [])


def organisation_ruleset(wanted: Wanted, present: Mapping[str, Any] | None, meant: Sequence[int]) -> dict[str, Any]:
    """The ruleset as it should be, in the form in which it is sent. `meant`: repositories by id, beside those there.

    One that a person wrote by names or properties keeps that: GitHub takes one form alone.
    """
    document = ruleset(wanted, present)
    conditions = (present or {}).get("conditions") or {}
    others = {key: conditions[key] for key in ("repository_name", "repository_property") if conditions.get(key)}
    ids = {"repository_id": {"repository_ids": sorted({*meant, *meant_ids(present)})}}
    return {**document, "conditions": {**document["conditions"], **(others or ids)}}
