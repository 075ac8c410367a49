"""What every request passes first and every answer last: its id, its bounds, its headers, its line in the log.

Below it only resources and their rules are left: a path that arrives there is plain, headers are few, and an exception
that leaves it has become an answer.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis.audit.secrets import redact
from aegis.core.errors import AegisError, crashed
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.problems import answer_of
from aegis_multimodal_ai_system.api.refusals import malformed, refused, undecided

CONTEXT = "aegis"
"""The key of a request's `Context` in its ASGI scope."""
UNMATCHED = "unmatched"
"""The route of a request that matches none: its path is the caller's own text."""
MAX_HEADERS = 64
MAX_HEADER_BYTES = 24 << 10
"""Of all names and values together: the largest token that is taken has 16 KiB."""
_ONCE = (b"authorization", b"content-length", b"content-type", b"content-encoding", b"x-request-id")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Another one is the caller's own text."""
_SANE_ID = re.compile(r"(?!eyJ)[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""Of a caller: long enough to be unique, and neither a token nor the beginning of one."""
_PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9._-]+)+")
"""Every resource has such a path, so that nothing has to be decoded, and `%2e%2e%2f` leads nowhere."""
_LONGEST_PATH = 512
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)


@dataclass(slots=True)
class Context:
    """What becomes known of a request on its way."""

    correlation_id: str
    route: str = UNMATCHED
    actor: str | None = None
    """The actor's id."""
    code: str | None = None
    """Why it was refused."""


Answered = Callable[[str, str, int, float], None]
"""Told of each answer: method, route, status, seconds."""


class Edge:
    """ASGI middleware around all of the service."""

    def __init__(self, app: ASGIApp, *, answered: Answered, max_in_flight: int, probe_port: int | None = None) -> None:
        """`max_in_flight`: requests at once, but for those on the port for probes, whose connections are few."""
        self._app = app
        self._probe_port = probe_port
        self._answered = answered
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":  # the lifespan; other protocols are not spoken (`serve`)
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        context = scope[CONTEXT] = Context(_correlation_id(scope))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message, scope, context)
            await send(message)

        counted = not has_come_by(scope, self._probe_port)
        self._in_flight += counted
        try:
            if counted and self._in_flight > self._max_in_flight:
                raise undecided(
                    "runtime.api_busy",
                    f"{self._in_flight} requests at once",
                    expected=f"at most {self._max_in_flight}",
                )
            _check(scope)
            await self._app(scope, receive, sending)
        except Exception as error:  # a defect must still be answered
            if not isinstance(error, AegisError):
                log("a request failed", logging.ERROR, error=error, correlation_id=context.correlation_id)
                error = crashed(error)
            context.code = error.code
            if not status:
                await answer_of(error, context.correlation_id, {"Connection": "close"})(scope, receive, sending)
        finally:
            self._in_flight -= counted
            seconds = time.perf_counter() - start
            self._answered(scope["method"], context.route, status, seconds)
            log(
                "answered",
                correlation_id=context.correlation_id,
                actor=context.actor,
                client=scope["client"][0] if scope.get("client") else None,
                method=scope["method"] if scope["method"] in _METHODS else "other",
                route=context.route,
                status=status,
                code=context.code,
                seconds=round(seconds, 6),
            )


def context_of(scope: Scope) -> Context:
    """Of a request that has passed the edge."""
    context: Context = scope[CONTEXT]
    return context


def has_come_by(scope: Scope, port: int | None) -> bool:
    """By the socket that took the connection, never by what the caller says of it."""
    server = scope.get("server")
    return port is not None and server is not None and server[1] == port


def _correlation_id(scope: Scope) -> str:
    """The caller's, where it is one that may stand in a log; else a new one."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    text = given[0].decode("latin-1") if len(given) == 1 else ""
    return text if _SANE_ID.fullmatch(text) and redact(text) == text else str(uuid.uuid4())


def _check(scope: Scope) -> None:
    if scope["http_version"] not in {"1.0", "1.1"}:
        raise malformed(f"HTTP {scope['http_version']!a}", expected="HTTP/1.1")
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise refused(
            "runtime.api_headers_too_large",
            f"{len(headers)} headers of {size} bytes",
            expected=f"at most {MAX_HEADERS} of {MAX_HEADER_BYTES} bytes together",
        )
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            raise malformed(f"the header {name.decode()} stands there {names.count(name)} times", expected="one")
    path: bytes = scope["raw_path"]
    if len(path) > _LONGEST_PATH or not _PLAIN_PATH.fullmatch(path) or {b".", b".."} & set(path.split(b"/")):
        raise path_unknown()


def path_unknown() -> AegisError:
    """The refusal of a path that is no resource's; it does not repeat it."""
    return refused("runtime.api_path_unknown", "there is no such resource", expected="a path of /openapi.json")


def _dress(message: Message, scope: Scope, context: Context) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS:
        headers[name] = value
    headers["X-Request-Id"] = context.correlation_id
    if scope["scheme"] == "https":
        headers["Strict-Transport-Security"] = "max-age=31536000"
