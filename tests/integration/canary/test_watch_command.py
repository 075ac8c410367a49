"""`aegis canary watch`: from looks to acts in a cluster that is as strict as a real one, and to a verdict."""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.run import judged
from aegis.cli.canary.watching import Means, watched
from aegis.cli.interruption import Stopped
from aegis.core.verdict import Verdict, exit_code
from tests.doubles.argo_controller import hash_of, reconcile, rollout
from tests.doubles.kubernetes_api import Api, serve
from tests.integration.cli.command import AEGIS, PATIENCE, environment
from tests.support.canary.canary_server import Shop, shop
from tests.support.cluster.clusters import kubeconfig

PLACE = ("shop", "web")


@dataclass
class Stage:
    """A service, its Prometheus and its cluster."""

    shop: Shop
    api: Api
    kubeconfig: Path
    happens: Callable[[], None] = lambda: None
    """Between two looks."""

    frozen: bool = False
    """No time passes."""
    slept: float = 0.0

    def passed(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if seconds >= 1 and not self.frozen:
            self.happens()
            self.shop.live(round(seconds))

    def watch(self, **changes: Any) -> Verdict:
        plain = CanaryOptions(
            path=str(self.shop.folder), state=self.shop.folder / "state.json", act=True, kubeconfig=self.kubeconfig
        )
        means = Means(clock=lambda: self.shop.store.clock, sleep=self.sleep, passed=self.passed)
        return watched(replace(plain, **changes), {}, means)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.rollouts[PLACE]["status"]
        return found

    def patches(self) -> list[Any]:
        return [asked.body["status"] for asked in self.api.asked if asked.method == "PATCH" and asked.body]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    api = Api(controller=reconcile)
    api.add(rollout(*PLACE, stable="web:v1", canary="web:v2"))
    with shop(tmp_path / "repository") as service, serve(api):
        service.canary, service.stable = hash_of("web:v2"), hash_of("web:v1")
        service.policy()
        yield Stage(service, api, kubeconfig(tmp_path, api))


def test_a_worse_version_is_rolled_back_by_itself(stage: Stage) -> None:
    stage.shop.errors = 0.04
    verdict = stage.watch()
    assert (verdict.decision, verdict.result, exit_code(verdict)) == ("abort", "fail", 1)
    assert stage.patches() == [{"abort": True}]
    assert stage.status["phase"] == "Degraded"
    assert stage.status["updatedReplicas"] == 0
    assert verdict.notices[0] == "shop/web was aborted: 5 pods take requests, and all of them are stable ones."
    assert "git revert --no-edit " in verdict.findings[0].remedy


def test_a_good_version_is_promoted_to_the_end(stage: Stage) -> None:
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("promote", 0)
    assert stage.patches() == [{"promoteFull": True}]
    assert stage.status["stableRS"] == stage.shop.canary


def test_a_repeated_run_does_not_act_twice(stage: Stage) -> None:
    stage.shop.errors = 0.04
    stage.watch()
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("abort", 1)
    assert len(stage.patches()) == 1


def test_a_run_that_is_repeated_after_the_promotion_finds_it_done(stage: Stage) -> None:
    stage.watch()
    verdict = stage.watch(canary=stage.shop.canary, stable=stage.shop.stable)
    assert (verdict.decision, exit_code(verdict)) == ("promote", 0)
    assert len(stage.patches()) == 1


def test_an_aborted_version_that_is_retried_gets_no_second_chance(stage: Stage) -> None:
    stage.shop.errors = 0.04
    stage.watch()
    stage.shop.errors = 0.0
    stage.shop.live(600)
    stage.api.change(*PLACE, lambda document: document["status"].update({"abort": False}))
    verdict = stage.watch()
    assert verdict.decision == "abort"
    assert (stage.status["abort"], stage.status["phase"]) == (True, "Degraded")


def rolled_out_again(stage: Stage, paused: float) -> None:
    """The version that was promoted is rolled out once more, over the one that was put back meanwhile."""
    since = datetime.datetime.fromtimestamp(paused, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    again = rollout(*PLACE, stable="web:v1", canary="web:v2")["status"]
    again["pauseConditions"][0]["startTime"] = since
    stage.api.rollouts[PLACE]["status"] = again | {"observedGeneration": stage.status["observedGeneration"]}


@pytest.mark.parametrize("command", ["watch", "judge"])
def test_a_version_that_comes_back_is_not_promoted_by_what_was_seen_of_it_before(stage: Stage, command: str) -> None:
    assert stage.watch().decision == "promote"
    before = len(stage.patches())
    stage.shop.live(600)
    rolled_out_again(stage, stage.shop.store.clock)
    stage.shop.errors = 0.2
    if command == "judge":
        options = CanaryOptions(
            path=str(stage.shop.folder), state=stage.shop.folder / "state.json", kubeconfig=stage.kubeconfig
        )
        assert judged(options, {}, lambda: stage.shop.store.clock).decision == "continue"
        return
    assert stage.watch().decision == "abort"
    assert stage.patches()[before:] == [{"abort": True}]


@pytest.fixture
def undone(stage: Stage) -> Stage:
    """A promotion was decided, and the cluster did not let it be done."""
    rolled_out_again(stage, stage.shop.store.clock)
    users = stage.api.users
    stage.api.users = {"a-token": frozenset({"get rollouts"})}
    assert stage.watch().reason == "canary.cluster_forbidden"
    stage.api.users = users
    return stage


@pytest.mark.parametrize("later", [0, 3600])
def test_a_promotion_that_was_decided_and_not_done_is_done_by_the_next_run(undone: Stage, later: int) -> None:
    undone.shop.live(later)
    looked = undone.shop.looked
    assert undone.watch().decision == "promote"
    assert undone.shop.looked == looked + 1
    assert undone.status["stableRS"] == undone.shop.canary


def test_a_version_that_turned_bad_before_its_promotion_was_done_is_not_promoted(undone: Stage) -> None:
    undone.shop.errors = 0.2
    undone.shop.live(3600)
    refused = len(undone.patches())
    assert undone.watch().decision == "abort"
    assert undone.patches()[refused:] == [{"abort": True}]


def test_nor_is_one_of_which_nothing_can_be_seen_any_more(undone: Stage) -> None:
    undone.shop.down = True
    undone.shop.live(3600)
    refused = len(undone.patches())
    assert (undone.watch().decision, undone.patches()[refused:]) == ("inconclusive", [])


def test_no_act_looks_only(stage: Stage) -> None:
    stage.shop.errors = 0.04
    verdict = stage.watch(act=False)
    assert (verdict.decision, exit_code(verdict)) == ("abort", 1)
    assert stage.patches() == []
    assert verdict.notices[0] == "Nothing was done in the cluster (--no-act)."


def test_an_observed_policy_acts_on_nothing(stage: Stage) -> None:
    stage.shop.policy("mode: observe until 2999-12-31\n")
    stage.shop.errors = 0.04
    verdict = stage.watch()
    assert verdict.decision == "observed"
    assert stage.patches() == []


def test_a_counter_of_bad_events_that_is_misspelt_promotes_nothing(stage: Stage) -> None:
    policy = stage.shop.folder / "aegis.yml"
    own = "{name: http, total: http_requests_total, bad: http_request_erors_total}"
    policy.write_text(policy.read_text().replace("{preset: http}", own))
    stage.shop.errors = 0.5
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, stage.patches()) == ("inconclusive", "canary.no_data", [])


def test_at_the_deadline_nothing_is_done(stage: Stage) -> None:
    stage.shop.policy("  margin: 1.05\n", deadline="2m")
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("inconclusive", 3)
    assert stage.patches() == []
    assert stage.status["phase"] == "Paused"


def test_a_rollout_that_would_promote_itself_is_not_watched(stage: Stage) -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": "10m"}}]
    stage.api.change(*PLACE, lambda document: document["spec"]["strategy"]["canary"].update({"steps": steps}))
    reconcile(stage.api.rollouts[PLACE])
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason) == ("misconfigured", "canary.no_endless_pause")
    assert stage.shop.looked == 0


