"""`aegis canary judge`: looks of processes that come one after the other, at a server that speaks Prometheus's API."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.run import judged
from aegis.core.verdict import Verdict, exit_code
from aegis.report import markdown, text
from tests.integration.cli.command import aegis
from tests.integration.cli.command import verdict as written
from tests.support.canary.canary_server import Shop, shop
from tests.support.scan.gitrepo import GitRepo


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path / "repository") as made:
        made.policy()
        yield made


def look(service: Shop, *, later: float = 0.0, **changes: Any) -> Verdict:
    plain = CanaryOptions(path=str(service.folder), state=service.folder / "state.json", canary="new", stable="old")
    return judged(replace(plain, **changes), {}, lambda: time.time() + later)


def until_decided(service: Shop) -> Verdict:
    for _ in range(62):
        service.live()
        verdict = look(service)
        if verdict.decision != "continue":
            return verdict
        assert exit_code(verdict) == 3
    raise AssertionError("no decision")


def test_a_worse_canary_is_aborted_and_the_verdict_says_why_and_what_to_do(service: Shop) -> None:
    service.errors = 0.04
    verdict = until_decided(service)
    assert (verdict.decision, verdict.result, verdict.reason) == ("abort", "fail", "canary.worse")
    (finding,) = verdict.findings
    assert finding.message.startswith("http: worse than stable; canary ")
    commit = verdict.subject[0].digest["gitCommit"]
    assert f"git revert --no-edit {commit}" in finding.remedy
    summary = markdown.render(verdict)
    assert "### Abort: shop/web: new over old" in summary
    assert "```mermaid\nxychart-beta\n" in summary
    assert "metric: http: canary " in text.render(verdict)
    assert f"aegis canary judge --path={service.folder}" in verdict.reproduce


def test_a_good_canary_is_promoted(service: Shop) -> None:
    verdict = until_decided(service)
    assert (verdict.decision, verdict.result, verdict.reason) == ("promote", "pass", "canary.not_worse")
    assert exit_code(verdict) == 0
    assert "The canary is not worse." in text.render(verdict)


def test_a_promotion_is_told_again_by_what_is_seen_now(service: Shop) -> None:
    """Whoever asks has not promoted it yet: the version may have turned bad."""
    assert until_decided(service).decision == "promote"
    asked = service.looked
    service.live(60)
    again = look(service, later=60)
    assert (again.decision, service.looked) == ("promote", asked + 1)
    service.errors = 0.2
    service.live(300)
    worse = look(service, later=360)
    assert (worse.decision, worse.reason, exit_code(worse)) == ("abort", "canary.worse", 1)
    service.errors = 0.0
    service.live(600)
    assert look(service, later=960).decision == "abort"


@pytest.mark.parametrize("gone", ["down", "unscraped"])
def test_nor_is_it_told_again_where_nothing_can_be_seen(service: Shop, gone: str) -> None:
    assert until_decided(service).decision == "promote"
    setattr(service, gone, True)
    service.live(120)
    again = look(service, later=120)
    assert (again.decision, exit_code(again)) == ("continue", 3)


@pytest.mark.parametrize("later", [3600.0, -60.0], ids=["after the deadline", "clock set back"])
def test_a_version_that_comes_back_later_is_judged_anew(service: Shop, later: float) -> None:
    assert until_decided(service).decision == "promote"
    service.live(3600)
    again = look(service, later=later)
    assert (again.decision, exit_code(again)) == ("continue", 3)
    whole = {each.name: each.value for each in again.evidence}["canary"]
    assert (whole["seconds"], whole["good"]) == (0.0, 1.0)


def test_an_abort_stands_whatever_comes_later(service: Shop) -> None:
    service.errors = 0.04
    first = until_decided(service)
    asked = service.looked
    service.errors = 0.0
    service.live(600)
    again = look(service)
    assert (again.decision, again.findings) == ("abort", first.findings)
    assert service.looked == asked


def test_looks_go_on_from_what_was_kept(service: Shop) -> None:
    for _ in range(3):
        service.live()
        verdict = look(service)
    counted = {each.name: each.value for each in verdict.evidence}["metrics"][0]
    assert counted["canary_exposure"] == 2 * 250
    # the same scrapes again: nothing is counted twice
    verdict = look(service)
    assert {each.name: each.value for each in verdict.evidence}["metrics"][0] == counted


def test_a_prometheus_that_is_down_is_no_pass_and_what_was_seen_stays(service: Shop) -> None:
    service.live()
    look(service)
    kept = json.loads((service.folder / "state.json").read_bytes())["counters"]
    service.down = True
    verdict = look(service)
    assert (verdict.decision, verdict.reason, exit_code(verdict)) == ("continue", "canary.prometheus_unavailable", 3)
    assert json.loads((service.folder / "state.json").read_bytes())["counters"] == kept
    service.down, service.errors = False, 0.05
    assert until_decided(service).decision == "abort"


def test_a_first_look_without_prometheus_starts_the_clock(service: Shop) -> None:
    service.down = True
    verdict = look(service)
    assert (verdict.decision, exit_code(verdict)) == ("continue", 3)
    assert (service.folder / "state.json").exists()


@pytest.mark.parametrize(("at_deadline", "decision", "code"), [("hold", "inconclusive", 3), ("abort", "abort", 1)])
def test_at_the_deadline_the_policy_decides(service: Shop, at_deadline: str, decision: str, code: int) -> None:
    service.policy(f"  at-deadline: {at_deadline}\n")
    service.live()
    look(service)
    # a canary between good and bad, and too little time
    for _ in range(60):
        service.store.clock += 10
    verdict = look(service)
    assert (verdict.decision, exit_code(verdict)) == (decision, code)
    assert verdict.reason == "canary.no_data"


def test_a_canary_that_nobody_scrapes_is_aborted_where_the_policy_says_so(service: Shop) -> None:
    service.policy("  no-data: abort\n")
    service.live()
    look(service)
    service.store.clock += 70
    verdict = look(service)
    assert (verdict.decision, verdict.result, verdict.reason) == ("abort", "fail", "canary.no_data")


def test_another_rollouts_state_is_refused(service: Shop) -> None:
    service.live()
    look(service)
    verdict = look(service, canary="newer")
    assert (verdict.result, verdict.reason) == ("error", "canary.state_other")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b'{"schema": "aegis-canary-watch/v1"}', b"\xff"],
    ids=["empty", "object", "list", "half", "bytes"],
)
def test_a_damaged_state_is_not_replaced_by_an_empty_one(service: Shop, data: bytes) -> None:
    state = service.folder / "state.json"
    state.write_bytes(data)
    verdict = look(service)
    assert (verdict.result, verdict.reason) == ("error", "canary.state_invalid")
    assert state.read_bytes() == data


def test_a_state_that_is_a_folder_is_no_new_beginning(service: Shop) -> None:
    (service.folder / "state.json").mkdir()
    assert look(service).reason == "canary.state_invalid"


def test_two_runs_at_once_are_refused(service: Shop) -> None:
    with (service.folder / "state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        verdict = look(service)
    assert (verdict.result, verdict.reason) == ("error", "canary.state_busy")
    assert not (service.folder / "state.json").exists()


def test_a_state_in_no_folder_is_told(service: Shop) -> None:
    assert look(service, state=service.folder / "absent" / "state.json").reason == "core.output_unwritable"


def test_a_first_version_needs_a_ceiling(service: Shop) -> None:
    verdict = look(service, stable=None)
    assert (verdict.decision, verdict.reason) == ("misconfigured", "canary.plan_invalid")


def test_an_observed_policy_never_looks_like_a_promotion(service: Shop) -> None:
    service.policy("mode: observe until 2999-12-31\n")
    service.live()
    assert look(service).decision == "observed"
    service.live(500)
    verdict = look(service)
    assert verdict.decision == "observed"
    assert verdict.result == "error"
    assert {each.name: each.value for each in verdict.evidence}["canary"]["decision"] == "promote"


def test_as_a_process_it_says_the_same(service: Shop, tmp_path: Path) -> None:
    service.errors = 0.2
    service.live()
    first = aegis("canary", "judge", *service.arguments(), cwd=tmp_path)
    assert (first.code, first.err) == (3, "")
    service.live(60)
    done = aegis("canary", "judge", *service.arguments("--output", str(tmp_path / "out")), cwd=tmp_path)
    assert done.code == 1, done.out + done.err
    assert done.out.startswith("canary: FAIL. ")
    assert written(tmp_path / "out")["decision"] == "abort"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weight", "0"], "--weight is '0'"),
        (["--weight", "nan"], "--weight is 'nan'"),
        (["--weight", "5 %"], "--weight is '5 %'"),
        (["--first"], "not allowed with"),
    ],
    ids=["zero", "nan", "words", "both"],
)
def test_wrong_arguments(service: Shop, tmp_path: Path, arguments: list[str], said: str) -> None:
    aegis("canary", "judge", *service.arguments(*arguments), cwd=tmp_path).refused(2, said)


def test_a_repository_without_the_section_is_told(service: Shop) -> None:
    (service.folder / "aegis.yml").write_text("version: 1\n")
    GitRepo(service.folder).git("commit", "--quiet", "--all", "--message=none")
    verdict = look(service)
    assert (verdict.decision, verdict.reason) == ("misconfigured", "core.policy_missing")
