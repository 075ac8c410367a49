"""Runners, clusters and changes as they are: misconfigured, down, forbidden, of forks, poisoned, stopped, nested."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.doubles.argo_controller import hash_of
from tests.doubles.kubernetes_api import ALL_RIGHTS
from tests.e2e.actions.canary.conftest import (
    KUBE_TOKEN,
    NEW,
    PROMETHEUS_TOKEN,
    ROOT_ACTION,
    Deploy,
    assert_decided,
    kubeconfig,
    looks,
)
from tests.e2e.actions.conftest import assert_error, patient, told
from tests.e2e.actions.watched import gate_of
from tests.support.actions import events
from tests.support.actions.act import read_log

NOWHERE = "http://127.0.0.1:9"
POISON = {
    "KUBECONFIG": "/nowhere",
    "KUBERNETES_SERVICE_HOST": "192.0.2.66",
    "AWS_ACCESS_KEY_ID": "AKIAOTHERS0000000000",
    "AWS_SECRET_ACCESS_KEY": "others",
    "HTTP_PROXY": NOWHERE,
    "ALL_PROXY": NOWHERE,
    "AEGIS_POLICY": "others.yml",
    "AEGIS_STATE": "/nowhere",
    "PROMETHEUS_URL": NOWHERE,
    "PYTHONPATH": ".",
    "PYTHONSTARTUP": "/nowhere.py",
    "LD_PRELOAD": "/nowhere.so",
}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mode", "promote", "core.wrong_usage"),
        ("act", "maybe", "core.wrong_usage"),
        ("weight", "200", "core.wrong_usage"),
        ("kubeconfig", "missing.yml", "canary.cluster_configuration"),
    ],
)
def test_a_wrong_input_is_red_before_anything_is_asked(deploy: Deploy, name: str, value: str, reason: str) -> None:
    deploy.inputs[name] = value
    deploy.adopt()
    run = deploy.deployed()
    assert not run.green
    assert told(run) == f"error {reason}"
    assert len(run.errors()) == 1
    assert not deploy.api.asked
    assert not deploy.prometheus.asked


def test_a_policy_that_cannot_judge_is_wrong_configuration(deploy: Deploy) -> None:
    deploy.section = {"metrics": []}
    deploy.adopt()
    run = deploy.deployed()
    assert_error(run, "canary.policy_incomplete", "canary.metrics is empty")
    assert not deploy.api.asked


def test_a_prometheus_that_is_down_holds(deploy: Deploy) -> None:
    deploy.section = {"prometheus": {"url": NOWHERE, "bearer-env": "PROMETHEUS_TOKEN"}, "deadline": "3s"}
    # a rollout that has stood for longer than this short deadline, as it may on a busy machine, was judged before
    deploy.inputs["without-state"] = "begin"
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "error canary.no_data", "inconclusive")
    assert any("canary.prometheus_unavailable" in note.title for note in run.errors()), run.annotations
    assert deploy.wishes() == []


def test_without_the_right_to_promote_nothing_is_green(deploy: Deploy) -> None:
    deploy.api.users[KUBE_TOKEN] = frozenset({"get rollouts"})
    deploy.adopt()
    run = deploy.deployed()
    assert_decided(deploy, run, "error canary.cluster_forbidden", "inconclusive")
    assert deploy.status["phase"] == "Paused"


def test_a_preflight_finds_what_is_missing_and_asks_for_nothing(deploy: Deploy) -> None:
    deploy.inputs["mode"] = "preflight"
    deploy.api.users[KUBE_TOKEN] = frozenset({"get rollouts"})
    deploy.service.live(300)
    deploy.adopt()
    red = deploy.deployed()
    assert told(red) == "error canary.cluster_forbidden", red.log[-4000:]
    assert any("patch rollouts/status" in note.message for note in red.errors())
    deploy.api.users[KUBE_TOKEN] = ALL_RIGHTS
    green = deploy.again()
    assert told(green) == "pass core.passed", green.log[-4000:]
    assert deploy.wishes() == []


def test_a_run_for_a_fork_is_red_and_asks_nobody(deploy: Deploy) -> None:
    deploy.given = {}
    deploy.adopt()
    run = deploy.changed(fork=True)
    assert_error(run, "canary.fork", "from a fork")
    assert not deploy.api.asked
    assert not deploy.prometheus.asked


def test_a_poisoned_job_changes_nothing(deploy: Deploy) -> None:
    deploy.env = dict(POISON)
    deploy.adopt({"others.yml": "version: 1\n"})
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")


def test_a_state_that_comes_with_the_repository_is_refused(deploy: Deploy) -> None:
    deploy.adopt({".aegis-canary/shop.web.0000000000.json": "{}"})
    run = deploy.deployed()
    assert_error(run, "canary.state_invalid", "is tracked by git")
    assert deploy.wishes() == []


def test_a_job_that_is_cancelled_holds_and_the_next_attempt_goes_on(deploy: Deploy) -> None:
    # between its looks nothing passes, so it would look for ever
    deploy.section = {"deadline": "30m", "margin": 1.01}
    deploy.change_action(patient())
    deploy.adopt()
    event = events.push(deploy.repository, {"README.md": "A shop, anew.\n"})
    with deploy.surrounded().started(deploy.repository, event.name, event.payload) as act:
        output: list[str] = []
        reader = threading.Thread(target=lambda: output.append(act.communicate(timeout=600)[0]))
        reader.start()
        seen = threading.Event()
        for _ in range(3000):
            if looks(deploy) >= 2 or not reader.is_alive():
                break
            seen.wait(0.1)
        launcher, _gate = gate_of(deploy)
        os.kill(launcher, signal.SIGTERM)
        reader.join(300)
    run = read_log(output[0], act.returncode)
    deploy.check_secrets(run)
    assert_error(run, "core.interrupted", "SIGTERM")
    assert deploy.wishes() == []
    assert deploy.status["phase"] == "Paused"
    states = list((deploy.folder / "cached").glob("*/shop.web.*.json"))
    assert len(states) == 1


def test_it_can_be_nested_in_the_consumers_own_action(deploy: Deploy) -> None:
    deploy.uses = "./.github/actions/judge"
    own = """\
