"""The description: valid, complete, and true of what is answered, whatever is asked."""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from aegis_multimodal_ai_system.api.auth import Auth
from aegis_multimodal_ai_system.api.openapi import document
from aegis_multimodal_ai_system.api.routes import OPERATIONS
from tests.doubles.deployment import deployment, refusal
from tests.support.runtime.asgi import Answer
from tests.unit.api.conftest import ROLES, Api

DOCUMENT = document()


@cache
def validator(pointer: str) -> jsonschema.Draft202012Validator:
    """Of the schema at a place in the description."""
    return jsonschema.Draft202012Validator({"$ref": pointer, "components": DOCUMENT["components"]})


def matches(answer: Answer, operation_id: str, *, head: bool = False) -> None:
    """The answer is one that the description names for this operation."""
    (described,) = [
        operation
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if operation["operationId"] == operation_id
    ]
    response = described["responses"][str(answer.status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in response["content"], (kind, answer)
    schema = response["content"][kind]["schema"]
    if "$ref" in schema:
        validator(schema["$ref"]).validate(json.loads(answer.body))
    elif kind == "application/json":
        json.loads(answer.body)


def test_the_description_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_operation_is_described_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(operation.method, operation.path.replace(":path", "")) for operation in OPERATIONS}
    ids = [operation.id for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_only_health_asks_for_no_token() -> None:
    open_paths = {
        path for path, methods in DOCUMENT["paths"].items() for one in methods.values() if one.get("security") == []
    }
    assert open_paths == {"/healthz", "/readyz"}
    assert DOCUMENT["security"] == [{"oidc": []}]


def test_the_service_serves_it(api: Api) -> None:
    assert api.ask("GET", "/openapi.json", role="reader").json() == json.loads(json.dumps(DOCUMENT))


def test_unknown_members_are_refused_in_bodies_and_absent_from_answers() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name, schema in schemas.items():
        if name != "Problem":
            assert schema["additionalProperties"] is False, name


WALK = [
    ("listModels", "GET", "/v1/models", b""),
    ("showModel", "GET", "/v1/models/shop", b""),
    ("showModel", "GET", "/v1/models/nobody", b""),
    ("prepareModel", "POST", "/v1/models/shop/prepare", b""),
    ("prepareModel", "POST", "/v1/models/fraud/prepare", b""),
    ("quarantineModel", "POST", "/v1/models/shop/quarantine", b'{"reason":"a test"}'),
    ("releaseModel", "POST", "/v1/models/shop/release", b'{"reason":"a test"}'),
    ("releaseModel", "POST", "/v1/models/shop/release", b'{"reason":"again"}'),
    ("revokeModel", "POST", "/v1/models/fraud/revoke", b'{"reason":"a test"}'),
    ("revokeModel", "POST", "/v1/models/fraud/revoke", b'{"reason":7}'),
    ("revokeModel", "POST", "/v1/models/fraud/revoke", b"x" * 9000),
    ("listModels", "GET", "/v1/models", b""),
    ("listEntries", "GET", "/v1/audit/entries", b""),
    ("listEntries", "GET", "/v1/audit/entries?start=2&limit=3", b""),
    ("listEntries", "GET", "/v1/audit/entries?start=10000", b""),
    ("showEntry", "GET", "/v1/audit/entries/3", b""),
    ("showEntry", "GET", "/v1/audit/entries/9999", b""),
    ("showCheckpoint", "GET", "/v1/audit/checkpoint", b""),
    ("showTile", "GET", "/v1/audit/tiles/checkpoint", b""),
    ("showTile", "GET", "/v1/audit/tiles/tile/0/001", b""),
    ("proveConsistency", "GET", "/v1/audit/consistency?from=1&to=4", b""),
    ("proveConsistency", "GET", "/v1/audit/consistency?from=1&to=9999", b""),
    ("description", "GET", "/openapi.json", b""),
    ("metrics", "GET", "/metrics", b""),
    ("alive", "GET", "/healthz", b""),
    ("ready", "GET", "/readyz", b""),
]


@pytest.mark.parametrize("role", [*ROLES, "nobody", None])
def test_what_is_answered_is_what_is_described(api: Api, role: str | None) -> None:
    api.loader.refusals = {"fraud": refusal()}
    for operation_id, method, target, body in WALK:
        headers = [("content-type", "application/json")] if body else []
        matches(api.ask(method, target, role=role, body=body, headers=headers), operation_id)


def test_without_log_and_database_too(api: Api) -> None:
    from tests.doubles.deployment import BrokenDatabase

    api.deployment.log.broken_after = 0
    api.deployment.database = BrokenDatabase()  # type: ignore[assignment]
    for operation_id, method, target, body in WALK:
        headers = [("content-type", "application/json")] if body else []
        matches(api.ask(method, target, body=body, headers=headers), operation_id)


# --- whatever is asked ------------------------------------------------------------------------------------------------

_SEGMENTS = st.one_of(
    st.sampled_from(["shop", "fraud", "nobody", "..", ".", "%00", "%2e%2e", "tile/0/000", "checkpoint", "0", "3", ""]),
    st.text(max_size=8).map(lambda text: quote(text, safe="")),
    st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True),
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
_BODIES = st.one_of(
    st.just(b""),
    st.text(min_size=1, max_size=20).map(lambda text: json.dumps({"reason": text}).encode()),
    _JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
)
_QUERIES = st.one_of(
    st.just(""),
    st.dictionaries(
        st.sampled_from(["start", "limit", "from", "to", "x"]),
        st.one_of(st.integers(-2, 300).map(str), st.text(max_size=4).map(quote)),
        max_size=3,
    ).map(lambda found: "?" + "&".join(f"{name}={value}" for name, value in found.items())),
)
_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "x-request-id", "authorization", "accept", "content-encoding", "x-other"]),
        st.one_of(
            st.sampled_from(["application/json", "Bearer abc", "text/html", "gzip"]),
            st.text(alphabet=st.characters(max_codepoint=255), max_size=12),
        ),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, auth: Auth, tokens: dict[str, str]) -> Api:
    return Api(deployment(tmp_path_factory.mktemp("lasting")), auth, tokens)


