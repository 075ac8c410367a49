"""The judge that is asked over HTTP, without its socket: what a slow look, a full folder and a defect are answered."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.http.server import Question, Reply
from aegis.cli.canary.serving import KEPT_SECONDS, LOOKS, MAX_STATES, Judge, Means
from aegis.core.policy import CanaryMetric, CanaryPolicy, Prometheus, Rollout
from aegis.core.ports.metrics import Metrics, Series
from tests.doubles.metrics_store import MetricsStore

UID = "0f0e0d0c-0b0a-4908-8706-050403020100"
NOW = 1_700_000_000.0
POLICY = CanaryPolicy(
    prometheus=Prometheus(url="http://127.0.0.1:9"),
    rollout=Rollout(namespace="shop", name="web"),
    metrics=(CanaryMetric(preset="http"),),
)


class Gated:
    """A store that answers when it is let."""

    def __init__(self) -> None:
        self.store = MetricsStore(clock=NOW)
        self.open = threading.Event()
        self.asked = 0

    def now(self) -> float:
        self.asked += 1
        assert self.open.wait(60)
        return self.store.now()

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        return self.store.samples(selector, window, at)


@pytest.fixture
def gated() -> Iterator[Gated]:
    made = Gated()
    yield made
    made.open.set()  # no thread is left waiting


def judge_of(metrics: Metrics, folder: Path, patience: float = 60.0) -> Judge:
    means = Means(clock=lambda: NOW, patience=patience)
    return Judge({("shop", "web"): POLICY}, lambda _: metrics, folder, "1.0", means=means)


def question(revision: int = 2) -> Question:
    query = (("uid", UID), ("revision", str(revision)), ("step", "1"), ("canary", "new"), ("stable", "old"))
    return Question("/v1/rollouts/shop/web", query, {})


def document(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_a_slow_look_is_no_verdict_yet_and_the_next_question_gets_its_answer(gated: Gated, tmp_path: Path) -> None:
    async def ask() -> None:
        judge = judge_of(gated, tmp_path, patience=0.01)
        reply = await judge.answer(question())
        assert reply.status == 200
        told = document(reply)
        assert (told["verdict"], told["reason"]) == ("continue", "canary.look_slow")
        metrics = (await judge.answer(Question("/metrics", (), {}))).body.decode()
        assert 'aegis_canary_unseen{rollout_namespace="shop",rollout="web"} 1\n' in metrics
        judge.means = Means(clock=lambda: NOW, patience=60.0)
        later = asyncio.ensure_future(judge.answer(question()))
        await asyncio.sleep(0)  # it has begun to wait
        gated.open.set()
        assert document(await later)["reason"] == "canary.undecided"

    asyncio.run(ask())
    assert gated.asked == 1


def test_questions_at_once_are_one_look(gated: Gated, tmp_path: Path) -> None:
    async def ask() -> None:
        judge = judge_of(gated, tmp_path)
        questions = [asyncio.ensure_future(judge.answer(question())) for _ in range(20)]
        await asyncio.sleep(0)
        gated.open.set()
        replies = await asyncio.gather(*questions)
        assert {(reply.status, document(reply)["verdict"]) for reply in replies} == {(200, "continue")}

    asyncio.run(ask())
    assert gated.asked == 1


def test_more_rollouts_wait_for_each_other(gated: Gated, tmp_path: Path) -> None:
    before = set(threading.enumerate())

    async def ask() -> None:
        judge = judge_of(gated, tmp_path)
        asked = [asyncio.ensure_future(judge.answer(question(revision))) for revision in range(1, LOOKS + 4)]
        for _ in range(10):
            await asyncio.sleep(0)  # all have begun what they may begin
        looking = [thread for thread in set(threading.enumerate()) - before if thread.name == "aside"]
        gated.open.set()
        assert len(looking) == LOOKS
        assert {reply.status for reply in await asyncio.gather(*asked)} == {200}

    asyncio.run(ask())
    assert gated.asked == LOOKS + 3


def fill(folder: Path, age: float) -> None:
    for number in range(MAX_STATES):
        state = folder / f"{number}.json"
        state.touch()
        os.utime(state, (NOW - age, NOW - age))
    (folder / "0.json.lock").touch()


def test_no_rollouts_state_is_removed_for_another_one(gated: Gated, tmp_path: Path) -> None:
    gated.open.set()
    fill(tmp_path, KEPT_SECONDS - 1)
    reply = asyncio.run(judge_of(gated, tmp_path).answer(question()))
    assert (reply.status, document(reply)["code"]) == (503, "canary.judge_full")
    assert len(list(tmp_path.glob("*.json"))) == MAX_STATES


def test_states_that_are_over_make_room(gated: Gated, tmp_path: Path) -> None:
    gated.open.set()
    fill(tmp_path, KEPT_SECONDS + 1)
    reply = asyncio.run(judge_of(gated, tmp_path).answer(question()))
    assert (reply.status, document(reply)["verdict"]) == (200, "continue")
    assert [each.name for each in tmp_path.glob("*.json")] == [f"{UID}-2-1.json"]
    assert not (tmp_path / "0.json.lock").exists()


def test_a_defect_is_no_verdict_and_its_text_stays_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def now(self) -> float:
            raise ValueError("a secret")

        def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
            raise AssertionError

    reply = asyncio.run(judge_of(Broken(), tmp_path).answer(question()))
    assert (reply.status, document(reply)["code"]) == (500, "core.crashed")
    assert "a secret" not in reply.body.decode() + capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_not_ready(gated: Gated, tmp_path: Path) -> None:
    reply = asyncio.run(judge_of(gated, tmp_path / "gone").answer(Question("/readyz", (), {})))
    assert (reply.status, document(reply)["code"]) == (503, "core.output_unwritable")


def test_an_older_revision_does_not_stand_for_the_newest_in_metrics(gated: Gated, tmp_path: Path) -> None:
    gated.open.set()

    async def ask() -> str:
        judge = judge_of(gated, tmp_path)
        for revision in (3, 2):
            await judge.answer(question(revision))
        return (await judge.answer(Question("/metrics", (), {}))).body.decode()

    metrics = asyncio.run(ask())
    assert 'aegis_canary_revision{rollout_namespace="shop",rollout="web"} 3\n' in metrics
    assert 'aegis_canary_answers_total{rollout_namespace="shop",rollout="web",verdict="continue"} 2\n' in metrics