def test_nor_is_one_that_was_aborted_and_would_do_so_when_it_is_retried(stage: Stage) -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": "10m"}}]
    stage.api.change(*PLACE, lambda document: document["spec"]["strategy"]["canary"].update({"steps": steps}))
    stage.api.change(*PLACE, lambda document: document["status"].update({"abort": True}))
    for _ in range(3):
        reconcile(stage.api.rollouts[PLACE])
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason) == ("misconfigured", "canary.no_endless_pause")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda document: document["status"].update({"abort": True}), "canary.rollout_aborted"),
        (
            lambda document: document["spec"]["template"]["spec"]["containers"][0].update({"image": "web:v3"}),
            "canary.rollout_changed",
        ),
        (lambda document: document["status"].update({"promoteFull": True}), "canary.rollout_promoted"),
        (lambda document: document["metadata"].update({"uid": "another"}), "canary.rollout_changed"),
        (lambda document: document["status"].update({"stableRS": "5d9c4b7f6"}), "canary.rollout_changed"),
    ],
    ids=["aborted", "image", "promoted", "uid", "stable"],
)
def test_what_others_did_meanwhile_ends_the_watch(
    stage: Stage, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    times = iter(range(1000))

    def happens() -> None:
        if next(times) == 1:
            stage.api.change(*PLACE, change)

    stage.happens = happens
    verdict = stage.watch()
    assert verdict.reason == reason
    assert verdict.result == "error"
    assert stage.patches() == []


def test_a_cluster_that_is_away_between_two_looks_stops_nothing(stage: Stage) -> None:
    stage.shop.errors = 0.04
    looks = iter(range(1000))

    def happens() -> None:
        down = next(looks) < 2
        stage.api.fault = lambda _: (503, b"", {"Retry-After": "0"}) if down else None

    stage.happens = happens
    assert stage.watch().decision == "abort"
    assert stage.patches() == [{"abort": True}]


def test_a_promotion_that_the_cluster_refuses_is_none(stage: Stage) -> None:
    stage.api.users = {"a-token": frozenset({"get rollouts"})}
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, exit_code(verdict)) == ("inconclusive", "canary.cluster_forbidden", 3)
    assert stage.status["phase"] == "Paused"