@given(
    operation=st.sampled_from(OPERATIONS),
    method=st.sampled_from(["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "BREW"]),
    segment=_SEGMENTS,
    query=_QUERIES,
    body=_BODIES,
    headers=_HEADERS,
    role=st.sampled_from([*ROLES, "nobody", None]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_answer_is_described_or_a_problem(
    lasting: Api,
    operation: Any,
    method: str,
    segment: str,
    query: str,
    body: bytes,
    headers: list[tuple[str, str]],
    role: str | None,
) -> None:
    target = re.sub(r"\{[a-z:]+\}", lambda _: segment, operation.path) + query
    answer = lasting.ask(method, target, role=role, body=body, headers=headers)
    assert answer.status != 500, answer
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers["x-request-id"])
    if answer.headers["content-type"] == "application/problem+json":
        validator("#/components/schemas/Problem").validate(answer.json())
        assert answer.json()["status"] == answer.status >= 400
    else:
        assert answer.status == 200
        assert segment or "{" not in operation.path
    if method == operation.method and answer.status not in {404, 405}:
        matches(answer, operation.id)


def test_the_log_stands_after_all_of_that(lasting: Api) -> None:
    size = lasting.ask("GET", "/v1/audit/entries?limit=1").json()["size"]
    client = lasting.client("reader")

    async def all_entries() -> int:
        at, count = 0, 0
        while at is not None:
            page = (await client.ask("GET", f"/v1/audit/entries?start={at}&limit=256")).json()
            at, count = page["next"], count + len(page["entries"])
        return count

    assert asyncio.run(all_entries()) == size
