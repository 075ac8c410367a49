"""`aegis canary forecast` without numbers: the traffic is what a server that speaks Prometheus's API has seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.argo_controller import hash_of, reconcile, rollout
from tests.doubles.kubernetes_api import Api, serve
from tests.integration.cli.command import aegis
from tests.support.canary.canary_server import Shop, shop
from tests.support.cluster.clusters import kubeconfig


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path / "repository") as made:
        made.policy()
        yield made


def test_the_traffic_of_the_version_that_runs_is_taken(service: Shop) -> None:
    service.live(900)
    done = aegis("canary", "forecast", "--stable", "old", "--share", "25", cwd=service.folder)
    assert (done.code, done.err) == (0, "")
    first, *rest = done.out.splitlines()
    assert first.startswith("http: 4 pods of old in the last 15 minutes: 100.0 requests a second, ")
    assert " of them bad (0." in first
    assert rest[0].startswith("http: a canary as good as stable is promoted after about ")
    asked = ("--requests", "100", "--rate", "0.508", "--pods", "1/3")
    by_hand = aegis("canary", "forecast", "--share", "25", *asked, cwd=service.folder)
    assert len(by_hand.out.splitlines()) == len(rest)

    def seconds(lines: list[str]) -> list[float]:
        return [float(line.partition(" about ")[2].partition(" s ")[0]) for line in lines if " about " in line]

    # it is told with three digits
    assert seconds(rest) == pytest.approx(seconds(by_hand.out.splitlines()), rel=0.05)


def test_the_cluster_says_which_version_runs(service: Shop, tmp_path: Path) -> None:
    api = Api(controller=reconcile)
    api.add(rollout("shop", "web", stable="web:v1", canary="web:v2"))
    service.stable = hash_of("web:v1")
    service.live(300)
    with serve(api):
        config = kubeconfig(tmp_path, api)
        arguments = ("--kubeconfig", str(config), "--format", "json")
        done = aegis("canary", "forecast", *arguments, cwd=service.folder)
        assert done.code == 0, done.err
        assert {each["decision"] for each in json.loads(done.out)["http"]} == {"promote", "abort"}
        assert [asked.method for asked in api.asked if "rollouts" in asked.path] == ["GET"]


def test_without_any_traffic_nothing_is_told(service: Shop) -> None:
    aegis("canary", "forecast", "--stable", "old", cwd=service.folder).refused(3, "canary.no_data", "'old'")
    service.live(300)
    aegis("canary", "forecast", "--stable", "older", cwd=service.folder).refused(3, "canary.no_data", "'older'")


def test_a_prometheus_that_is_down_tells_nothing(service: Shop) -> None:
    service.down = True
    done = aegis("canary", "forecast", "--stable", "old", cwd=service.folder)
    done.refused(3, "canary.prometheus_unavailable")


def test_numbers_that_are_given_are_taken(service: Shop) -> None:
    service.down = True
    for given in (("--requests", "10"), ("--rate", "2"), ("--pods", "1/4")):
        assert aegis("canary", "forecast", *given, cwd=service.folder).code == 0


def test_a_service_without_errors_is_told_as_such(service: Shop) -> None:
    for turn in range(1, 31):
        service.store.clock += 10
        for number in range(1, 5):
            labels = {"namespace": "shop", "pod": f"web-old-0000{number}", "job": "web", "instance": f"{number}:80"}
            told = {("http_requests_total", 'code="200"'): 250.0 * turn}
            service.store.scrape(labels, told, service.store.clock - 1)
    done = aegis("canary", "forecast", "--stable", "old", cwd=service.folder)
    assert done.code == 0, done.err
    assert ", 0 of them bad, taken as half a one (0.002%)" in done.out.splitlines()[0]
