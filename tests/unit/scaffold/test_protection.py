"""What is wanted laid over what is there: nothing is loosened, nothing of others' is lost, and twice is once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.scaffold.doctor_github import demanded
from aegis.scaffold.protection import Wanted, as_sent, branch_protection, lines, ruleset
from tests.doubles.github_settings import ACTIONS_APP, _protected

WANTED = Wanted(("aegis", "sdk-scan"), ACTIONS_APP)
OTHERS: dict[str, Any] = {
    "id": 4,
    "name": "aegis",
    "source": "octo/widgets",
    "enforcement": "evaluate",
    "target": "branch",
    "bypass_actors": [{"actor_id": 5, "actor_type": "Team", "bypass_mode": "pull_request"}],
    "conditions": {"ref_name": {"include": ["refs/heads/release"], "exclude": ["refs/heads/x"]}},
    "rules": [
        {"type": "required_signatures"},
        {"type": "merge_queue", "parameters": {"merge_method": "SQUASH"}},
        {
            "type": "pull_request",
            "parameters": {
                "required_approving_review_count": 3,
                "require_last_push_approval": True,
                "required_reviewers": [],
            },
        },
        {
            "type": "required_status_checks",
            "parameters": {
                "strict_required_status_checks_policy": True,
                "required_status_checks": [{"context": "build", "integration_id": 9}, {"context": "aegis"}],
            },
        },
    ],
}


def test_a_new_ruleset_demands_the_checks_of_github_actions_alone() -> None:
    shown = lines(ruleset(WANTED, None))
    assert (
        f"rules[required_status_checks].parameters.required_status_checks[aegis].integration_id: {ACTIONS_APP}" in shown
    )
    assert "rules[pull_request].parameters.require_code_owner_review: true" in shown
    assert {"rules[deletion]", "rules[non_fast_forward]", "enforcement: active"} <= set(shown)


def test_what_others_have_set_stays_and_ours_is_added() -> None:
    made = ruleset(WANTED, OTHERS)
    rules = {rule["type"]: rule.get("parameters") for rule in made["rules"]}
    assert made["bypass_actors"] == OTHERS["bypass_actors"]
    assert made["enforcement"] == "active"
    assert made["conditions"]["ref_name"] == {
        "include": ["refs/heads/release", "~DEFAULT_BRANCH"],
        "exclude": ["refs/heads/x"],
    }
    assert rules["required_signatures"] is None
    assert rules["merge_queue"] == {"merge_method": "SQUASH"}
    assert rules["pull_request"]["required_approving_review_count"] == 3
    assert rules["pull_request"]["require_last_push_approval"] is True
    checks = rules["required_status_checks"]
    assert checks["strict_required_status_checks_policy"] is True
    assert checks["required_status_checks"] == [
        {"context": "build", "integration_id": 9},
        {"context": "aegis", "integration_id": ACTIONS_APP},
        {"context": "sdk-scan", "integration_id": ACTIONS_APP},
    ]


def test_a_check_of_another_app_stays_beside_ours() -> None:
    present = [
        {"context": "aegis", "integration_id": 99},
        {"context": "aegis"},
        {"context": "sdk-scan", "integration_id": ACTIONS_APP},
    ]
    rules = [{"type": "required_status_checks", "parameters": {"required_status_checks": present}}]
    made = {rule["type"]: rule.get("parameters") for rule in ruleset(WANTED, {"rules": rules})["rules"]}
    assert made["required_status_checks"]["required_status_checks"] == [
        {"context": "aegis", "integration_id": 99},
        {"context": "aegis", "integration_id": ACTIONS_APP},
        {"context": "sdk-scan", "integration_id": ACTIONS_APP},
    ]
    told = {
        "required_status_checks": {
            "strict": False,
            "checks": [{"context": "aegis", "app_id": 99}, {"context": "sdk-scan", "app_id": -1}],
        }
    }
    assert branch_protection(WANTED, told)["required_status_checks"]["checks"] == [
        {"context": "aegis", "app_id": 99},
        {"context": "aegis", "app_id": ACTIONS_APP},
        {"context": "sdk-scan", "app_id": ACTIONS_APP},
    ]


def test_checks_that_are_told_by_name_alone_stay() -> None:
    checks = {"strict": False, "contexts": ["build", "aegis", "old"], "checks": [{"context": "build", "app_id": 9}]}
    for told in ({**checks}, {"strict": False, "contexts": ["build", "aegis", "old"]}):
        kept = as_sent({"required_status_checks": told})["required_status_checks"]["checks"]
        assert [check["context"] for check in kept] == ["build", "aegis", "old"]
        made = branch_protection(WANTED, {"required_status_checks": told})["required_status_checks"]["checks"]
        assert {check["context"] for check in made} == {"build", "old", "aegis", "sdk-scan"}
        assert demanded([], {"required_status_checks": told})["old"] == {None}


def test_twice_is_once() -> None:
    once = ruleset(WANTED, OTHERS)
    assert ruleset(WANTED, once) == once
    told = _protected(branch_protection(WANTED, None), "http://api")
    assert lines(branch_protection(WANTED, told)) == lines(as_sent(told))


booleans = st.booleans()
protections = st.fixed_dictionaries(
    {
        "enforce_admins": st.booleans(),
        "required_status_checks": st.none()
        | st.fixed_dictionaries(
            {
                "strict": booleans,
                "contexts": st.just([]),
                "checks": st.lists(
                    st.sampled_from([{"context": "build"}, {"context": "lint", "app_id": 9}]), unique_by=str, max_size=2
                ),
            }
        ),
        "required_pull_request_reviews": st.none()
        | st.fixed_dictionaries(
            {
                "dismiss_stale_reviews": booleans,
                "require_code_owner_reviews": booleans,
                "require_last_push_approval": booleans,
                "required_approving_review_count": st.integers(0, 6),
            },
            optional={
                "dismissal_restrictions": st.just({"users": ["amy"], "teams": ["core"], "apps": []}),
                "bypass_pull_request_allowances": st.just({"users": [], "teams": ["ops"], "apps": ["bot"]}),
            },
        ),
        "restrictions": st.none() | st.just({"users": ["amy"], "teams": [], "apps": ["bot"]}),
        "required_linear_history": booleans,
        "required_conversation_resolution": booleans,
        "lock_branch": booleans,
        "block_creations": booleans,
        "allow_fork_syncing": booleans,
    }
)


@settings(max_examples=150, deadline=None)
@given(protections)
def test_branch_protection_is_told_and_sent_back_as_it_was(sent: dict[str, Any]) -> None:
    again = as_sent(_protected(sent, "http://api"))
    assert {key: again[key] for key in sent} == sent


@settings(max_examples=150, deadline=None)
@given(protections, st.integers(0, 6), booleans, booleans)
def test_branch_protection_is_never_loosened(sent: dict[str, Any], approvals: int, owners: bool, fresh: bool) -> None:
    wanted = Wanted(("aegis",), ACTIONS_APP, approvals=approvals, owners=owners, up_to_date=fresh)
    made = branch_protection(wanted, _protected(sent, "http://api"))
    checks, reviews = sent["required_status_checks"] or {}, sent["required_pull_request_reviews"] or {}
    assert made["required_status_checks"]["strict"] == (fresh or checks.get("strict", False))
    assert [*checks.get("checks", []), {"context": "aegis", "app_id": ACTIONS_APP}] == made["required_status_checks"][
        "checks"
    ]
    asked = made["required_pull_request_reviews"]
    assert asked["required_approving_review_count"] == max(approvals, reviews.get("required_approving_review_count", 0))
    assert asked["require_code_owner_reviews"] == (owners or reviews.get("require_code_owner_reviews", False))
    assert asked.get("require_last_push_approval", False) == reviews.get("require_last_push_approval", False)
    for key in ("dismissal_restrictions", "bypass_pull_request_allowances"):
        assert asked.get(key) == reviews.get(key)
    for key in ("restrictions", "required_linear_history", "lock_branch", "block_creations"):
        assert made[key] == sent[key]
    assert made["enforce_admins"] is True
    assert made["allow_force_pushes"] is False


def test_the_default_branch_is_no_longer_excluded() -> None:
    present = {
        **OTHERS,
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": ["~DEFAULT_BRANCH", "refs/heads/x"]}},
    }
    assert ruleset(WANTED, present)["conditions"]["ref_name"] == {"include": ["~ALL"], "exclude": ["refs/heads/x"]}
