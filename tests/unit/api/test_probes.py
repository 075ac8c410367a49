"""Health, readiness and metrics: what they tell, to whom, and that they depend on no more than they must."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

import pytest

from aegis_multimodal_ai_system.api.readiness import FRESH_SECONDS, Readiness
from aegis_multimodal_ai_system.api.routes import OPERATIONS
from aegis_multimodal_ai_system.metrics import Metrics
from tests.doubles.deployment import BrokenDatabase, down, refusal
from tests.unit.api.conftest import PATIENT, Api
from tests.unit.api.test_access import name_of, path_of

READY = {"auth": "ok", "policy": "ok", "database": "ok", "audit": "ok"}


def test_ready(api: Api) -> None:
    answer = api.ask("GET", "/readyz", role=None)
    assert (answer.status, answer.json()) == (200, {"status": "ready", "checks": READY})


def test_each_part_that_does_not_work_is_named(api: Api) -> None:
    api.auth = None
    api.deployment.log.broken_after = 0
    api.deployment.policy_error = refusal("runtime.policy_unreadable")
    api.deployment.database = BrokenDatabase()  # type: ignore[assignment]
    answer = api.ask("GET", "/readyz", role=None)
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "status": "not ready",
        "checks": {
            "auth": "runtime.api_auth_unset",
            "policy": "runtime.policy_unreadable",
            "database": "runtime.states_unavailable",
            "audit": "audit.unavailable",
        },
    }


def test_a_stopping_service_is_alive_and_not_ready(api: Api) -> None:
    api.app.state.service.stopping = True
    answer = api.ask("GET", "/readyz", role=None)
    print(answer.json())  # the gallery shows it
    assert (answer.status, answer.json()["checks"]["stopping"]) == (503, "runtime.api_stopping")
    assert api.ask("GET", "/healthz", role=None).json() == {"status": "alive"}
    assert api.ask("GET", "/v1/models").status == 200


def test_a_database_that_hangs_holds_neither_life_nor_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    api.limits = replace(PATIENT, probes=2, part_seconds=0.05)
    monkeypatch.setattr(api.deployment.database, "check", lambda: hanging.wait(60))

    async def play() -> None:
        client = api.client()
        for _ in range(5):  # more than may wait at once
            answer = await client.ask("GET", "/readyz")
            assert (answer.status, answer.json()["checks"]["database"]) == (503, "runtime.api_timed_out")
        assert (await client.ask("GET", "/healthz")).status == 200
        assert (await api.client("reader").ask("GET", "/v1/models")).status == 200
        hanging.set()

    asyncio.run(play())


def test_all_parts_are_asked_at_once() -> None:
    together = threading.Barrier(3)
    readiness = Readiness({name: lambda: together.wait(60) for name in "abc"}, seconds=60)
    assert readiness.look() == dict.fromkeys("abc", "ok")


def test_a_hanging_part_is_asked_just_once_until_it_ends() -> None:
    hanging, asked, now = threading.Event(), threading.Semaphore(0), [0.0]

    def hang() -> None:
        asked.release()
        hanging.wait(60)

    readiness = Readiness({"a": hang, "c": hang}, seconds=0.05, now=lambda: now[0])
    for _ in range(3):
        assert readiness.look() == {"a": "runtime.api_timed_out", "c": "runtime.api_timed_out"}
        now[0] += FRESH_SECONDS
    assert asked.acquire(timeout=60)
    assert asked.acquire(timeout=60)
    assert not asked.acquire(blocking=False)
    hanging.set()
    found = readiness.look()
    while found["a"] != "ok" or found["c"] != "ok":
        now[0] += FRESH_SECONDS
        found = readiness.look()


def test_a_part_that_answers_just_after_its_time_has_not_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    late, result = threading.Event(), Future[object].result

    def just_after(self: Future[object], timeout: float | None = None) -> object:
        try:
            return result(self, timeout)
        except TimeoutError:
            late.set()
            result(self, 60)
            raise

    monkeypatch.setattr(Future, "result", just_after)
    try:
        assert Readiness({"a": lambda: late.wait(60)}, seconds=0.05).look() == {"a": "runtime.api_timed_out"}
    finally:
        late.set()


def test_a_database_that_hangs_takes_nothing_but_the_states_from_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_multimodal_ai_system.metrics.STATES_SECONDS", 0.05)
    hanging, asked = threading.Event(), threading.Semaphore(0)

    def states() -> Mapping[str, str]:
        asked.release()
        hanging.wait(60)
        return {"shop": "verified"}

    metrics = Metrics(["shop"], states=states)
    metrics.refused("shop", "verify.wrong_signature")
    for _ in range(3):
        text = metrics.render().decode()
        assert 'reason="verify.wrong_signature",version="none"} 1.0' in text
        assert "aegis_model_state{" not in text
    assert asked.acquire(timeout=60)
    assert not asked.acquire(blocking=False)
    hanging.set()
    while 'aegis_model_state{model="shop",state="verified"} 1.0' not in metrics.render().decode():
        pass


def test_the_parts_are_asked_once_a_second_whoever_asks() -> None:
    calls: list[str] = []
    now = [0.0]
    readiness = Readiness({"database": lambda: calls.append("database")}, seconds=300, now=lambda: now[0])
    for _ in range(100):
        assert readiness.look() == {"database": "ok"}
    assert calls == ["database"]
    now[0] = FRESH_SECONDS
    readiness.look()
    assert calls == ["database"] * 2


def test_a_check_that_crashes_is_a_part_that_does_not_work() -> None:
    def crash() -> None:
        raise RuntimeError("odd")

    def fail() -> None:
        raise down("audit.unavailable")

    assert Readiness({"a": crash, "b": fail}, seconds=300).look() == {"a": "core.crashed", "b": "audit.unavailable"}


def test_requests_are_counted_by_their_route(api: Api) -> None:
    api.ask("GET", "/v1/models/shop")
    api.ask("GET", "/v1/models/fraud", role=None)
    api.ask("GET", "/v1/models/%2e%2e/secret-path")
    api.ask("BREW", "/v1/models")
    text = api.ask("GET", "/metrics").body.decode()
    for expected in (
        'aegis_http_requests_total{method="GET",route="/v1/models/{name}",status="200"} 1.0',
        'aegis_http_requests_total{method="GET",route="/v1/models/{name}",status="401"} 1.0',
        'aegis_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'aegis_http_requests_total{method="other",route="unmatched",status="405"} 1.0',
        'aegis_http_request_seconds_count{method="GET",route="/v1/models/{name}"} 2.0',
    ):
        assert expected in text
    assert "secret-path" not in text


def test_metrics_ask_for_a_token_on_the_port_of_the_calls(api: Api) -> None:
    assert api.ask("GET", "/metrics", role=None).status == 401
    assert api.ask("GET", "/metrics", role="reader").headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_the_port_for_probes_tells_health_and_metrics_and_nothing_else(api: Api, operation: object) -> None:
    api.probe_port = 9090
    answer = api.ask(operation.method, path_of(operation), role=None, port=9090)  # type: ignore[attr-defined, arg-type]
    if operation.probe:  # type: ignore[attr-defined]
        assert answer.status == 200
    else:
        assert (answer.status, answer.code) == (404, "runtime.api_path_unknown")
    if operation.role is not None:  # type: ignore[attr-defined]
        assert api.ask(operation.method, path_of(operation), role=None, port=80).status == 401  # type: ignore[attr-defined, arg-type]


def test_even_an_administrator_does_nothing_on_the_port_for_probes(api: Api) -> None:
    api.probe_port = 9090
    assert api.say("/v1/models/shop/revoke", port=9090).status == 404
    assert api.deployment.database.states.all() == []


def test_what_a_caller_says_of_the_port_counts_for_nothing(api: Api) -> None:
    api.probe_port = 9090
    headers = [("host", "127.0.0.1:9090"), ("x-forwarded-port", "9090"), ("forwarded", "host=127.0.0.1:9090")]
    assert api.ask("GET", "/metrics", role=None, headers=headers, port=80).status == 401
