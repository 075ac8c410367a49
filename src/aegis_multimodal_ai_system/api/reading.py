"""What a caller sends, read strictly: the body as one JSON object, the query as its parameters, each just once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import ClientDisconnect, Request

from aegis.core.errors import Refused
from aegis.core.typed import convert
from aegis.signatures.strict_json import parse
from aegis_multimodal_ai_system.api.refusals import malformed, refused

MAX_BODY = 8 << 10
"""Bytes: the longest reason that is taken, in any escaping, and its braces."""
_LONGEST_QUERY = 200
S = TypeVar("S", bound=msgspec.Struct)


async def body_of(request: Request, kind: type[S], *, seconds: float) -> S:
    """The body as `kind`, if it arrives in this time. Raises Refused `runtime.api_…`."""
    _check_media_type(request)
    content = await _content(request, seconds)
    try:
        value = parse(content, what="the body", limit=MAX_BODY)
    except Refused as error:
        raise refused("runtime.api_body_malformed", error.problem, expected=error.expected) from error
    return _converted(value, kind)


def has_body(request: Request) -> bool:
    """Whether the head announces one."""
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def refuse_body(request: Request) -> None:
    """Refuse one where none is read: what nobody looks at may be anything."""
    if has_body(request):
        raise malformed("the request has a body", expected="none for this resource")


def query_of(raw: bytes, kind: type[S]) -> S:
    """The parameters of a query string as `kind`, whose fields are whole numbers."""
    given: dict[str, int] = {}
    if len(raw) > _LONGEST_QUERY:
        raise malformed(f"the query has {len(raw)} bytes", expected=f"at most {_LONGEST_QUERY}")
    for part in raw.split(b"&") if raw else ():
        name, _, value = (unquote_to_bytes(piece).decode("latin-1") for piece in part.partition(b"="))
        if name in given:
            raise malformed(f"the parameter {name!a} is given twice", expected="each once")
        given[name] = _number(name, value)
    try:
        return convert(given, kind)
    except msgspec.ValidationError as error:
        raise malformed(f"the query: {str(error)!a}", expected="the parameters of /openapi.json") from error


def _number(name: str, value: str) -> int:
    """Digits without a sign or leading zeros, as the log's indices are written."""
    if not value.isascii() or not value.isdecimal() or len(value) > 18 or (len(value) > 1 and value[0] == "0"):
        raise malformed(f"the parameter {name[:50]!a} is no plain whole number", expected="digits, e.g. 17")
    return int(value)


def _check_media_type(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    plain = kind.strip() == "application/json" and parameters.strip() in {"", "charset=utf-8", 'charset="utf-8"'}
    if not plain or "content-encoding" in request.headers:
        raise refused(
            "runtime.api_media_type_refused",
            f"the body is declared as {ascii(kind[:60]) if kind else 'nothing'}",
            expected="application/json without an encoding",
        )


async def _content(request: Request, seconds: float) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                content += piece
                if len(content) > MAX_BODY:
                    raise refused(
                        "runtime.api_body_too_large",
                        f"the body has more than {MAX_BODY} bytes",
                        expected=f"at most {MAX_BODY} bytes",
                    )
    except TimeoutError as error:
        raise refused(
            "runtime.api_too_slow",
            f"after {seconds:g} s the body has {len(content)} bytes",
            expected="all of it in that time",
        ) from error
    except ClientDisconnect as error:
        raise malformed("the body ended early", expected="all of it") from error
    return bytes(content)


def _converted(value: Mapping[str, Any], kind: type[S]) -> S:
    try:
        return convert(value, kind)
    except msgspec.ValidationError as error:
        raise refused(
            "runtime.api_body_malformed", f"the body: {str(error)!a}", expected="the schema of /openapi.json"
        ) from error
