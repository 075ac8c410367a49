"""`aegis canary backtest`: past hours of a service, one of whose pods is taken for a canary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.cli.main import main
from tests.integration.cli.command import aegis
from tests.support.canary.canary_server import Shop, shop


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path / "repository") as made:
        made.policy(deadline="10m")
        yield made


def arguments(service: Shop, version: str, *more: str) -> list[str]:
    return ["canary", "backtest", "--policy", str(service.folder / "aegis.yml"), "--stable", version, *more]


def test_of_pods_that_are_alike_none_is_aborted(service: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    service.live(3600)
    assert main(arguments(service, "old", "--times", "5", "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert len({each["pod"] for each in found}) == 4
    assert {each["decision"] for each in found} <= {"promote", "inconclusive"}
    assert any(each["decision"] == "promote" for each in found)


def test_a_pod_that_differs_would_have_been_aborted(service: Shop) -> None:
    service.canary, service.errors = "old", 0.05
    service.live(1500)
    done = aegis(*arguments(service, "old", "--times", "2"), cwd=service.folder)
    assert (done.code, done.err) == (0, "")
    first, last = done.out.splitlines()
    assert first.startswith("aborted: web-old-00000 after ")
    assert first.endswith(" s: http worse than stable")
    assert last.startswith("of 2 rollouts with nothing wrong, 1 would have been aborted, ")


def test_a_version_that_has_not_run_is_told(service: Shop) -> None:
    service.live(60)
    aegis(*arguments(service, "gone"), cwd=service.folder).refused(3, "canary.no_data", "'gone'")


@pytest.mark.parametrize("number", ["0", "-1", "1001", "x"])
def test_wrong_arguments(service: Shop, number: str) -> None:
    aegis(*arguments(service, "old", f"--times={number}"), cwd=service.folder).refused(2, "core.wrong_usage", number)
