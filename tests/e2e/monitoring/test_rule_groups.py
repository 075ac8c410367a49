"""The alert rules of canary and service under Prometheus' own tool: each fires on its fault, and not on a near miss."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.gates.canary.served import Tellings
from aegis_multimodal_ai_system.metrics import Metrics
from tests.support.programs.debian import program

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "k8s/prometheus/rule-groups.yaml"
GROUPS: dict[str, list[dict[str, Any]]] = {
    group["name"]: group["rules"] for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
}
OURS = [rule for name in ("aegis-canary", "aegis-service") for rule in GROUPS[name]]
MINUTES, HOURS = 60, 3600
STEP = MINUTES
"""Seconds between two samples, and two looks at the rules."""
LONG = 3 * HOURS // STEP
"""Samples of a whole test."""
NOW_AND_ON = f"0+{STEP}x{LONG}"
"""A time that is always now; the clock of these tests begins at 0."""
ROLLOUT = {"rollout_namespace": "shop", "rollout": "web"}
OWN = {"namespace": "shop", "name": "web"}
POD = {"job": "aegis", "instance": "10.0.0.7:8081"}
Series = dict[str, str]
"""A series and its samples, in promtool's notation."""


def promtool(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(program("prometheus", "promtool")), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)


def named(metric: str, /, **labels: str) -> str:
    told = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{metric}{{{told}}}"


def judge(verdict: str = "continue", asked: str = NOW_AND_ON, unseen: str = f"0x{LONG}") -> Series:
    """What a judge tells of one rollout."""
    target = ROLLOUT | {"job": "aegis-canary-judge", "instance": "10.0.0.9:8080"}
    told = {
        named("aegis_canary_judge_info", **target, version="1"): f"1x{LONG}",
        named("aegis_canary_asked_timestamp_seconds", **target): asked,
        named("aegis_canary_unseen", **target): unseen,
    }
    words = ("promote", "abort", "continue", "inconclusive")
    return told | {
        named("aegis_canary_verdict", **target, verdict=word): f"{int(word == verdict)}x{LONG}" for word in words
    }


def argo(phase: str, samples: str = f"1x{LONG}", **labels: str) -> Series:
    given = {**OWN, "job": "argo-rollouts", "instance": "10.0.0.8:8090", "phase": phase} | labels
    return {named("rollout_info", **given): samples}


def service(**changes: str) -> Series:
    """What a pod of the service tells: one request a second, of which none fails and none is slow."""
    told = {
        "build": (named("aegis_build_info", **POD, version="1"), f"1x{LONG}"),
        "verified": (named("aegis_model_state", **POD, model="vision", state="verified"), f"1x{LONG}"),
        "unverified": (named("aegis_model_state", **POD, model="vision", state="unverified"), f"0x{LONG}"),
        "quarantined": (named("aegis_model_state", **POD, model="vision", state="quarantined"), f"0x{LONG}"),
        "audit": (named("aegis_audit_failures_total", **POD), f"0x{LONG}"),
        "lost": (named("aegis_alerts_failed_total", **POD, sink="webhook"), f"0x{LONG}"),
        "good": (requests("/v1/models", "200"), f"0+60x{LONG}"),
        "bad": (requests("/v1/models", "500"), f"0x{LONG}"),
        "not_ready": (requests("/readyz", "503"), f"0x{LONG}"),
        "probes": (requests("/readyz", "200"), f"0+12x{LONG}"),
        "quick": (bucket("/v1/models", "1.0"), f"0+60x{LONG}"),
        "answered": (count("/v1/models"), f"0+60x{LONG}"),
        "prepared_quick": (bucket("/v1/models/{name}/prepare", "1.0"), f"0x{LONG}"),
        "prepared": (count("/v1/models/{name}/prepare"), f"0+60x{LONG}"),
    }
    assert changes.keys() <= told.keys()
    return {series: changes.get(key, samples) for key, (series, samples) in told.items()}


def requests(route: str, status: str) -> str:
    return named("aegis_http_requests_total", **POD, method="GET", route=route, status=status)


def bucket(route: str, edge: str) -> str:
    return named("aegis_http_request_seconds_bucket", **POD, method="GET", route=route, le=edge)


def count(route: str) -> str:
    return named("aegis_http_request_seconds_count", **POD, method="GET", route=route)


def refusals(samples: str, model: str = "vision") -> Series:
    labels = {**POD, "model": model, "version": "7", "reason": "verify.signature_invalid"}
    return {named("aegis_model_verification_failures_total", **labels): samples}


def errors(samples: str) -> Series:
    labels = {"job": "aegis-canary-judge", "instance": "10.0.0.9:8080", "code": "canary.state_invalid"}
    return {named("aegis_canary_errors_total", **labels): samples}


@dataclass(frozen=True)
class Case:
    """A fault: when its alert is silent yet, when it fires, and what looks nearly the same and is no fault."""

    alert: str
    told: Series
    quiet: int
    loud: int
    labels: Mapping[str, str]
    misses: Sequence[Series] = field(default_factory=tuple)
    at: Sequence[int] = (10 * MINUTES, 40 * MINUTES)
    """When the near misses are looked at."""


