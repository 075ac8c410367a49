"""Log lines: one JSON object each, whatever somebody puts in; and no token in any."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_multimodal_ai_system.api import logs
from tests.support.runtime.own_logging import logging_as_before
from tests.unit.api.conftest import ROLES, Api


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with logging_as_before():
        logs.configure(stream)
        yield stream


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_each_request_has_a_line(api: Api, lines: io.StringIO) -> None:
    answer = api.say("/v1/models/shop/release")
    (line,) = [line for line in read(lines) if line["message"] == "answered"]
    assert line["seconds"] >= 0
    assert line["actor"].endswith("a-admin")
    assert line | {"time": "", "seconds": 0, "actor": ""} == {
        "time": "",
        "level": "info",
        "logger": "aegis.api",
        "message": "answered",
        "correlation_id": answer.headers["x-request-id"],
        "actor": "",
        "client": "192.0.2.7",
        "method": "POST",
        "route": "/v1/models/{name}/release",
        "status": 409,
        "code": "runtime.transition_refused",
        "seconds": 0,
    }


def test_what_is_the_callers_own_text_is_not_in_the_line(api: Api, lines: io.StringIO) -> None:
    api.ask("BREW-COFFEE", "/v1/tea-pot?milk=oat")
    (line,) = [line for line in read(lines) if line["message"] == "answered"]
    assert (line["method"], line["route"]) == ("other", "unmatched")
    for word in ("BREW", "tea-pot", "oat"):
        assert word not in lines.getvalue()


def test_no_token_is_in_any_line(api: Api, lines: io.StringIO) -> None:
    token = api.tokens["admin"]
    for role in (*ROLES, "nobody"):
        api.ask("GET", "/v1/models", role=role)
        api.say("/v1/models/shop/quarantine", role=role)
    api.ask("GET", f"/v1/models?access_token={token}", role=None)
    api.ask("GET", f"/v1/models/{token}", role=None)
    api.ask("GET", "/v1/models", role=None, headers=[("authorization", f"Basic {token}")])
    api.ask("GET", "/v1/models", role=None, headers=[("authorization", f"Bearer {token[:-4]}")])
    api.ask("GET", "/v1/models", role=None, headers=[("authorization", f"Bearer {token}.{token}")])
    api.ask("GET", "/v1/models", role=None, headers=[("x-request-id", token[:60])])
    api.ask(token[:20], "/v1/models")
    text = lines.getvalue()
    assert text.count("\n") >= 14
    for found in api.tokens.values():
        for part in found.split("."):
            assert part[:24] not in text


def test_a_library_that_logs_a_token_does_not_tell_it(api: Api, lines: io.StringIO) -> None:
    token = api.tokens["admin"]
    logging.getLogger("uvicorn.error").warning("odd header: Bearer %s", token)
    logging.getLogger("sqlalchemy").error("cannot reach postgresql://user:pass-word-1@host/db")
    text = lines.getvalue()
    assert token[:40] not in text
    assert token.split(".")[1] not in text
    assert "pass-word-1" not in text
    assert len(read(lines)) == 2


def test_an_exception_is_told_by_type_and_place_alone(lines: io.StringIO) -> None:
    try:
        raise ValueError("a password stands here")
    except ValueError as error:
        logging.getLogger("aegis.api").error("a request failed", exc_info=error)
    (line,) = read(lines)
    assert line["exception"] == "ValueError"
    assert line["places"][-1].startswith("test_logs.py:")
    assert "password" not in lines.getvalue()


def test_a_defect_in_a_request_is_in_the_log(api: Api, lines: io.StringIO) -> None:
    class Defect:
        @property
        def models(self) -> object:
            raise RuntimeError("secret-of-the-house")

        def __getattr__(self, name: str) -> object:
            return getattr(deployed, name)

    deployed, api.deployment = api.deployment, Defect()  # type: ignore[assignment]
    answer = api.ask("GET", "/v1/models")
    (line,) = [line for line in read(lines) if "exception" in line]
    assert line["correlation_id"] == answer.headers["x-request-id"]
    assert (line["exception"], line["level"]) == ("RuntimeError", "error")
    assert "secret-of-the-house" not in lines.getvalue()


@given(st.text())
def test_no_text_ends_a_line(text: str) -> None:
    record = logging.LogRecord("aegis.api", logging.INFO, "", 0, "%s", (text,), None)
    record.facts = {"actor": text}
    line = logs.JsonLines().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert set(json.loads(line)) == {"time", "level", "logger", "message", "actor"}


def test_a_long_text_is_cut(lines: io.StringIO) -> None:
    logs.log("a" * 100_000)
    assert len(lines.getvalue()) < 3000
