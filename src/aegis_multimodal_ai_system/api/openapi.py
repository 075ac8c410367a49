"""The service's description (OpenAPI 3.1.0), made from the route table and the types of the answers."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import msgspec

from aegis import __version__
from aegis.core.policy import NAME_PATTERN
from aegis_multimodal_ai_system.api.operations import Operation
from aegis_multimodal_ai_system.api.problems import MEDIA_TYPE, Problem
from aegis_multimodal_ai_system.api.routes import OPERATIONS

_ALWAYS = (400, 404, 405, 408, 413, 431, 500, 503)
"""Statuses that the edge gives to any request."""
_PATH_PARAMETERS = {
    "name": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "index": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,17})$"},
    "path": {"type": "string", "pattern": "^(checkpoint|tile/[0-9x./a-z]+)$"},
}
_REFERENCE = "#/components/schemas/{name}"


@lru_cache
def document_bytes() -> bytes:
    """As it is served."""
    return msgspec.json.encode(document())


def document() -> dict[str, Any]:
    """The whole of it."""
    types: list[Any] = [Problem]
    for operation in OPERATIONS:
        types += [kind for kind in (operation.answer, operation.body, operation.query) if isinstance(kind, type)]
    queries = {operation.query.__name__ for operation in OPERATIONS if operation.query is not None}
    _, schemas = msgspec.json.schema_components(dict.fromkeys(types), ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aegis runtime",
            "version": __version__,
            "description": "Models that are verified before they are loaded, and the log of who did what.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"oidc": []}],
        "paths": {
            _path(operation): {operation.method.lower(): _operation(operation, schemas)} for operation in OPERATIONS
        },
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "responses": {str(status): _problem(status) for status in (401, 403, 409, 415, 422, *_ALWAYS)},
            "securitySchemes": {
                "oidc": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An OIDC token of an issuer that the service trusts; its rule names the role.",
                }
            },
        },
    }


def _path(operation: Operation) -> str:
    return operation.path.replace(":path}", "}")


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    problems = {*_ALWAYS, *operation.problems}
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if operation.role is None:
        described["security"] = []
    else:
        described["description"] = f"Asks for the role {operation.role}."
        problems |= {401, 403}
    if operation.body is not None:
        problems.add(415)
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _named(operation.body)}},
        }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}
        for name in re.findall(r"\{([a-z]+)", operation.path)
    ]
    if operation.query is not None:
        query = schemas[operation.query.__name__]
        parameters += [
            {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
            for name, schema in query["properties"].items()
        ]
    if parameters:
        described["parameters"] = parameters
    responses: dict[str, Any] = {"200": _success(operation)}
    for status in sorted(problems):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    if operation.id == "ready":
        responses["503"] = _not_ready(operation)
    described["responses"] = responses
    return described


def _success(operation: Operation) -> dict[str, Any]:
    if isinstance(operation.answer, tuple):
        return {"description": "OK", "content": {kind: {"schema": {}} for kind in operation.answer}}
    return {"description": "OK", "content": {"application/json": {"schema": _named(operation.answer)}}}


def _not_ready(operation: Operation) -> dict[str, Any]:
    return {
        "description": "Not ready, or too busy to tell",
        "content": {**_success(operation)["content"], **_problem(503)["content"]},
    }


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": _named(Problem)}},
    }


def _named(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
