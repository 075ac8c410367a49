"""`aegis canary simulate`, `forecast` and `preflight`: what can be known before a rollout starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.preflight import preflighted
from aegis.cli.main import main
from aegis.core.policy import CanaryPolicy
from aegis.core.policy_file import parse_policy
from aegis.gates.canary.rehearsal import rehearse
from aegis.gates.canary.simulated import Scenario
from tests.doubles.argo_controller import hash_of, rollout
from tests.doubles.kubernetes_api import Api, serve
from tests.integration.cli.command import aegis, script
from tests.support.canary.canary_server import Shop, shop
from tests.support.cluster.clusters import kubeconfig

PLACE = ("shop", "web")
POLICY = """version: 1
canary:
  prometheus: {url: "https://prometheus.example.com", scrape-interval: 10s}
  rollout: {namespace: shop, name: web}
  deadline: 20m
  metrics:
"""
METRICS = {
    "preset": "{preset: http}",
    "latency": "{preset: http-latency, slo: 0.5}",
    "hash": '{name: e, total: "requests_total{job=\\"a\\"}", bad: "requests_total{job=\\"a\\",ok=\\"no\\"}"}',
    "apart": "{name: e, total: requests_total, bad: errors_total}",
}


def policy_of(*metrics: str) -> CanaryPolicy:
    text = POLICY + "".join(f"    - {metric}\n" for metric in metrics)
    found: CanaryPolicy | None = parse_policy(text.encode(), file="aegis.yml").policy.canary
    assert found is not None
    return found


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_whatever_a_metric_is_counted_from_a_degradation_is_seen(metric: str) -> None:
    *_, last = rehearse(policy_of(metric), Scenario(ratio=10, seed=3))
    assert last.judgement.decision == "abort"
    assert last.judgement.time - last.state.start <= 120


def test_simulated_traffic_is_shared_as_it_is_said() -> None:
    *_, last = rehearse(
        policy_of("{preset: http}", "{name: traffic, total: http_requests_total}", "{preset: restarts}"),
        Scenario(share=0.25, seed=5),
    )
    assert last.judgement.decision == "promote"
    traffic = last.state.tallies["traffic"]
    canary, stable = sum(traffic.canary.values()), sum(traffic.stable.values())
    assert canary / (canary + stable) == pytest.approx(0.25, abs=0.02)
    # the same requests, counted for both metrics
    assert canary == sum(last.state.tallies["http"].canary.values())


def test_a_simulation_is_the_same_each_time() -> None:
    first, second = (list(rehearse(policy_of("{preset: http}"), Scenario(ratio=4))) for _ in range(2))
    assert [each.data for each in first] == [each.data for each in second]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "aegis.yml").write_text(POLICY + "    - {preset: http}\n")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main(["canary", *arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_simulate_says_what_the_judge_would(folder: Path) -> None:
    done = aegis("canary", "simulate", "--ratio", "8", cwd=folder)
    assert done.code == 1
    assert done.out.startswith("simulated, no service was looked at: 100 requests a second")
    assert "\nhttp: worse than stable; canary " in done.out
    assert aegis("canary", "simulate", cwd=folder).code == 0


def test_the_runbooks_script_is_the_command(folder: Path) -> None:
    done = script("canary_gate.py", "simulate", "--ratio", "8", cwd=folder)
    assert done.code == 1
    assert "\nabort after " in done.out


def test_forecast_says_what_can_be_seen_when(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = ("--policy", str(folder / "aegis.yml"))
    code, found = told(capsys, "forecast", *policy, "--requests", "100")
    assert code == 0
    seconds = [each["seconds"] for each in found["http"] if each["decision"] == "abort" and each["seconds"]]
    assert seconds == sorted(seconds, reverse=True)
    _, less = told(capsys, "forecast", *policy, "--requests", "10")
    assert less["http"][-1]["seconds"] > found["http"][-1]["seconds"]
    _, alike = told(capsys, "forecast", *policy, "--rate", "1", "--spread", "0")
    assert alike["http"][0]["seconds"] < found["http"][0]["seconds"]


def test_forecast_says_it_in_words(folder: Path) -> None:
    done = aegis("canary", "forecast", "--requests", "2", "--share", "1", cwd=folder)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("http: a canary as good as stable is promoted ")
    assert lines[1] == "http: one with 1.5 times the rate is aborted: never with this traffic"
    assert ", after the deadline of 1200 s" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "--ratio", "0"),
        ("simulate", "--requests", "inf"),
        ("simulate", "--pods", "0/4"),
        ("simulate", "--pods", "1/x"),
        ("forecast", "--rate", "100"),
        ("forecast", "--spread", "-1"),
        ("forecast", "--spread", "nan"),
    ],
    ids=" ".join,
)
def test_wrong_arguments(folder: Path, arguments: tuple[str, ...]) -> None:
    aegis("canary", *arguments, cwd=folder).refused(2, "core.wrong_usage", arguments[2])


@pytest.mark.parametrize(
    ("option", "text"),
    [("--ratio", "-1"), ("--requests", "many"), ("--pods", "4"), ("--rate", "0"), ("--share", "half")],
)
def test_a_wrong_argument_is_named(folder: Path, option: str, text: str) -> None:
    aegis("canary", "simulate", option, text, cwd=folder).refused(2, "core.wrong_usage", f"{option} is '{text}'")


@pytest.mark.parametrize("command", ["simulate", "forecast", "preflight"])
def test_a_policy_without_the_section_is_told(tmp_path: Path, command: str) -> None:
    (tmp_path / "aegis.yml").write_text("version: 1\n")
    aegis("canary", command, cwd=tmp_path).refused(2, "core.policy_missing", "canary")


class Stage:
    def __init__(self, service: Shop, api: Api, file: Path) -> None:
        self.shop, self.api, self.file = service, api, file

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("preflight", "--policy", str(self.shop.folder / "aegis.yml"), "--kubeconfig", str(self.file))

    def preflight(self, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, str | None]]:
        code, found = told(capsys, *self.arguments, *more)
        return code, {each["check"]: each["code"] for each in found}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    api = Api()
    api.add(rollout(*PLACE, stable="web:v1", canary="web:v1"))
    with shop(tmp_path / "repository") as service, serve(api):
        service.stable = hash_of("web:v1")
        service.policy()
        service.live(60)
        yield Stage(service, api, kubeconfig(tmp_path, api))


METRIC = f"the metric http of the version {hash_of('web:v1')}"


def test_all_is_there(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(capsys, *stage.arguments)
    assert code == 0
    assert {(each["code"], each["note"]) for each in found} == {(None, "")}
    assert METRIC in {each["check"] for each in found}


def test_a_right_that_is_missing(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.api.users = {"a-token": frozenset({"get rollouts"})}
    code, checks = stage.preflight(capsys)
    assert (code, checks["our rights"]) == (3, "canary.cluster_forbidden")
    code, checks = stage.preflight(capsys, "--no-act")
    assert (code, checks["our rights"]) == (0, None)


def test_a_rollout_that_would_promote_itself(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": 60}}]
    stage.api.change(*PLACE, lambda document: document["spec"]["strategy"]["canary"].update({"steps": steps}))
    code, checks = stage.preflight(capsys)
    assert (code, checks["the rollout waits for us"]) == (2, "canary.no_endless_pause")


def test_a_rollout_that_is_not_there(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.api.rollouts.clear()
    code, checks = stage.preflight(capsys)
    assert (code, checks["the rollout"]) == (3, "canary.rollout_missing")


def test_a_prometheus_that_is_down(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.shop.down = True
    code, checks = stage.preflight(capsys)
    assert (code, checks["Prometheus answers"]) == (3, "canary.prometheus_unavailable")


def test_a_metric_that_nobody_exposes(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    policy = stage.shop.folder / "aegis.yml"
    policy.write_text(policy.read_text().replace("{preset: http}", "{preset: grpc}"))
    code, checks = stage.preflight(capsys)
    assert (code, checks[METRIC.replace("http", "grpc")]) == (3, "canary.no_data")


def test_bad_events_with_another_label(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    policy = stage.shop.folder / "aegis.yml"
    own = '{name: http, total: http_requests_total, bad: "http_requests_total{result=\\"bad\\"}"}'
    policy.write_text(policy.read_text().replace("{preset: http}", own))
    assert main(["canary", "preflight", "--policy", str(policy), "--kubeconfig", str(stage.file)]) == 3
    said = capsys.readouterr().out
    assert f"NO {METRIC}\n  canary.no_data: " in said
    assert "have no label result, which tells bad events" in said


def test_a_value_that_nobody_has_is_told_with_those_that_are_there(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = stage.shop.folder / "aegis.yml"
    own = '{name: http, total: http_requests_total, bad: "http_requests_total{code=\\"5xx\\"}"}'
    policy.write_text(policy.read_text().replace("{preset: http}", own))
    assert main(["canary", *stage.arguments]) == 0  # a service that has had no errors yet looks like this, too
    said = capsys.readouterr().out
    note = 'no bad events seen in 7 days: code has the values 200, 500; no series has code="5xx". A value that is mis'
    assert f"ok {METRIC}\n  note: {note}" in said
    _, checks = told(capsys, *stage.arguments)
    assert [each["note"].startswith(note) for each in checks if each["note"]] == [True]
    verdict = preflighted(CanaryOptions(path=str(stage.shop.folder), state=Path("s"), kubeconfig=stage.file), {})
    assert verdict.result == "pass"
    assert verdict.notices[-1].startswith(f"note: {METRIC}: {note}")


def test_scrapes_that_are_rarer_than_the_policy_says(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    policy = stage.shop.folder / "aegis.yml"
    policy.write_text(policy.read_text().replace("scrape-interval: 10s", "scrape-interval: 5s"))
    code, checks = stage.preflight(capsys)
    assert (code, checks[METRIC]) == (2, "canary.policy_incomplete")


def test_without_a_cluster_only_prometheus_is_asked(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = stage.preflight(capsys, "--no-act", "--stable", hash_of("web:v1"))
    assert (code, list(checks)) == (0, ["Prometheus answers", METRIC])
    assert stage.api.asked == []


def test_in_words(stage: Stage, tmp_path: Path) -> None:
    stage.shop.down = True
    done = aegis("canary", "preflight", "--kubeconfig", stage.file, cwd=stage.shop.folder)
    assert done.code == 3
    assert "\nok the rollout waits for us\nNO Prometheus answers\n  canary.prometheus_unavailable: " in done.out
    assert "a-token" not in done.out + done.err