AN_HOUR_AGO = f"0+{STEP}x60 3600x{LONG}"
CASES = [
    Case(
        "AegisCanaryAborted",
        judge("abort"),
        -1,
        0,
        ROLLOUT,
        [judge("promote"), judge("continue"), judge("abort", asked=f"-7200x{LONG}")],
    ),
    Case(
        "AegisCanaryUndecided",
        judge("inconclusive"),
        -1,
        0,
        ROLLOUT,
        [judge("continue"), judge("inconclusive", asked=f"-90000x{LONG}")],
    ),
    Case(
        "AegisCanaryUnseen",
        judge(unseen=f"0x10 1x{LONG}"),
        12 * MINUTES,
        13 * MINUTES,
        ROLLOUT,
        # a rollout that was over before Prometheus was lost, and a look that failed once
        [judge(unseen=f"1x{LONG}", asked=f"-300x{LONG}"), judge(unseen=f"0x8 1 0x{LONG}")],
    ),
    Case("AegisCanaryJudgeErrs", errors(f"_x9 1x{LONG}"), 8 * MINUTES, 10 * MINUTES, {"code": "canary.state_invalid"}),
    Case(
        "AegisCanaryJudgeErrs",
        errors(f"4x30 5x{LONG}"),
        25 * MINUTES,
        32 * MINUTES,
        {"code": "canary.state_invalid"},
        [errors(f"4x{LONG}")],
        at=(30 * MINUTES, 40 * MINUTES),
    ),
    Case(
        "AegisCanaryJudgeGone",
        {series: "1x20" for series in judge() if "judge_info" in series},
        20 * MINUTES,
        35 * MINUTES,
        ROLLOUT,
        [judge(), {"up": f"1x{LONG}"}],
    ),
    Case(
        "AegisRolloutDegraded",
        argo("Degraded"),
        4 * MINUTES,
        5 * MINUTES,
        OWN,
        [argo("Healthy"), argo("Progressing"), argo("Paused", f"1x30 _x{LONG}") | argo("Healthy", f"_x30 1x{LONG}")],
    ),
    Case(
        "AegisRolloutDegraded",
        argo("Degraded", exported_namespace="shop", namespace="argo-rollouts"),
        4 * MINUTES,
        5 * MINUTES,
        {"namespace": "argo-rollouts", "exported_namespace": "shop", "name": "web"},
    ),
    Case(
        "AegisRolloutHeld",
        argo("Paused"),
        2 * HOURS - MINUTES,
        2 * HOURS,
        OWN,
        [argo("Paused", f"1x110 _x{LONG}") | argo("Healthy", f"_x110 1x{LONG}")],
        at=(119 * MINUTES, 125 * MINUTES),
    ),
    Case(
        "AegisRolloutControllerGone",
        argo("Healthy", "1x20"),
        20 * MINUTES,
        35 * MINUTES,
        {"job": "argo-rollouts"},
        [argo("Healthy"), argo("Healthy", f"1x20 _x2 1x{LONG}")],
    ),
    Case(
        "AegisModelRefused",
        service() | refusals(f"_x9 1x{LONG}"),
        8 * MINUTES,
        10 * MINUTES,
        {"model": "vision", "reason": "verify.signature_invalid"},
    ),
    Case(
        "AegisModelRefused",
        service() | refusals(f"3x30 4x{LONG}"),
        25 * MINUTES,
        32 * MINUTES,
        {"model": "vision", "reason": "verify.signature_invalid"},
        [service() | refusals(f"3x{LONG}"), service() | refusals(f"0+1x{LONG}", model="other")],
        at=(30 * MINUTES, 40 * MINUTES),
    ),
    Case(
        "AegisModelUnverified",
        service(unverified=f"1x{LONG}", verified=f"0x{LONG}"),
        14 * MINUTES,
        15 * MINUTES,
        {"model": "vision"},
        [service(unverified=f"1x12 0x{LONG}")],
    ),
    Case("AegisModelQuarantined", service(quarantined=f"0 1x{LONG}"), 0, MINUTES, {"model": "vision"}, [service()]),
    Case(
        "AegisModelStatesUnknown",
        service(verified="1x20", unverified="0x20", quarantined="0x20"),
        25 * MINUTES,
        35 * MINUTES,
        POD,
        # a process that is gone as a whole has an alert of its own; one that never knew a model has no states
        [{series: samples for series, samples in service().items() if "model_state" not in series}],
    ),
    Case(
        "AegisAuditLogFails",
        service(audit=f"0x9 1x{LONG}"),
        9 * MINUTES,
        11 * MINUTES,
        POD,
        [service(audit=f"7x{LONG}")],
    ),
    Case(
        "AegisAlertsLost",
        service(lost=f"0x9 1x{LONG}"),
        9 * MINUTES,
        11 * MINUTES,
        {"sink": "webhook"},
        [service(lost=f"7x{LONG}")],
    ),
    Case(
        "AegisServiceErrors",
        service(bad=f"0+6x{LONG}"),
        5 * MINUTES,
        7 * MINUTES,
        {"job": "aegis"},
        # under 5 %, for a moment, and a service that nobody asks
        [service(bad=f"0+2x{LONG}"), service(bad=f"0x8 600x{LONG}"), service(good=f"0x{LONG}")],
        at=(10 * MINUTES, 12 * MINUTES, 40 * MINUTES),
    ),
    Case(
        "AegisServiceSlow",
        service(quick=f"0+50x{LONG}"),
        10 * MINUTES,
        12 * MINUTES,
        {"job": "aegis"},
        [service(quick=f"0+56x{LONG}"), service(quick=f"0x{LONG}", answered=f"0x{LONG}")],
    ),
    Case(
        "AegisServiceNotReady",
        service(not_ready=f"0+12x{LONG}"),
        5 * MINUTES,
        7 * MINUTES,
        POD,
        [service(not_ready=f"0+12x3 36x{LONG}")],
    ),
    Case(
        "AegisServiceGone",
        {series: "1x20" for series in service() if "build_info" in series},
        20 * MINUTES,
        35 * MINUTES,
        {"job": "aegis"},
        [service(), {"up": f"1x{LONG}"}],
    ),
]