name: judge
outputs:
  result: {value: "${{ steps.own.outputs.result }}"}
  reason: {value: "${{ steps.own.outputs.reason }}"}
  verdict: {value: "${{ steps.own.outputs.verdict }}"}
runs:
  using: composite
  steps:
    - id: own
      uses: org/aegis/actions/canary@v1
"""
    deploy.service.errors = 0.06
    deploy.adopt({".github/actions/judge/action.yml": own})
    assert_decided(deploy, deploy.deployed(), "fail canary.worse", "abort")


def test_a_kubeconfig_can_be_a_file_of_an_earlier_step(deploy: Deploy) -> None:
    config = deploy.folder / "kube.json"
    config.write_text(kubeconfig(deploy.api))
    deploy.inputs["kubeconfig"] = str(config)
    deploy.given = {"PROMETHEUS_TOKEN": PROMETHEUS_TOKEN, "AEGIS_STATE_KEY": "5" * 64}
    deploy.adopt()
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")


def test_a_job_without_a_secret_to_seal_its_state_with_is_misconfigured(deploy: Deploy) -> None:
    config = deploy.folder / "kube.json"
    config.write_text(kubeconfig(deploy.api))
    deploy.inputs["kubeconfig"] = str(config)
    deploy.given = {"PROMETHEUS_TOKEN": PROMETHEUS_TOKEN}
    deploy.adopt()
    assert_error(deploy.deployed(), "canary.state_unsealed", "AEGIS_STATE_KEY")
    assert not deploy.api.asked


def test_a_kubeconfig_that_a_change_can_write_is_refused(deploy: Deploy) -> None:
    deploy.inputs["kubeconfig"] = "deploy/kube.json"
    deploy.adopt({"deploy/kube.json": kubeconfig(deploy.api, user={"token": "of-the-repository"})})
    assert_error(deploy.deployed(), "canary.state_invalid", "the kubeconfig")
    assert not deploy.api.asked


def test_a_promotion_that_another_job_put_into_the_cache_is_refused(deploy: Deploy) -> None:
    deploy.adopt()
    forged = deploy.folder / "cached" / "aegis-canary-0-1"
    forged.mkdir(parents=True)
    (forged / f"shop.web.{hash_of(NEW)}.json").write_text('{"decision": {"answer": "promote"}}')
    deploy.service.errors = 0.06
    run = deploy.deployed()
    assert_error(run, "canary.state_forged", "not sealed")
    assert deploy.wishes() == []


def test_the_root_action_judges_no_rollout(deploy: Deploy) -> None:
    deploy.uses, deploy.given = ROOT_ACTION, {}
    deploy.inputs = {"upload": "never"}
    deploy.adopt({"aegis.yml": deploy.policy() + "scan: {}\n"})
    run = deploy.changed()
    assert run.green, run.log[-4000:]
    assert told(run) == "pass core.passed"
    assert not deploy.api.asked
    assert not deploy.prometheus.asked
