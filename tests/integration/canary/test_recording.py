"""`watch --record` and `simulate --recorded`: a watch that is judged again as it was, or by other bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.watching import Means, watched
from aegis.cli.main import main
from aegis.core.verdict import Verdict
from tests.support.canary.canary_server import Shop, shop
from tests.support.canary.demo import replay_rollout


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path / "repository") as made:
        made.policy()
        made.live(100)
        yield made


def watch(service: Shop, file: Path, happens: Any = lambda: None, **changes: Any) -> Verdict:
    """Only looked at: no cluster is asked."""

    def sleep(seconds: float) -> None:
        happens()
        service.live(round(seconds))

    options = CanaryOptions(
        path=str(service.folder), state=file.with_suffix(".state"), canary="new", stable="old", record=file
    )
    return watched(replace(options, **changes), {}, Means(clock=lambda: service.store.clock, sleep=sleep))


def replay(service: Shop, file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    policy = str(service.folder / "aegis.yml")
    code = main(["canary", "simulate", "--policy", policy, "--recorded", str(file), "--format", "json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def evidence(verdict: Verdict) -> dict[str, Any]:
    found = {each.name: each.value for each in verdict.evidence}
    return dict(json.loads(json.dumps(found, default=dict)))


@pytest.mark.parametrize(("errors", "code"), [(0.04, 1), (0.005, 0)], ids=["worse", "good"])
def test_a_replay_comes_to_the_same_numbers_at_the_same_time(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], errors: float, code: int
) -> None:
    service.errors = errors
    verdict = watch(service, tmp_path / "r.jsonl", weight=0.2)
    found, told = replay(service, tmp_path / "r.jsonl", capsys)
    assert (found, told.pop("simulated"), told.pop("recorded")) == (code, False, "shop/web: new over old")
    assert told == evidence(verdict)
    assert told["canary"]["decision"] == verdict.decision


def test_an_outage_is_replayed_as_one(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two queries of one look: what the first had answered is no evidence, then and now."""
    service.errors = 0.04
    looks = iter(range(1000))
    plain = service.answer

    def fails(parameters: Any) -> tuple[int, bytes]:
        return (503, b"away") if parameters["query"].startswith("process_start") else plain(parameters)

    def happens() -> None:
        monkeypatch.setattr(service, "answer", fails if next(looks) in {0, 1} else plain)

    verdict = watch(service, tmp_path / "r.jsonl", happens)
    assert verdict.decision == "abort"
    assert '{"failed":' in (tmp_path / "r.jsonl").read_text()
    code, told = replay(service, tmp_path / "r.jsonl", capsys)
    assert (code, told["metrics"]) == (1, evidence(verdict)["metrics"])


def test_other_bounds_are_tried_on_the_same_samples(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.errors = 0.04
    watch(service, tmp_path / "r.jsonl")
    service.policy("  alpha: 0.000001\n")
    code, told = replay(service, tmp_path / "r.jsonl", capsys)
    assert (code, told["canary"]["decision"]) == (3, "continue")


def test_a_recording_of_other_metrics_is_told(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch(service, tmp_path / "r.jsonl")
    (service.folder / "aegis.yml").write_text(
        (service.folder / "aegis.yml").read_text().replace("preset: http", "preset: grpc")
    )
    capsys.readouterr()
    code = main(
        ["canary", "simulate", "--policy", str(service.folder / "aegis.yml"), "--recorded", str(tmp_path / "r.jsonl")]
    )
    assert (code, "canary.recording_other" in capsys.readouterr().err) == (2, True)


def test_a_recording_is_not_written_over(service: Shop, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("another watch's\n")
    assert watch(service, tmp_path / "r.jsonl").reason == "core.output_unwritable"
    assert (tmp_path / "r.jsonl").read_text() == "another watch's\n"


def test_a_watch_that_was_killed_leaves_what_it_saw(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a line at the end is what a kill leaves; the looks before it are whole."""
    service.errors = 0.04
    watch(service, tmp_path / "r.jsonl")
    whole = (tmp_path / "r.jsonl").read_bytes()
    (tmp_path / "r.jsonl").write_bytes(whole[: whole.rindex(b'{"now"') + 20])
    code, told = replay(service, tmp_path / "r.jsonl", capsys)
    assert (code, told["canary"]["decision"]) == (3, "continue")


HEAD = '{"schema":"aegis-canary-recording/v1","namespace":"shop","name":"web","canary":"new","stable":"old"}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1"),
        ("[]\n", "line 1"),
        (HEAD, "holds no look"),
        (HEAD.replace("/v1", "/v2") + '{"now":1.0}\n', "line 1"),
        (HEAD + '{"now":"soon"}\n', "line 2"),
        (HEAD + '{"now":1.0}\n{"more":1}\n', "line 3"),
        (HEAD + '{"query":"a","new":[]}\n{"now":1.0}\n', "line 2 is an answer before a look"),
        (HEAD + '{"now":1.0,"query":"a","new":[]}\n', "line 2 is an answer before a look, or with one"),
        (HEAD + '{"now":1.0}\n{"query":"a","new":[[0,null,[[1.0,"1"]]]]}\n', "has no labels"),
        (HEAD + '{"now":1.0}\n{"query":"a","new":[[0,{},[[1.0,"one"]]]]}\n', "a value is 'one'"),
        (HEAD + '{"now":1.0}\n{"now":NaN}\n', "line 3"),
    ],
    ids=range(11),
)
def test_what_is_no_recording_is_refused(
    service: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    (tmp_path / "r.jsonl").write_text(text)
    capsys.readouterr()
    policy = str(service.folder / "aegis.yml")
    assert main(["canary", "simulate", "--policy", policy, "--recorded", str(tmp_path / "r.jsonl")]) == 2
    said = capsys.readouterr().err
    assert "canary.recording_invalid" in said
    assert told in said


def test_the_recording_that_is_packed_aborts_for_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """What a real Prometheus saw of a version that failed eight times as often."""
    assert replay_rollout()
    told = capsys.readouterr().out
    assert "http: worse than stable" in told
    assert "No cluster ran" in told
