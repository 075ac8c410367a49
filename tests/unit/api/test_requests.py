"""Hostile and mistaken requests: each is answered as a problem, and none reaches a resource."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import replace

import pytest

from aegis_multimodal_ai_system.api.edge import MAX_HEADER_BYTES, MAX_HEADERS
from aegis_multimodal_ai_system.api.problems import Problem
from aegis_multimodal_ai_system.api.reading import MAX_BODY
from tests.support.runtime.asgi import Answer
from tests.unit.api.conftest import PATIENT, Api

JSON = ("content-type", "application/json")
MEMBERS = set(Problem.__struct_fields__)


def is_problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer
    assert set(answer.json()) == MEMBERS
    assert answer.headers["x-request-id"] == answer.json()["correlation_id"]
    is_dressed(answer)


def is_dressed(answer: Answer) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//",
        "/v1",
        "/v1/models/",
        "//v1/models",
        "/v1//models",
        "/v1/models/./shop",
        "/v1/models/../models",
        "/v1/models/shop/..",
        "/v1/models/..",
        "/v1/models/.",
        "/v1/models/%73hop",
        "/v1%2fmodels",
        "/v1/models/%2e%2e",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/v1/models/shop%00",
        "/v1/models/shop%0d%0aX-Evil:%201",
        "/v1/models/shop\\..\\fraud",
        "/v1/models/shop;role=admin",
        "/v1/models/sh op",
        "/v1/models/sh\xf6p",
        "/v1/models/shop#x",
        "/V1/models",
        "/v1/models/" + "a" * 600,
        "/v1/models/shop/prepare/again",
        "/v1/audit/tiles/../entries",
        "/v1/audit/tiles/",
        "/v1/audit/tiles//checkpoint",
        "/v1/audit/tiles/tile/0/000.p/0",
        "/v1/audit/tiles/tile/0/1",
        "/v1/audit/tiles/tile/64/000",
        "/v1/audit/tiles/tile/0/000.p/256",
        "/v1/audit/tiles/audit.key",
        "/v1/audit/tiles/tile/0/x1/000",
        "/v1/audit/entries/-1",
        "/v1/audit/entries/01",
        "/v1/audit/entries/1e3",
        "/v1/audit/entries/" + "9" * 19,
        "http://example.com/v1/models",
        "*",
    ],
)
def test_no_other_path_is_a_resource(api: Api, target: str) -> None:
    is_problem(api.ask("GET", target), 404, "runtime.api_path_unknown")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "POST"])
def test_another_method_is_refused_and_the_right_ones_are_named(api: Api, method: str) -> None:
    answer = api.ask(method, "/v1/models")
    is_problem(answer, 405, "runtime.api_method_refused")
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_write_is_never_done_by_a_read(api: Api) -> None:
    for method in ("GET", "HEAD"):
        answer = api.ask(method, "/v1/models/shop/revoke")
        is_problem(answer, 405, "runtime.api_method_refused")
        assert answer.headers["allow"] == "POST"
    assert api.deployment.database.states.all() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"reason"',
        b'{"reason":1}',
        b'{"reason":null}',
        b'{"reason":""}',
        b'{"reason":["a"]}',
        b'{"reason":"a","reason":"b"}',
        b'{"reason":"a","force":true}',
        b'{"Reason":"a"}',
        b'{"reason":"a"}{"reason":"b"}',
        b'{"reason":"a"} x',
        b'{"reason":"a",}',
        b"{'reason':'a'}",
        b'{"reason":NaN}',
        b'{"reason":"\\ud800"}',
        b'{"reason":"\xff"}',
        b'{"reason":"a\\nb"}',
        b'{"reason":"a\\u0000"}',
        b'\xef\xbb\xbf{"reason":"a"}',
        '{"reason":"a"}'.encode("utf-16"),
        b"[" * 4000,
        b'{"reason":' * 800,
        b'{"reason":"' + b"a" * 501 + b'"}',
        b"reason=a",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_is_understood_in_one_way_or_not_at_all(api: Api, body: bytes) -> None:
    is_problem(api.say("/v1/models/shop/revoke", body), 400, "runtime.api_body_malformed")
    assert api.deployment.database.states.all() == []
    assert api.deployment.log.events == []


@pytest.mark.parametrize("pieces", [[b"a" * (MAX_BODY + 1)], [b"a" * 1024] * 9])
@pytest.mark.parametrize("announced", [True, False])
def test_a_large_body_is_not_read_on(api: Api, pieces: list[bytes], announced: bool) -> None:
    length = str(sum(map(len, pieces)))
    framing = ("content-length", length) if announced else ("transfer-encoding", "chunked")
    answer = api.ask("POST", "/v1/models/shop/revoke", body=pieces, headers=[JSON, framing])
    is_problem(answer, 413, "runtime.api_body_too_large")
    assert answer.headers["connection"] == "close"


def test_a_trickling_body_is_not_waited_for(api: Api) -> None:
    api.limits = replace(PATIENT, body_seconds=0.05)
    headers = [JSON, ("content-length", "100")]
    answer = api.ask("POST", "/v1/models/shop/revoke", body=b'{"reas', headers=headers, stall=True)
    is_problem(answer, 408, "runtime.api_too_slow")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "text/plain")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "application/json; charset=utf-16")],
        [("content-type", "application/jsonx")],
        [JSON, ("content-encoding", "gzip")],
    ],
)
def test_only_plain_json_is_taken(api: Api, headers: list[tuple[str, str]]) -> None:
    answer = api.ask("POST", "/v1/models/shop/revoke", body=b'{"reason":"a"}', headers=headers)
    is_problem(answer, 415, "runtime.api_media_type_refused")


def test_a_charset_that_says_the_same_is_fine(api: Api) -> None:
    headers = [("content-type", "Application/JSON; charset=UTF-8")]
    assert api.ask("POST", "/v1/models/shop/revoke", body=b'{"reason":"a"}', headers=headers).status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_that_nobody_reads_is_refused(api: Api, method: str) -> None:
    target = "/v1/models" if method == "GET" else "/v1/models/shop/prepare"
    answer = api.ask(method, target, body=b"{}")
    is_problem(answer, 400, "runtime.api_request_malformed")
    assert answer.headers["connection"] == "close"
    assert api.loader.calls == []


@pytest.mark.parametrize(
    "query",
    [
        "start=-1",
        "start=+1",
        "start=01",
        "start=1.0",
        "start=",
        "start",
        "start=1e9",
        "start=0x1",
        "start=%31%00",
        "start=\xb2",
        "start=1&start=2",
        "start=1&st%61rt=2",
        "limit=0",
        "limit=257",
        "limit=" + "9" * 19,
        "page=1",
        "start=1&",
        "&",
        "start=1;limit=2",
        "start=" + "1" * 300,
    ],
)
def test_a_query_is_plain_numbers_each_once(api: Api, query: str) -> None:
    is_problem(api.ask("GET", f"/v1/audit/entries?{query}"), 400, "runtime.api_request_malformed")


@pytest.mark.parametrize("query", ["", "from=1", "to=1", "from=0&to=1", "from=2&to=1", "start=1&end=2"])
def test_both_sizes_are_asked_for(api: Api, query: str) -> None:
    is_problem(api.ask("GET", f"/v1/audit/consistency?{query}"), 400, "runtime.api_request_malformed")


def test_a_query_where_none_is_read_is_refused(api: Api) -> None:
    is_problem(api.ask("GET", "/v1/models?all=1"), 400, "runtime.api_request_malformed")


@pytest.mark.parametrize(
    "name", ["Content-Length", "Content-Type", "X-Request-Id", "Content-Encoding", "Authorization"]
)
def test_a_header_that_decides_stands_there_once(api: Api, name: str) -> None:
    answer = api.ask("GET", "/healthz", role=None, headers=[(name, "1"), (name.lower(), "1")])
    is_problem(answer, 400, "runtime.api_request_malformed")


@pytest.mark.parametrize(
    "headers",
    [[("x", "a" * MAX_HEADER_BYTES)], [(f"x-{number}", "a") for number in range(MAX_HEADERS + 1)]],
    ids=["one large", "many"],
)
def test_headers_are_bounded(api: Api, headers: list[tuple[str, str]]) -> None:
    is_problem(api.ask("GET", "/healthz", role=None, headers=headers), 431, "runtime.api_headers_too_large")


def test_requests_at_once_are_bounded(api: Api) -> None:
    api.limits = replace(PATIENT, in_flight=2)
    api.probe_port = 9090

    async def play() -> None:
        client = api.client("reader", stall=True)
        headers = [JSON, ("content-length", "9")]
        slow = [
            asyncio.create_task(api.client("admin", stall=True).ask("POST", "/v1/models/shop/revoke", headers=headers))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        answer = await client.ask("GET", "/healthz")
        is_problem(answer, 503, "runtime.api_busy")
        # what asks whether the service lives is not turned away for what others do
        probes = api.client(port=9090)
        assert [(await probes.ask("GET", path)).status for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await client.ask("GET", "/healthz")).status == 200

    asyncio.run(play())


def test_a_defect_is_answered_without_its_text(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    class Defect:
        @property
        def models(self) -> object:
            raise RuntimeError("secret-of-the-house")

        def __getattr__(self, name: str) -> object:
            return getattr(deployed, name)

    deployed, api.deployment = api.deployment, Defect()  # type: ignore[assignment]
    answer = api.ask("GET", "/v1/models")
    is_problem(answer, 500, "core.crashed")
    assert "secret-of-the-house" not in str(answer)
    assert "Traceback" not in str(answer)


@pytest.mark.parametrize("given", ["deploy-0001", "0af7651916cd43dd8448eb211c80319c", str(uuid.UUID(int=7))])
def test_a_sane_request_id_is_kept(api: Api, given: str) -> None:
    assert api.ask("GET", "/healthz", headers=[("x-request-id", given)]).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "short",
        "a" * 65,
        "has space1",
        'quote"quote',
        "line\nfeed1",
        "\xfcmlaut-0001",
        "-leading-dash",
        "ghp_" + "a1B2" * 9,
    ],
)
def test_another_request_id_is_replaced(api: Api, given: str) -> None:
    found = api.ask("GET", "/healthz", headers=[("x-request-id", given)]).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found)


def test_answers_over_tls_ask_for_tls_next_time(api: Api) -> None:
    assert "strict-transport-security" in api.ask("GET", "/healthz", scheme="https").headers
    assert "strict-transport-security" not in api.ask("GET", "/healthz").headers


def test_a_success_is_dressed_too(api: Api) -> None:
    is_dressed(api.ask("GET", "/v1/models"))


def test_a_head_is_answered_like_a_get(api: Api) -> None:
    assert api.ask("HEAD", "/v1/models").status == 200
    assert api.ask("HEAD", "/v1/models", role=None).status == 401
