"""One issue for what nobody watches: opened by the first red run, written to by the next, closed by a green one."""

from __future__ import annotations

from tests.doubles.github import Fault
from tests.e2e.actions.backup_check.conftest import Shop, assert_failed, assert_passed, nightly
from tests.support.actions import events


def test_an_issue_is_opened_once_written_to_and_closed_by_the_next_pass(shop: Shop) -> None:
    issues = shop.hub.issues
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.no_backup", "backup_check.never_proven")
    (issue,) = issues.every
    assert issue["state"] == "open"
    assert "backup_check.no_backup" in issue["body"]
    assert issue["labels"] == [{"name": "aegis-backups"}]

    shop.stock(shop.shelf.taken)
    assert not shop.run_again().green
    assert len(issues.every) == 1
    (comment,) = issues.comments[issue["number"]]
    assert "backup_check.never_proven" in comment

    shop.cloud.put(shop.shelf.proven, "backups/")
    assert_passed(shop, shop.run_again())
    assert (issue["state"], len(issues.every)) == ("closed", 1)
    assert all(each not in "".join([issue["body"], *issues.comments[1]]) for each in shop.secrets)


def test_a_pull_request_opens_no_issue(shop: Shop) -> None:
    shop.adopt()
    assert not shop.changed().green
    assert shop.hub.issues.every == []


def test_a_run_by_hand_on_a_branch_opens_none_and_one_on_the_default_branch_does(shop: Shop) -> None:
    shop.adopt()
    event = events.Event("workflow_dispatch", {"repository": events.REPOSITORY, "ref": "refs/heads/change"})
    assert not shop.run(event).green
    assert shop.hub.issues.every == []


def test_what_becomes_of_the_issue_never_decides(shop: Shop) -> None:
    shop.hub.issues.may_write = False
    shop.adopt()
    run = shop.run(nightly())
    assert_failed(shop, run, "backup_check.no_backup", "backup_check.never_proven")
    warnings = [note.message for note in run.annotations if note.level == "warning"]
    assert any("issue" in message and "403" in message for message in warnings), warnings
    shop.hub.faults += [Fault(times=100)]
    shop.stock(shop.shelf.proven)
    assert_passed(shop, shop.run_again())


def test_a_policy_may_ask_for_none(shop: Shop) -> None:
    shop.section["issue"] = False
    shop.adopt()
    assert not shop.run(nightly()).green
    assert shop.hub.issues.every == []