def firing(alert: str, labels: Mapping[str, str]) -> dict[str, Any]:
    (rule,) = [each for each in OURS if each["alert"] == alert]
    given = {"alertname": alert, "alertstate": "firing", "severity": rule["labels"]["severity"], **labels}
    return {"labels": named("ALERTS", **given), "value": 1}


def judged(folder: Path, tests: Sequence[tuple[Series, Mapping[int, list[dict[str, Any]]], str]]) -> None:
    """Hold the rules against series: of the alerts of a name just these fire at these seconds."""
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": series, "values": values} for series, values in told.items()],
                "promql_expr_test": [
                    {
                        "expr": f'ALERTS{{alertstate="firing", alertname=~"{names}"}}',
                        "eval_time": f"{at}s",
                        "exp_samples": samples,
                    }
                    for at, samples in expected.items()
                ],
            }
            for told, expected, names in tests
        ],
    }
    file = folder / "test.json"
    file.write_text(json.dumps(document))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.alert}" for number, case in enumerate(CASES)])
def test_each_fires_on_its_fault_alone_and_on_no_near_miss(case: Case, tmp_path: Path) -> None:
    # which others a fault wakes is no matter of chance either: none but those that backups' absence does
    everything = "Aegis(Canary|Rollout|Model|Audit|Alerts|Service).*"
    times: dict[int, list[dict[str, Any]]] = {case.loud: [firing(case.alert, case.labels)]}
    if case.quiet >= 0:
        times[case.quiet] = []
    tests: list[tuple[Series, Mapping[int, list[dict[str, Any]]], str]] = [(case.told, times, everything)]
    tests += [(miss, {at: [] for at in case.at}, case.alert) for miss in case.misses]
    judged(tmp_path, tests)


def test_nothing_fires_where_all_is_well(tmp_path: Path) -> None:
    well = {**judge("promote"), **service(), **argo("Healthy"), **errors(f"0x{LONG}"), **refusals(f"0x{LONG}")}
    judged(tmp_path, [(well, {at: [] for at in (0, HOURS)}, "Aegis[^B].*")])


def test_each_rule_has_a_fault_here() -> None:
    assert {case.alert for case in CASES} == {rule["alert"] for rule in OURS}


def test_the_rules_are_valid_and_each_says_how_bad_it_is_and_where_to_read_on() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (ROOT / "docs/alerts.md").read_text("utf-8")
    rules = [rule for group in GROUPS.values() for rule in group]
    for rule in rules:
        assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
        assert set(rule["annotations"]) == {"runbook_url", "summary", "description"}
        anchor = f"https://github.com/org/aegis/blob/v1/docs/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == anchor
        assert f"\n### {rule['alert']}\n" in page
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [rule["alert"] for rule in rules]


def test_each_metric_of_the_rules_is_told() -> None:
    metrics = Metrics({"vision"}, states=lambda: {"vision": "verified"})
    metrics.refused("vision", "verify.signature_invalid", version="7")
    metrics.answered("GET", "/readyz", 503, 0.1)
    tellings = Tellings([("shop", "web")])
    tellings.answered(("shop", "web"), 2, {"verdict": "abort", "reason": "canary.worse"}, 1.0, seen=True)
    tellings.failed("canary.state_invalid")
    judge_told, service_told = tellings.exposition("1"), metrics.render().decode()
    for text in (judge_told, service_told):
        done = promtool("check", "metrics", given=text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = judge_told + service_told
    for rule in OURS:
        for name, matchers in re.findall(r"\b(aegis_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            labels = re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)
            assert any(
                re.match(rf"{name}(\{{|\s)", line) and all(f'{label}="' in line for label in labels)
                for line in told.splitlines()
            ), (name, labels)
    # the edge that the rule of slow requests looks for
    assert re.search(r'aegis_http_request_seconds_bucket\{le="1\.0",', told)
