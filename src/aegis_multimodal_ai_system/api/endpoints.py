"""From an operation to what Starlette calls: who it is, whether they may, what they sent, and their answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from aegis.core.actor import Actor
from aegis.core.errors import AegisError
from aegis_multimodal_ai_system.api.access import NOBODY, Caller, caller_of, check_role, token_of
from aegis_multimodal_ai_system.api.answers import Ready
from aegis_multimodal_ai_system.api.edge import context_of, has_come_by, path_unknown
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.operations import Call, Operation, Plain
from aegis_multimodal_ai_system.api.problems import Failure, answer_of
from aegis_multimodal_ai_system.api.reading import body_of, has_body, query_of, refuse_body
from aegis_multimodal_ai_system.api.refusals import malformed
from aegis_multimodal_ai_system.api.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint_of(operation: Operation, service: Service) -> Endpoint:
    """The function that answers the operation's requests."""

    async def endpoint(request: Request) -> Response:
        context = context_of(request.scope)
        context.route = operation.path
        pending = has_body(request)
        try:
            actor = await _allowed(operation, service, request)
            body = await _body(operation, service, request)
            pending = False
            call = Call(
                service=service,
                actor=actor,
                path=request.path_params,
                body=body,
                query=_query(operation, request),
                correlation_id=context.correlation_id,
            )
            return _answer(await _handled(operation, call))
        except (Failure, AegisError) as raised:
            error, headers = _told(raised)
            context.code = error.code
            # what is left of a body that nobody reads would be taken for the next request's head
            closing = {"Connection": "close"} if pending else {}
            return answer_of(error, context.correlation_id, {**headers, **closing})

    return endpoint


async def _allowed(operation: Operation, service: Service, request: Request) -> Actor:
    """Who calls. Raises Failure; a denied write is recorded, as far as the log can be written."""
    context = context_of(request.scope)
    if has_come_by(request.scope, service.probe_port):
        if not operation.probe:
            raise path_unknown()
        return NOBODY
    if operation.role is None:
        return NOBODY
    actor = NOBODY
    try:
        caller = await _caller(service, request)
        actor = caller.actor
        context.actor = actor.id
        check_role(caller, operation.role)
    except (Failure, AegisError) as raised:
        if operation.writes:
            await _record_denial(operation, service, actor, _told(raised)[0].code, context.correlation_id)
        raise
    return actor


async def _caller(service: Service, request: Request) -> Caller:
    token = token_of(request.headers)
    return await service.calls.run(lambda: caller_of(token, service.auth), service.limits.call_seconds)


async def _record_denial(
    operation: Operation, service: Service, actor: Actor, reason: str, correlation_id: str
) -> None:
    route = f"{operation.method} {operation.path}"
    try:
        await service.calls.run(
            lambda: service.denials.denied(actor, reason, route, correlation_id), service.limits.call_seconds
        )
    except AegisError as error:  # the call is refused all the same
        log("a denied call has no entry", correlation_id=correlation_id, code=error.code)


async def _body(operation: Operation, service: Service, request: Request) -> msgspec.Struct | None:
    if operation.body is None:
        refuse_body(request)
        return None
    return await body_of(request, operation.body, seconds=service.limits.body_seconds)


def _query(operation: Operation, request: Request) -> msgspec.Struct | None:
    raw: bytes = request.scope["query_string"]
    if operation.query is not None:
        return query_of(raw, operation.query)
    if raw:
        raise malformed("the request has a query", expected="none for this resource")
    return None


async def _handled(operation: Operation, call: Call) -> msgspec.Struct | Plain:
    service = call.service
    if operation.inline:
        return operation.handle(call)
    if operation.long:
        workers, seconds = service.prepares, service.limits.prepare_seconds
    elif operation.probe:
        workers, seconds = service.probes, service.limits.probe_seconds
    else:
        workers, seconds = service.calls, service.limits.call_seconds
    return await workers.run(lambda: operation.handle(call), seconds)


def _answer(answer: msgspec.Struct | Plain) -> Response:
    if isinstance(answer, Plain):
        return Response(answer.content, media_type=answer.media_type)
    status = 503 if isinstance(answer, Ready) and answer.status != "ready" else 200
    return Response(msgspec.json.encode(answer), status_code=status, media_type="application/json")


def _told(raised: Failure | AegisError) -> tuple[AegisError, Mapping[str, str]]:
    return (raised.error, raised.headers) if isinstance(raised, Failure) else (raised, MappingProxyType({}))