def test_an_abort_that_the_cluster_refuses_fails_and_is_told(stage: Stage) -> None:
    stage.shop.errors = 0.04
    stage.api.users = {"a-token": frozenset({"get rollouts"})}
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("abort", 1)
    assert [finding.rule for finding in verdict.findings] == ["canary.worse", "canary.cluster_forbidden"]


def test_a_run_that_is_stopped_keeps_what_it_saw_and_the_next_goes_on(stage: Stage) -> None:
    looks = iter(range(1000))

    def happens() -> None:
        if next(looks) == 5:
            raise Stopped(15)

    stage.happens = happens
    verdict = stage.watch()
    assert (verdict.result, verdict.reason) == ("error", "core.interrupted")
    kept = json.loads((stage.shop.folder / "state.json").read_bytes())["state"]
    assert kept["tallies"]["http"]["canary"]
    stage.happens = lambda: None
    assert stage.watch().decision == "promote"
    assert json.loads((stage.shop.folder / "state.json").read_bytes())["state"]["start"] == kept["start"]


def test_prometheus_is_away_for_a_while(stage: Stage) -> None:
    looks = iter(range(1000))

    def happens() -> None:
        stage.shop.down = 2 <= next(looks) < 5

    stage.happens = happens
    assert stage.watch().decision == "promote"


def test_prometheus_that_stays_away_is_inconclusive_at_the_deadline(stage: Stage) -> None:
    stage.shop.policy(deadline="2m")
    stage.shop.down = True
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, exit_code(verdict)) == ("inconclusive", "canary.no_data", 3)
    assert {finding.rule for finding in verdict.findings} == {"canary.no_data", "canary.prometheus_unavailable"}


def test_a_prometheus_whose_clock_stands_still_is_not_watched_for_ever(stage: Stage) -> None:
    stage.shop.policy(deadline="2m")
    stage.frozen = True
    verdict = stage.watch()
    assert (verdict.result, verdict.reason) == ("error", "canary.undecided")


