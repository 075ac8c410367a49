"""Argo Rollouts asks `aegis canary serve` by the example that we ship: it promotes and rolls back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.example import SHIPPED, Example, cluster_example, said
from tests.support.cluster.plane import ControlPlane, awaited


@pytest.fixture
def example(cluster: ControlPlane, tmp_path: Path) -> Iterator[Example]:
    with cluster_example(cluster, tmp_path) as made:
        yield made


def test_a_degraded_version_is_rolled_back_and_a_good_one_promoted(example: Example) -> None:
    stable = example.status["stableRS"]
    with example.judge():
        example.deploy("bad-8x")
        status = example.await_phase("Degraded")
        assert (status["abort"], status["stableRS"]) == (True, stable)
        last = example.measured()[-1]
        assert (last["phase"], said(last)["verdict"]) == ("Failed", "abort")
        awaited(lambda: example.images() == {SHIPPED}, lambda: str(example.images()))
        example.deploy("better")
        status = example.await_phase("Healthy")
        last = example.measured()[-1]
        assert (last["phase"], said(last)["verdict"]) == ("Successful", "promote")
        assert status["stableRS"] == status["currentPodHash"]
        awaited(lambda: example.images() == {"better"}, lambda: str(example.images()))


def test_while_the_judge_is_away_nothing_is_promoted(example: Example) -> None:
    stable = example.status["stableRS"]
    # as the interval is a tenth of the example's: otherwise Argo gives up while a busy machine starts the judge
    example.patch("analysistemplate", "aegis-canary", "/spec/metrics/0/consecutiveErrorLimit", 600)
    example.deploy("better")
    awaited(lambda: any(each["phase"] == "Error" for each in example.measured()), lambda: str(example.run()))
    held = example.status
    assert (held["phase"], held["currentStepIndex"], held["stableRS"]) == ("Progressing", 1, stable)
    assert example.images() == {SHIPPED, "better"}
    with example.judge():
        example.await_phase("Healthy")
    assert example.measured()[-1]["phase"] == "Successful"


def test_a_later_step_is_judged_by_what_is_seen_at_it(example: Example) -> None:
    first, analysis = example.cluster.rollout("aegis", "aegis")["spec"]["strategy"]["canary"]["steps"]
    example.patch("rollout", "aegis", "/spec/strategy/canary/steps", [first, analysis, {"setWeight": 40}, analysis])
    with example.judge():
        example.deploy("better")
        example.await_phase("Healthy")
    runs = [each for each in example.cluster.get_all("analysisruns", "aegis") if each["status"].get("metricResults")]
    results = {}
    for run in runs:
        (step,) = [each["value"] for each in run["spec"]["args"] if each["name"] == "step"]
        (results[step],) = run["status"]["metricResults"]
    assert {step: (each["phase"], each["successful"]) for step, each in results.items()} == {
        "1": ("Successful", 1),
        "3": ("Successful", 1),
    }
    # the promotion at the first one decides nothing at the second
    assert results["3"]["inconclusive"] > 0
    told = {each["metric"]: each for each in said(results["3"]["measurements"][-1])["metrics"]}
    assert told["aegis"]["canary_exposure"] > 0
