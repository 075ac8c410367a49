"""What protects a branch: the settings that are wanted, laid over those that are there. Nothing is ever loosened.

Two forms: a ruleset (https://docs.github.com/rest/repos/rules) and, where there are none, branch protection
(https://docs.github.com/rest/branches/branch-protection).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BYPASS = "bypass_pull_request_allowances"
NAME = "aegis"
"""Of our ruleset, by which it is found again."""
_DEFAULT = "~DEFAULT_BRANCH"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    checks: tuple[str, ...]
    app: int
    """The app that must report them: GitHub Actions, so that nobody else's status passes for them."""
    approvals: int = 1
    owners: bool = True
    """Code owners must review."""
    up_to_date: bool = False
    """The branch must have the newest base."""


def ruleset(wanted: Wanted, present: Mapping[str, Any] | None) -> dict[str, Any]:
    """The ruleset as it should be, in the form in which it is sent."""
    present = present or {}
    rules = {rule["type"]: dict(rule.get("parameters") or {}) for rule in present.get("rules", [])}
    other = [rule for rule in present.get("rules", []) if rule["type"] not in _OWN]
    checks = rules.get("required_status_checks", {})
    reviews = rules.get("pull_request", {})
    references = (present.get("conditions") or {}).get("ref_name") or {}
    include = list(references.get("include", []))
    return {
        "name": NAME,
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": list(present.get("bypass_actors") or []),
        "conditions": {
            "ref_name": {
                "include": include if {_DEFAULT, "~ALL"} & set(include) else [*include, _DEFAULT],
                "exclude": [each for each in references.get("exclude", []) if each != _DEFAULT],
            }
        },
        "rules": [
            *({key: rule[key] for key in ("type", "parameters") if key in rule} for rule in other),
            {"type": "deletion"},
            {"type": "non_fast_forward"},
            {
                "type": "pull_request",
                "parameters": {
                    **reviews,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": wanted.owners or bool(reviews.get("require_code_owner_review")),
                    "require_last_push_approval": bool(reviews.get("require_last_push_approval")),
                    "required_approving_review_count": max(
                        wanted.approvals, reviews.get("required_approving_review_count", 0)
                    ),
                    "required_review_thread_resolution": bool(reviews.get("required_review_thread_resolution")),
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    **checks,
                    "strict_required_status_checks_policy": wanted.up_to_date
                    or bool(checks.get("strict_required_status_checks_policy")),
                    "required_status_checks": _checks(
                        wanted, checks.get("required_status_checks", []), "integration_id"
                    ),
                },
            },
        ],
    }


_OWN = frozenset({"deletion", "non_fast_forward", "pull_request", "required_status_checks"})


def _checks(wanted: Wanted, present: list[dict[str, Any]], app: str) -> list[dict[str, Any]]:
    """Those that are there, and ours from GitHub Actions alone. What another app must report stays beside ours."""
    anyone = (None, -1, wanted.app)
    others = [dict(check) for check in present if check["context"] not in wanted.checks or check.get(app) not in anyone]
    return [*others, *({"context": name, app: wanted.app} for name in wanted.checks)]


def branch_protection(wanted: Wanted, present: Mapping[str, Any] | None) -> dict[str, Any]:
    """Branch protection as it should be, as it is sent: that replaces everything, so all that is there is repeated."""
    sent = as_sent(present)
    checks, reviews = sent["required_status_checks"] or {}, sent["required_pull_request_reviews"] or {}
    return {
        **sent,
        "required_status_checks": {
            "strict": wanted.up_to_date or checks.get("strict", False),
            "contexts": [],
            "checks": _checks(wanted, checks.get("checks", []), "app_id"),
        },
        "enforce_admins": True,
        "required_pull_request_reviews": {
            **reviews,
            "dismiss_stale_reviews": True,
            "require_code_owner_reviews": wanted.owners or reviews.get("require_code_owner_reviews", False),
            "required_approving_review_count": max(wanted.approvals, reviews.get("required_approving_review_count", 0)),
        },
        "allow_force_pushes": False,
        "allow_deletions": False,
    }


def as_sent(present: Mapping[str, Any] | None) -> dict[str, Any]:
    """Branch protection as GitHub tells it, in the other form in which GitHub takes it."""
    present = present or {}
    checks, reviews = present.get("required_status_checks"), present.get("required_pull_request_reviews")
    sent: dict[str, Any] = {
        "required_status_checks": checks
        and {
            "strict": bool(checks.get("strict")),
            "contexts": [],
            # null is what GitHub says of a check that any app may report; as no app named it takes that back
            "checks": [{k: v for k, v in check.items() if v is not None} for check in told_checks(checks)],
        },
        "required_pull_request_reviews": reviews
        and {
            "dismiss_stale_reviews": bool(reviews.get("dismiss_stale_reviews")),
            "require_code_owner_reviews": bool(reviews.get("require_code_owner_reviews")),
            "require_last_push_approval": bool(reviews.get("require_last_push_approval")),
            "required_approving_review_count": reviews.get("required_approving_review_count") or 0,
            **{key: _who(reviews[key]) for key in ("dismissal_restrictions", _BYPASS) if reviews.get(key)},
        },
        "restrictions": _who(present.get("restrictions")),
    }
    switches = ("enforce_admins", "required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations",
                "required_conversation_resolution", "lock_branch", "allow_fork_syncing")  # fmt: skip
    return {**sent, **{key: bool((present.get(key) or {}).get("enabled")) for key in switches}}


def told_checks(protection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The required checks of branch protection: some GitHub tells in its older form alone, by their names."""
    checks = [dict(check) for check in protection.get("checks") or [] if isinstance(check, Mapping)]
    names = {check.get("context") for check in checks}
    return [*checks, *({"context": name} for name in protection.get("contexts") or [] if name not in names)]


def _who(present: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    """People, teams and apps, by the names under which they are sent."""
    if present is None:
        return None
    keys = {"users": "login", "teams": "slug", "apps": "slug"}
    return {kind: [each[key] for each in present.get(kind, [])] for kind, key in keys.items()}


def lines(document: Mapping[str, Any] | None) -> list[str]:
    """Either form, one setting a line, sorted: what is shown and compared."""
    return sorted(_lines(document or {}, ""))


_UNSAID = frozenset(
    {
        "id",
        "node_id",
        "source",
        "source_type",
        "_links",
        "created_at",
        "updated_at",
        "current_user_can_bypass",
        "contexts",
    }
)
"""What an answer holds and a request does not."""


def _lines(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        named = value.get("type") or value.get("context")
        place = f"{at}[{named}]" if named and at else at
        parts = {key: part for key, part in value.items() if key not in _UNSAID | {"type", "context"}}
        if named and not any(True for _ in _lines(parts, place)):
            yield place
        for key, part in parts.items():
            yield from _lines(part, f"{place}.{key}" if place else key)
        return
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        for each in value:
            yield from _lines(each, at)
        return
    if value not in (None, [], False):
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "true" if value is True else str(value)
        yield f"{at}: {shown}"