def test_a_rollout_with_one_version_only_is_told(stage: Stage) -> None:
    stage.api.rollouts[PLACE]["status"] |= {"stableRS": stage.shop.canary, "phase": "Healthy"}
    assert stage.watch().reason == "canary.act_unfit"


def test_another_version_than_the_one_asked_about_is_refused(stage: Stage) -> None:
    assert stage.watch(canary="another", stable=stage.shop.stable).reason == "canary.rollout_changed"


@pytest.mark.parametrize("stable", [None, "another"], ids=["first", "another"])
def test_nor_is_it_compared_with_another_stable_version_or_with_none(stage: Stage, stable: str | None) -> None:
    verdict = stage.watch(canary=stage.shop.canary, stable=stable)
    assert (verdict.reason, verdict.result, stage.patches()) == ("canary.rollout_changed", "error", [])


def test_without_a_cluster_there_is_no_watch(stage: Stage, tmp_path: Path) -> None:
    assert stage.watch(kubeconfig=tmp_path / "absent").reason == "canary.cluster_configuration"


def test_a_private_prometheus_is_asked_through_the_cluster(stage: Stage) -> None:
    """What reaches it comes by the API server, with the rights that this takes."""

    def prometheus(path: str) -> tuple[int, bytes]:
        return stage.shop.answer(dict(parse_qsl(urlsplit(path).query)))

    stage.api.services["monitoring", "http:prometheus:9090"] = prometheus
    stage.shop.policy(url="http://prometheus.monitoring.svc:9090", prometheus=", via: api-server")
    stage.shop.errors = 0.04
    assert stage.watch().decision == "abort"
    asked = [each.path for each in stage.api.asked if "/proxy/" in each.path]
    assert asked[0].startswith("/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy/api/v1/query?")
    assert stage.status["abort"]


