"""A rollout after a deploy: promoted, rolled back, left undecided, run again."""

from __future__ import annotations

from tests.doubles.argo_controller import hash_of
from tests.e2e.actions.canary.conftest import NEW, OLD, Deploy, assert_decided, chart, looks
from tests.e2e.actions.conftest import told


def test_a_good_version_is_promoted(deploy: Deploy) -> None:
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "pass canary.not_worse", "promote")
    assert deploy.wishes() == [{"promoteFull": True}]
    assert deploy.status["stableRS"] == hash_of(NEW)
    assert "shop/web was promoted" in run.summary
    assert not run.errors()


def test_a_bad_version_is_rolled_back_and_the_revert_is_printed(deploy: Deploy) -> None:
    deploy.service.errors = 0.06
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "fail canary.worse", "abort")
    assert deploy.wishes() == [{"abort": True}]
    assert (deploy.status["phase"], deploy.status["updatedReplicas"]) == ("Degraded", 0)
    assert deploy.status["stableRS"] == hash_of(OLD)
    (note,) = run.errors()
    assert "git revert --no-edit " in note.message
    assert "xychart-beta" in chart(run)
    assert "| http |" in run.summary
    assert "all of them are stable ones" in run.summary


def test_without_evidence_nothing_is_done(deploy: Deploy) -> None:
    deploy.section = {"margin": 1.05, "deadline": "1m"}
    # a rollout that has stood for longer than this short deadline, as it may on a busy machine, was judged before
    deploy.inputs["without-state"] = "begin"
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "error canary.undecided", "inconclusive")
    assert deploy.wishes() == []
    assert deploy.status["phase"] == "Paused"


def test_one_look_promotes_nothing(deploy: Deploy) -> None:
    deploy.inputs["mode"] = "judge"
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "error canary.undecided", "continue")
    assert looks(deploy) == 1
    assert deploy.wishes() == []


def test_an_action_that_must_not_act_is_red_and_does_nothing(deploy: Deploy) -> None:
    deploy.inputs["act"] = "false"
    deploy.service.errors = 0.06
    deploy.adopt()
    assert_decided(deploy, deploy.deployed(), "fail canary.worse", "abort")
    assert deploy.wishes() == []


def test_a_job_that_is_run_again_gives_no_second_chance(deploy: Deploy) -> None:
    deploy.service.errors = 0.06
    deploy.adopt()
    deploy.deployed()
    seen = looks(deploy)
    # the version is retried, and would look good now
    deploy.service.errors = 0.0
    deploy.change(lambda document: document["status"].update({"abort": False}))
    run = deploy.again()
    assert_decided(deploy, run, "fail canary.worse", "abort")
    assert looks(deploy) == seen
    # one of them may have met a change by the controller
    assert deploy.wishes().count({"abort": True}) == len(deploy.wishes()) >= 2
    assert "promoteFull" not in deploy.status
    assert deploy.status["phase"] == "Degraded"


def test_a_job_that_has_lost_its_state_is_red(deploy: Deploy) -> None:
    deploy.section = {"margin": 1.05, "deadline": "1m"}
    deploy.adopt()
    deploy.deployed()
    seen = looks(deploy)
    for kept in (deploy.folder / "cached").iterdir():
        kept.rename(deploy.folder / "evicted")
    run = deploy.again()
    assert_decided(deploy, run, "error canary.state_lost", "could-not-decide")
    assert looks(deploy) == seen
    # and stays so
    assert told(deploy.again()) == "error canary.state_lost"


def test_a_lost_state_can_be_gone_on_without_by_name(deploy: Deploy) -> None:
    deploy.inputs["without-state"] = "begin"
    deploy.attempt = 2
    deploy.adopt()
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")
