"""Every operation, and every kind of caller."""

from __future__ import annotations

import asyncio

import pytest

from aegis_multimodal_ai_system.api.auth import Auth, ValidToken
from aegis_multimodal_ai_system.api.operations import Operation
from aegis_multimodal_ai_system.api.routes import OPERATIONS
from tests.doubles.oidc_issuer import Issuers, new_key
from tests.support.runtime.asgi import Answer
from tests.unit.api.conftest import ROLES, Api

GUARDED = [operation for operation in OPERATIONS if operation.role is not None]
OPEN = [operation for operation in OPERATIONS if operation.role is None]


def name_of(operation: Operation) -> str:
    return operation.id


def path_of(operation: Operation) -> str:
    path = operation.path.replace("{name}", "shop").replace("{index}", "0").replace("{path:path}", "tile/0/000")
    return path + ("?from=1&to=1" if operation.id == "proveConsistency" else "")


def answer_to(api: Api, operation: Operation, role: str | None, *headers: tuple[str, str]) -> Answer:
    if operation.body is not None:
        headers = (*headers, ("content-type", "application/json"))
    body = b'{"reason":"a test"}' if operation.body is not None else b""
    return api.ask(operation.method, path_of(operation), role=role, body=body, headers=headers)


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_a_role_may_do_what_it_or_a_lower_one_may(api: Api, operation: Operation, role: str) -> None:
    answer = answer_to(api, operation, role)
    assert operation.role is not None
    may = role in ROLES and ROLES.index(role) >= ROLES.index(operation.role)
    # the log in memory cannot be read, and nothing is in quarantine
    assert (answer.status != 403) == may, answer
    if not may:
        assert answer.code == "runtime.api_role_missing"
        assert (
            answer.headers["www-authenticate"]
            == f'Bearer realm="aegis", error="insufficient_scope", scope="{operation.role}"'
        )
        assert api.loader.calls == []
        assert api.deployment.database.states.all() == []


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_without_a_token_nothing_is_answered(api: Api, operation: Operation) -> None:
    answer = answer_to(api, operation, None)
    assert (answer.status, answer.code) == (401, "runtime.api_token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="aegis"'


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_a_bad_token_is_no_token(api: Api, operation: Operation, issuers: Issuers) -> None:
    bad = issuers.people.token(key=new_key("people-1", "ES256"), groups=["ml-admins"])
    answer = answer_to(api, operation, None, ("authorization", f"Bearer {bad}"))
    assert answer.status == 401
    assert answer.code.startswith("token.")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert bad.split(".")[2] not in str(answer)


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_without_issuers_everybody_is_refused(api: Api, operation: Operation) -> None:
    api.auth = None
    answer = answer_to(api, operation, "admin")
    assert (answer.status, answer.code) == (503, "runtime.api_auth_unset")


@pytest.mark.parametrize("operation", OPEN, ids=name_of)
def test_health_is_told_to_anyone(api: Api, operation: Operation) -> None:
    assert answer_to(api, operation, None).status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Basic dXNlcjpwYXNz", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer  two-spaces", 401),
        ("Bearer a b", 401),
        ("Bearer a,b", 401),
        ("Token abc", 401),
        ("", 401),
        ("Bearer not.a.token", 401),
        ("Bearer \xff", 401),
    ],
)
def test_another_scheme_is_no_token(api: Api, header: str, status: int) -> None:
    answer = api.ask("GET", "/v1/models", role=None, headers=[("authorization", header)])
    assert answer.status == status
    assert answer.headers["www-authenticate"].startswith('Bearer realm="aegis"')


def test_the_scheme_is_spelt_in_any_case(api: Api) -> None:
    header = ("authorization", "bEaReR " + api.tokens["reader"])
    assert api.ask("GET", "/v1/models", role=None, headers=[header]).status == 200


def test_two_authorization_headers_are_refused(api: Api) -> None:
    answer = api.ask("GET", "/v1/models", headers=[("Authorization", "Bearer " + api.tokens["reader"])])
    assert (answer.status, answer.code) == (400, "runtime.api_request_malformed")


@pytest.mark.parametrize("where", ["query", "cookie", "body"])
def test_a_token_elsewhere_is_not_looked_at(api: Api, where: str) -> None:
    token = api.tokens["admin"]
    target = f"/v1/models?access_token={token}" if where == "query" else "/v1/models"
    headers = [("cookie", f"access_token={token}")] if where == "cookie" else []
    body = f"access_token={token}".encode() if where == "body" else b""
    answer = api.ask("GET", target, role=None, headers=headers, body=body)
    assert (answer.status, answer.code) == (401, "runtime.api_token_missing")


def test_an_issuer_that_is_down_is_no_refusal_of_the_token(
    api: Api, issuers: Issuers, tmp_path: pytest.TempPathFactory
) -> None:
    from aegis_multimodal_ai_system.api.auth import Auth

    with_fresh_keys = Auth.from_file(issuers.auth_file(tmp_path))  # type: ignore[arg-type]
    api.auth = with_fresh_keys
    issuers.people.broken = "down"
    try:
        answer = api.ask("GET", "/v1/models")
    finally:
        issuers.people.broken = None
    assert (answer.status, answer.code) == (503, "token.keys_unavailable")
    assert "www-authenticate" not in answer.headers
    assert answer.headers["retry-after"]


def test_a_caller_who_asks_at_once_with_others_is_answered_as_himself(api: Api) -> None:
    """Roles do not leak between requests that are under way at the same time."""

    async def all_of_them() -> list[int]:
        kinds = [*ROLES, "nobody", None] * 8
        clients = [api.client(kind) for kind in kinds]
        answers = await asyncio.gather(*(client.ask("GET", "/v1/models") for client in clients))
        return [answer.status for answer in answers]

    assert asyncio.run(all_of_them()) == [200, 200, 200, 403, 401] * 8


def test_a_token_is_validated_once_a_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    validate = Auth.validate

    def counted(self: Auth, token: str) -> ValidToken:
        calls.append(token)
        return validate(self, token)

    monkeypatch.setattr(Auth, "validate", counted)
    assert api.ask("GET", "/v1/models", role="reader").status == 200
    assert len(calls) == 1
