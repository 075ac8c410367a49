"""The example rollout against what it talks to: the judge's questions, its policy, and Argo Rollouts' counting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from aegis.adapters.http.server import Question
from aegis.cli.canary.serve import add_command
from aegis.cli.canary.serving import PATIENCE, asked_of
from aegis.core.policy import CanaryPolicy, Policy, seconds
from aegis.core.policy_in_force import load_policy
from aegis.gates.canary.check import check_policy
from aegis_multimodal_ai_system.api.__main__ import _parser
from aegis_multimodal_ai_system.api.routes import OPERATIONS
from aegis_multimodal_ai_system.metrics import Metrics

FILE = Path(__file__).resolve().parents[3] / "k8s/argo-rollouts/example-rollout.yaml"
DOCUMENTS = list(yaml.safe_load_all(FILE.read_text("utf-8")))
UID = "0f0e0d0c-0b0a-4908-8706-050403020100"


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in DOCUMENTS if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert isinstance(found, dict)
    return found


METRIC = named("AnalysisTemplate", "aegis-canary")["spec"]["metrics"][0]
ROLLOUT = named("Rollout", "aegis")
JUDGE = named("Deployment", "aegis-canary-judge")


def policy(name: str) -> Policy:
    text = named("ConfigMap", name)["data"]["aegis.yml"]

    def fetch(_: object) -> bytes:
        raise AssertionError

    return load_policy(text.encode(), "aegis.yml", fetch).policy


def canary() -> CanaryPolicy:
    found = policy("aegis-canary-policy").canary
    assert found is not None
    return found


def test_a_run_of_argo_is_longer_than_the_deadline_and_no_count_of_it_is_a_pass() -> None:
    deadline, interval = seconds(canary().deadline), int(METRIC["interval"].removesuffix("s"))
    assert METRIC["count"] * interval > deadline
    assert METRIC["inconclusiveLimit"] == METRIC["count"] - 1, "older controllers pass a run that reaches its count"
    assert (METRIC["failureLimit"], METRIC["consecutiveSuccessLimit"]) == (0, 1)
    assert METRIC["successCondition"] == 'result.verdict == "promote"'
    assert METRIC["failureCondition"] == 'result.verdict == "abort"'
    assert interval == seconds(canary().interval)


def test_argo_asks_what_the_judge_answers() -> None:
    web = METRIC["provider"]["web"]
    assert web["timeoutSeconds"] > PATIENCE
    given = {"uid": UID, "revision": "2", "step": "1", "canary": "6d7f8c9b5d", "stable": "7c9d8f6b4c"}
    (analysis,) = [step["analysis"] for step in ROLLOUT["spec"]["strategy"]["canary"]["steps"] if "analysis" in step]
    assert [each["templateName"] for each in analysis["templates"]] == ["aegis-canary"]
    wanted = [each["name"] for each in named("AnalysisTemplate", "aegis-canary")["spec"]["args"]]
    assert [each["name"] for each in analysis["args"]] == wanted == list(given)
    url = urlsplit(re.sub(r"\{\{args\.([a-z]+)\}\}", lambda found: given[found[1]], web["url"]))
    asked = asked_of(Question(url.path, tuple(parse_qsl(url.query)), {}), {("aegis", "aegis"): canary()})
    assert (asked.uid, asked.revision, asked.step) == (UID, 2, 1)
    assert (asked.canary, asked.stable) == ("6d7f8c9b5d", "7c9d8f6b4c")
    service = named("Service", "aegis-canary-judge")
    assert url.netloc == f"aegis-canary-judge.aegis.svc:{service['spec']['ports'][0]['port']}"


def test_the_rollout_that_is_judged_is_the_one_that_stands_here() -> None:
    rollout = canary().rollout
    assert (rollout.namespace, rollout.name) == (ROLLOUT["metadata"]["namespace"], ROLLOUT["metadata"]["name"])
    check_policy(canary(), file="aegis.yml")


def test_what_is_judged_is_told_by_the_service() -> None:
    metrics = Metrics({"vision"})
    metrics.answered("GET", "/v1/models", 200, 0.1)
    metrics.refused("vision", "verify.signature_invalid", version="1")
    told = metrics.render().decode()
    for name in ("aegis_http_requests_total", "aegis_http_request_seconds_bucket"):
        assert re.search(rf'^{name}\{{.*route="/v1/models"', told, re.MULTILINE)
    assert 'aegis_http_request_seconds_bucket{le="0.5"' in told
    assert [each.bad for each in canary().metrics][2] == "aegis_model_verification_failures_total"
    assert "\naegis_model_verification_failures_total{" in told


def test_routes_that_no_user_asks_for_are_left_out() -> None:
    routes = {each.path for each in OPERATIONS}
    for metric, also in zip(canary().metrics[:2], (set(), {"/v1/models/{name}/prepare"}), strict=True):
        matcher = re.fullmatch(r'route!~"(.*)"', metric.match or "")
        assert matcher is not None
        left_out = {each for each in routes if re.fullmatch(matcher[1], each)}
        assert left_out == {each.path for each in OPERATIONS if each.probe} | also


def test_both_programs_take_their_arguments() -> None:
    (container,) = ROLLOUT["spec"]["template"]["spec"]["containers"]
    options = _parser().parse_args(container["args"])
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"api": options.port, "probe": options.probe_port}
    grace = ROLLOUT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > options.drain_seconds + options.end_seconds
    import argparse

    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_command(parser.add_subparsers())
    (judge,) = JUDGE["spec"]["template"]["spec"]["containers"]
    assert judge["args"][0] == "canary"
    served = parser.parse_args(judge["args"][1:])
    mounts = {each["name"]: Path(each["mountPath"]) for each in judge["volumeMounts"]}
    assert served.state.parent == mounts["states"]
    assert [each.parent for each in served.policy] == [mounts["policy"]]
    assert served.port == judge["ports"][0]["containerPort"]


def test_states_outlive_the_pod_and_one_judge_writes_them() -> None:
    volumes = {each["name"]: each for each in JUDGE["spec"]["template"]["spec"]["volumes"]}
    claim = volumes["states"]["persistentVolumeClaim"]["claimName"]
    assert named("PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert (JUDGE["spec"]["replicas"], JUDGE["spec"]["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("workload", [ROLLOUT, JUDGE], ids=["rollout", "judge"])
def test_pods_may_run_where_little_is_allowed(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        own = container["securityContext"]
        assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert re.fullmatch(r"ghcr\.io/org/[a-z-]+@sha256:[0-9a-f]{64}", container["image"])
        assert container["resources"]["limits"]["memory"]
    selector = workload["spec"]["selector"]["matchLabels"]
    assert selector.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def test_the_services_policy_is_one() -> None:
    assert policy("aegis-policy").verify is not None