def test_a_process_that_is_told_to_stop_keeps_what_it_saw(stage: Stage, tmp_path: Path) -> None:
    stage.shop.errors = 0.04
    stage.shop.live(20)
    state = stage.shop.folder / "state.json"
    arguments = ["--state", state, "--path", stage.shop.folder, "--kubeconfig", stage.kubeconfig]
    command = [*AEGIS, "canary", "watch", *map(str, arguments), "--output", str(tmp_path / "out")]
    with subprocess.Popen(
        command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        # the first look's line: what it saw is kept before it is told
        assert process.stderr.readline().startswith("continue: after 0 s of 600 s ")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, out + err
    assert "core.interrupted" in out
    assert json.loads((tmp_path / "out" / "verdict.json").read_bytes())["reason"] == "core.interrupted"
    started = json.loads(state.read_bytes())["state"]["start"]
    assert stage.watch().decision == "abort"
    assert json.loads(state.read_bytes())["state"]["start"] == started


def test_a_killed_process_leaves_a_rollout_that_waits(stage: Stage, tmp_path: Path) -> None:
    stage.shop.live(20)
    arguments = ["--state", stage.shop.folder / "state.json", "--path", stage.shop.folder]
    command = [*AEGIS, "canary", "watch", *map(str, arguments), "--kubeconfig", str(stage.kubeconfig)]
    with subprocess.Popen(
        command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("continue: ")
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert stage.status["phase"] == "Paused"
    # the lock has ended with the process, and the next run goes on
    assert stage.watch().decision == "promote"


def weights(stage: Stage) -> list[Any]:
    return [next(iter(patch)) for patch in stage.patches()]


def test_a_ramp_is_climbed_by_evidence_and_promoted_at_its_end(stage: Stage) -> None:
    """Two endless pauses: 2/beta ends the first, 4/beta promotes."""
    stage.shop.policy("  promote: steps\n")
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("promote", 0)
    assert weights(stage) == ["pauseConditions", "promoteFull"]
    whole = next(each.value for each in verdict.evidence if each.name == "canary")
    assert whole["promotes_at"] == pytest.approx(80)
    assert whole["good"] >= 80


def test_a_bad_version_does_not_climb(stage: Stage) -> None:
    stage.shop.policy("  promote: steps\n")
    stage.shop.errors = 0.04
    assert stage.watch().decision == "abort"
    assert stage.patches() == [{"abort": True}]


def test_a_version_that_turns_bad_on_the_way_is_rolled_back(stage: Stage) -> None:
    stage.shop.policy("  promote: steps\n")

    def happens() -> None:
        if weights(stage):
            stage.shop.errors = 0.2

    stage.happens = happens
    assert stage.watch().decision == "abort"
    # the first wish to abort meets a rollout that has just been changed by its controller
    assert (weights(stage)[0], set(weights(stage)[1:])) == ("pauseConditions", {"abort"})
    assert stage.status["phase"] == "Degraded"


def test_who_only_looks_climbs_nothing(stage: Stage) -> None:
    stage.shop.policy("  promote: steps\n")
    assert stage.watch(act=False).decision == "promote"
    assert stage.patches() == []


def test_a_step_that_the_cluster_does_not_take_holds_and_is_tried_again(stage: Stage) -> None:
    stage.shop.policy("  promote: steps\n")
    users = {"a-token": frozenset({"get rollouts"})}
    stage.api.users, before = users, stage.api.users
    tried: list[bool] = []

    def happens() -> None:
        refused = any(asked.method == "PATCH" for asked in stage.api.asked)
        if refused and not tried:
            tried.append(stage.status["phase"] == "Paused")
            stage.api.users = before

    stage.happens = happens
    assert stage.watch().decision == "promote"
    assert tried == [True]


def test_of_two_rollouts_of_a_name_only_the_one_in_the_policy_s_namespace_is_touched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pods have the same names in the other namespace, too, and fail there."""
    stage.api.add(rollout("other", PLACE[1], stable="web:v1", canary="web:v2"))
    plain = stage.shop.live

    def live(seconds: int = 10) -> None:
        plain(seconds)
        labels = {"namespace": "other", "pod": f"web-{stage.shop.canary}-00000", "job": "web", "instance": "other:80"}
        told = {("http_requests_total", 'code="500"'): stage.shop.store.clock}
        stage.shop.store.scrape(labels, told, stage.shop.store.clock - 1)

    monkeypatch.setattr(stage.shop, "live", live)
    assert stage.watch().decision == "promote"
    assert {asked.path.split("/")[5] for asked in stage.api.asked if "/rollouts/" in asked.path} == {"shop"}
    assert stage.api.rollouts["other", PLACE[1]]["status"]["phase"] == "Paused"


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0], ids=["ahead", "back"])
def test_a_clock_of_this_machine_that_jumps_decides_nothing(stage: Stage, jump: float) -> None:
    """Time is the store's: neither is the deadline near all at once, nor the evidence older or newer."""
    looks = iter(range(1000))

    def clock() -> float:
        return stage.shop.store.clock + (jump if next(looks) > 4 else 0.0)

    plain = CanaryOptions(
        path=str(stage.shop.folder), state=stage.shop.folder / "state.json", act=True, kubeconfig=stage.kubeconfig
    )
    assert watched(plain, {}, Means(clock=clock, sleep=stage.sleep, passed=stage.passed)).decision == "promote"


def test_a_clock_that_jumps_during_an_outage_never_promotes(stage: Stage) -> None:
    """What has passed can be read from this machine alone then: the deadline comes early, and holds."""
    stage.shop.down = True
    looks = iter(range(1000))

    def clock() -> float:
        return stage.shop.store.clock + (86_400.0 if next(looks) > 4 else 0.0)

    plain = CanaryOptions(
        path=str(stage.shop.folder), state=stage.shop.folder / "state.json", act=True, kubeconfig=stage.kubeconfig
    )
    verdict = watched(plain, {}, Means(clock=clock, sleep=stage.sleep, passed=stage.passed))
    assert (verdict.decision, verdict.reason, stage.patches()) == ("inconclusive", "canary.no_data", [])


def test_a_canary_that_nobody_scrapes_any_more_is_not_promoted(stage: Stage) -> None:
    """Its series stay in the store for a while, and stale ones are no sign of life."""
    looks = iter(range(1000))

    def happens() -> None:
        stage.shop.unscraped = next(looks) >= 3

    stage.happens = happens
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, stage.patches()) == ("inconclusive", "canary.no_data", [])
